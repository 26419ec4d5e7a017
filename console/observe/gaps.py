"""Gaps, from when they are found until they are stored: a database that is away does not lose them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from console import clock, db
from console.ids import new_id
from console.observe.models import ObservedGap
from console.observe.rules import Gap

OPEN_FOR_MS = 60_000


class GapBook:
    """Of one source. Not for several threads."""

    def __init__(self, kept: Iterable[dict[str, Any]] = ()) -> None:
        self._open = [Gap(**one) for one in kept]
        self._to_store = {gap.id for gap in self._open}

    def note(self, gap: Gap) -> None:
        """Takes a gap in, as part of an earlier one where they belong together."""
        known = next((one for one in reversed(self._open) if one.takes(gap)), None)
        if known is None:
            known = gap
            known.id = new_id()
            self._open.append(known)
        else:
            known.take(gap)
        self._to_store.add(known.id)

    def store(self) -> None:
        """Writes what is new. Raises `SQLAlchemyError`, and keeps it then."""
        rows = [_values(gap) for gap in self._open if gap.id in self._to_store]
        if rows:
            with db.writing() as session:
                connection = session.connection()
                insert = pg_insert if connection.dialect.name == "postgresql" else sqlite_insert
                statement = insert(ObservedGap)
                changes = {name: statement.excluded[name] for name in ("from_at", "to_at", "missed")}
                connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changes), rows)
        self._to_store.clear()
        self._open = [gap for gap in self._open if clock.now_ms() - gap.to_ms < OPEN_FOR_MS]

    def as_list(self) -> list[dict[str, Any]]:
        """To be kept over a restart."""
        return [asdict(gap) for gap in self._open]


def _values(gap: Gap) -> dict[str, Any]:
    return {
        "id": gap.id,
        "source": gap.source,
        "worker": gap.worker[:255],
        "from_at": clock.from_ms(gap.from_ms),
        "to_at": clock.from_ms(max(gap.to_ms, gap.from_ms)),
        "reason": gap.reason,
        "missed": gap.missed,
    }
