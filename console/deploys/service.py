"""Adding and removing deploy marks."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from console import clock, ids
from console.audit.service import Actor, record
from console.deploys.models import Deploy
from console.errors import InvalidInput, NotFound

MAX_VERSION = 100
MAX_NOTE = 500
AHEAD = timedelta(days=1)
"""A mark may lie so far in the future: clocks differ, and a deploy may be said before it happens."""


def add_deploy(session: Session, actor: Actor, version: str, at: datetime | None = None, note: str = "") -> Deploy:
    """Marks that a version went live, now unless said otherwise. Raises `InvalidInput`."""
    version, note = version.strip(), note.strip()
    now = clock.now()
    problems = []
    if not (1 <= len(version) <= MAX_VERSION and version.isprintable()):
        problems.append({"field": "version", "message": f"Must be one line of 1 to {MAX_VERSION} characters."})
    if len(note) > MAX_NOTE or not (note.isprintable()):
        problems.append({"field": "note", "message": f"Must be one line of at most {MAX_NOTE} characters."})
    if at is not None and not clock.EPOCH <= at <= now + AHEAD:
        problems.append({"field": "at", "message": "Must lie between 1970 and tomorrow."})
    if problems:
        raise InvalidInput(" ".join(f"{p['field']}: {p['message']}" for p in problems), problems)
    added = Deploy(id=ids.new_id(), version=version, at=at or now, note=note or None, added_by=actor.name[:255])
    session.add(added)
    record(session, actor, "deploys.add", "deploy", added.id, version=version, at=added.at.isoformat())
    return added


def remove_deploy(session: Session, actor: Actor, deploy_id: str) -> None:
    """Takes a mark away that should not be there. Raises `NotFound`."""
    found = session.get(Deploy, deploy_id, with_for_update=True)
    if found is None:
        raise NotFound(f"There is no deploy {deploy_id!r}. `celeriac deploys list` shows those that there are.")
    record(session, actor, "deploys.remove", "deploy", deploy_id, version=found.version, at=found.at.isoformat())
    session.delete(found)
