"""Writing the audit log, in the transaction of what it records."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy.orm import Session

from console import clock, ids
from console.actor import SYSTEM, Actor
from console.audit.models import AuditEntry

__all__ = ["SYSTEM", "Actor", "record"]


def record(session: Session, actor: Actor, action: str, target_kind: str, target_id: str, **detail: Any) -> None:
    """Adds an entry; it is kept if, and only if, the caller's transaction commits."""
    session.add(
        AuditEntry(
            id=ids.new_id(),
            at=clock.now(),
            actor=actor.name[:255],
            action=action,
            target_kind=target_kind,
            target_id=target_id[:255],
            detail=json.dumps(detail, default=str),
            address=actor.address,
        )
    )
