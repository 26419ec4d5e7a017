"""Writing the audit log, in the transaction of what it records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from console import clock, ids
from console.actor import SYSTEM, Actor
from console.audit.models import AuditEntry

_LEAD_TO = {
    "postgresql": text(
        "INSERT INTO audit_target (target_id, entry_id)"
        " SELECT value, :entry_id FROM json_array_elements_text(CAST(:ids AS json))"
    ),
    "sqlite": text("INSERT INTO audit_target (target_id, entry_id) SELECT value, :entry_id FROM json_each(:ids)"),
}

__all__ = ["SYSTEM", "Actor", "record", "record_many"]


def record(session: Session, actor: Actor, action: str, target_kind: str, target_id: str, **detail: Any) -> None:
    """Adds an entry; it is kept if, and only if, the caller's transaction commits."""
    _add(session, actor, action, target_kind, target_id, detail)


def record_many(
    session: Session, actor: Actor, action: str, target_ids: Sequence[str], begun: str | None = None, **detail: Any
) -> str:
    """As `record`, for one thing done to many jobs: one entry, with their number, that each of them leads to.

    Returns the entry's id. What goes on in another transaction gives it as `begun`, and is added to that entry.
    """
    entry = session.get(AuditEntry, begun, with_for_update=True, populate_existing=True) if begun else None
    if entry is None:
        entry_id = _add(session, actor, action, "job_batch", target_ids[0], {"count": len(target_ids)} | detail)
    else:
        entry_id, kept = entry.id, json.loads(entry.detail)
        entry.detail = json.dumps(kept | {"count": kept["count"] + len(target_ids)})
    _lead_to(session, entry_id, target_ids)
    return entry_id


def _lead_to(session: Session, entry_id: str, target_ids: Sequence[str]) -> None:
    """In one statement: there may be thousands."""
    values = {"entry_id": entry_id, "ids": json.dumps([target_id[:255] for target_id in target_ids])}
    session.execute(_LEAD_TO[session.get_bind().dialect.name], values)


def _add(session: Session, actor: Actor, action: str, target_kind: str, target_id: str, detail: dict[str, Any]) -> str:
    entry_id = ids.new_id()
    session.add(
        AuditEntry(
            id=entry_id,
            at=clock.now(),
            actor=actor.name[:255],
            action=action,
            target_kind=target_kind,
            target_id=target_id[:255],
            detail=json.dumps(detail, default=str),
            address=actor.address,
        )
    )
    return entry_id
