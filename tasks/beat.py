"""Celery's beat with the database as its clockwork: what is due is claimed there, by any number of beats."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import redis
from celery.beat import Scheduler
from sqlalchemy.exc import SQLAlchemyError

from console import clock, db
from console import redis as valkey
from console.errors import Unavailable
from console.jobs import due, outbox
from console.presence import Presence
from console.tracking import tracker

MAX_SLEEP_S = 1.0
SWEEP_EVERY_S = 10.0
PAUSE_S = 1.0

log = logging.getLogger(__name__)


class DueScheduler(Scheduler):
    """Publishes what is due, sleeps until the next due time, and wakes at once when something is due sooner."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._wakes: redis.client.PubSub | None = None
        self._sweep_at = 0.0
        self._presence = Presence("beat")
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Nothing to load: the schedule is the database's."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Celery's loop calls this again after the returned number of seconds; the waiting is done here."""
        try:
            self._presence.say()
            while due.publish_due() == due.CLAIM_BATCH:
                pass
            self._sweep()
            self._sleep()
        except (SQLAlchemyError, redis.RedisError, Unavailable) as error:
            log.warning("nothing can be published now, trying again: %s", str(error).splitlines()[0])
            self._wakes = None
            return PAUSE_S
        return 0.0

    def close(self) -> None:
        """Nothing to save."""
        with suppress(redis.RedisError):
            self._presence.leave()

    @property
    def info(self) -> str:
        """Shown by `celery beat` at its start."""
        return "    . db -> due jobs of the console's database"

    def _sweep(self) -> None:
        if clock.monotonic() < self._sweep_at:
            return
        self._sweep_at = clock.monotonic() + SWEEP_EVERY_S
        with db.reading() as session:
            events = due.lost_events(session, clock.now())
        for event in events:
            tracker().deliver(event)

    def _sleep(self) -> None:
        """Until the next due time, for at most `MAX_SLEEP_S`, or until somebody says that there is a sooner one."""
        with db.reading() as session:
            at = due.next_due(session)
        wait = MAX_SLEEP_S if at is None else min(MAX_SLEEP_S, (at - clock.now()).total_seconds())
        if self._wakes is None:
            self._wakes = valkey.client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            self._wakes.subscribe(outbox.WAKE_CHANNEL)
        if wait > 0:
            self._wakes.get_message(timeout=wait)
