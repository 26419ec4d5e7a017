"""Reads of the audit log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from console.audit.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing somebody did."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


def entries_of(session: Session, target_kind: str, target_id: str, limit: int = 50) -> list[Entry]:
    """What was done to one thing, newest first."""
    rows = session.scalars(
        select(AuditEntry)
        .where(AuditEntry.target_kind == target_kind, AuditEntry.target_id == target_id[:255])
        .order_by(AuditEntry.at.desc())
        .limit(limit)
    )
    return [Entry(row.at, row.actor, row.action, json.loads(row.detail)) for row in rows]
