"""Which minutes were watched: the recorder says so once a minute, busy or idle, so that charts can tell nothing from
nothing known.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from console import clock, db
from console.workers.models import ObservedMinute

MINUTE_MS = 60_000
KEPT_FOR = timedelta(days=400)


class Watch:
    """One recorder's word that it is at work. Any number of them may give it."""

    def __init__(self) -> None:
        self._said_ms = 0

    def keep(self) -> None:
        """Says that this minute is watched. May be called in every round of a loop: it writes once a minute only."""
        minute_ms = clock.now_ms() // MINUTE_MS * MINUTE_MS
        if minute_ms == self._said_ms:
            return
        with db.writing() as session:
            insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
            minute_at = clock.from_ms(minute_ms)
            session.execute(insert(ObservedMinute).values(minute_at=minute_at).on_conflict_do_nothing())
            session.execute(delete(ObservedMinute).where(ObservedMinute.minute_at < minute_at - KEPT_FOR))
        self._said_ms = minute_ms
