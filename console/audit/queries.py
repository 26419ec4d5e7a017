"""Reads of the audit log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from console.audit.models import AuditEntry, AuditTarget


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing somebody did."""

    at: datetime
    actor: str
    action: str
    detail: dict[str, Any]


def entries_of(session: Session, target_kind: str, target_id: str, limit: int = 50) -> list[Entry]:
    """What was done to one thing, alone or along with others, newest first."""
    alone = select(AuditEntry).where(AuditEntry.target_kind == target_kind, AuditEntry.target_id == target_id[:255])
    along = select(AuditEntry).join(AuditTarget, AuditTarget.entry_id == AuditEntry.id)
    queries = (alone, along.where(AuditTarget.target_id == target_id[:255]))
    rows = [row for query in queries for row in session.scalars(query.order_by(AuditEntry.at.desc()).limit(limit))]
    newest = sorted(rows, key=lambda row: (row.at, row.id), reverse=True)[:limit]
    return [Entry(row.at, row.actor, row.action, json.loads(row.detail)) for row in newest]
