"""Writing the audit log, in the transaction of what it records."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from console import clock, ids
from console.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever asks for something: a person, a token, the command line or Celeriac itself."""

    name: str
    role: str
    address: str | None = None


SYSTEM = Actor("celeriac", "admin")


def record(session: Session, actor: Actor, action: str, target_kind: str, target_id: str, **detail: Any) -> None:
    """Adds an entry; it is kept if, and only if, the caller's transaction commits."""
    session.add(
        AuditEntry(
            id=ids.new_id(), at=clock.now(), actor=actor.name[:255], action=action, target_kind=target_kind,
            target_id=target_id[:255], detail=json.dumps(detail, default=str), address=actor.address,
        )
    )
