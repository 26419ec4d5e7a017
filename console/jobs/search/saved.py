"""Searches that people keep. A shared one is seen by all who may see jobs; its owner and admins may delete it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from console import clock, ids
from console.actor import Actor
from console.audit.service import record
from console.errors import Conflict, InvalidInput, NotAllowed, NotFound
from console.jobs.models import SavedSearch
from console.jobs.search.language import parse
from console.jobs.search.terms import read, write

MOST = 100
"""Of one owner."""
LISTED = 200
MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Saved:
    """A saved search. `is_mine`: it belongs to whoever asks; `may_delete`: so does the right to remove it."""

    id: str
    name: str
    q: str
    shared: bool
    owner: str
    changed_at: datetime
    is_mine: bool
    may_delete: bool


def list_saved(session: Session, actor: Actor) -> list[Saved]:
    """The person's own and the shared ones, by name."""
    query = select(SavedSearch).where(or_(SavedSearch.owner == actor.name, SavedSearch.shared))
    rows = session.scalars(query.order_by(SavedSearch.name, SavedSearch.owner).limit(LISTED))
    return [_as_saved(row, actor) for row in rows]


def save_search(session: Session, actor: Actor, name: str, q: str, shared: bool) -> tuple[Saved, bool]:
    """Keeps a search under a name, in place of the one of that name that the person has; and whether it is new.

    Raises `InvalidInput` for a name or a search that cannot be, and `Conflict` when two save the same name at once.
    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise _refused("name", f"A name is one line of 1 to {MAX_NAME} characters.")
    parse(q)
    row = session.scalar(select(SavedSearch).where(SavedSearch.owner == actor.name, SavedSearch.name == name))
    is_new = row is None
    if row is None:
        _check_room(session, actor)
        row = SavedSearch(id=ids.new_id(), owner=actor.name, name=name)
        session.add(row)
    row.q, row.shared, row.changed_at = write(read(q)), shared, clock.now()
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(f"A search called {name!r} was saved at the same time. Try again.") from None
    record(session, actor, "searches.save", "search", row.id, name=name, q=row.q, shared=shared)
    return _as_saved(row, actor), is_new


def delete_saved(session: Session, actor: Actor, search_id: str) -> str:
    """Removes it and returns its name. Raises `NotFound`, or `NotAllowed` when it is somebody else's shared one."""
    row = session.get(SavedSearch, search_id)
    if row is None or not (row.shared or _may_delete(row, actor)):
        raise NotFound("There is no such search. It may have been deleted, or it is somebody's own.")
    if not _may_delete(row, actor):
        raise NotAllowed(f"This search belongs to {row.owner}. They or an admin may delete it.")
    session.execute(delete(SavedSearch).where(SavedSearch.id == search_id))
    record(session, actor, "searches.delete", "search", search_id, name=row.name, owner=row.owner, q=row.q)
    return row.name


def find_saved(session: Session, actor: Actor, name: str) -> Saved:
    """The one of that id or name, the person's own before a shared one. Raises `NotFound`."""
    seen = [one for one in list_saved(session, actor) if name in (one.id, one.name)]
    if not seen:
        raise NotFound(f"There is no saved search {name!r}. `celeriac searches list` shows those that there are.")
    return min(seen, key=lambda one: not one.is_mine)


def _check_room(session: Session, actor: Actor) -> None:
    has = session.scalar(select(func.count()).select_from(SavedSearch).where(SavedSearch.owner == actor.name)) or 0
    if has >= MOST:
        raise _refused("name", f"You have {MOST} saved searches. Delete one first.")


def _may_delete(row: SavedSearch, actor: Actor) -> bool:
    return row.owner == actor.name or actor.role == "admin"


def _as_saved(row: SavedSearch, actor: Actor) -> Saved:
    return Saved(
        id=row.id,
        name=row.name,
        q=row.q,
        shared=row.shared,
        owner=row.owner,
        changed_at=row.changed_at,
        is_mine=row.owner == actor.name,
        may_delete=_may_delete(row, actor),
    )


def _refused(field: str, message: str) -> InvalidInput:
    return InvalidInput(message, [{"field": field, "message": message}])
