"""Celery's beat with the database as its clockwork: what is due is claimed there, by any number of beats."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

import redis
from celery.beat import Scheduler
from sqlalchemy.exc import SQLAlchemyError

from console import clock, db
from console import redis as valkey
from console.actions.runner import Runner
from console.broker.valkey import broker
from console.errors import Unavailable
from console.jobs import due, missing, outbox
from console.presence import Presence
from console.schedules import builtin, engine
from console.tracking import tracker
from tasks.ping import Ping

MAX_SLEEP_S = 1.0
SWEEP_EVERY_S = 10.0
WATCH_EVERY_S = 1.0
PAUSE_S = 1.0
LEAVE_S = 5.0
"""How long a beat that ends waits for the batch that is at work."""

log = logging.getLogger(__name__)


class DueScheduler(Scheduler):
    """Publishes what is due, sleeps until the next due time, and wakes at once when something is due sooner."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._wakes: redis.client.PubSub | None = None
        self._sweep_at = self._watch_at = 0.0
        self._current_since: float | None = None
        self._missing: dict[str, int] = {}
        self._has_builtin = False
        self._may_be_due = True
        self._ping = Ping()
        self._presence = Presence("beat")
        self._stopping = threading.Event()
        self._actions: threading.Thread | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Nothing to load: the schedule is the database's."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Celery's loop calls this again after the returned number of seconds; the waiting is done here."""
        self._work_on_actions()
        try:
            self._presence.say()
            if self._may_be_due:
                self._fire()
                while due.publish_due() == due.CLAIM_BATCH:
                    self._fire()
            self._sweep()
            self._watch()
            self._sleep()
        except (SQLAlchemyError, redis.RedisError, Unavailable) as error:
            log.warning("nothing can be published now, trying again: %s", str(error).splitlines()[0])
            self._wakes = self._current_since = None
            self._may_be_due = True
            return PAUSE_S
        return 0.0

    def close(self) -> None:
        """Nothing to save; what we worked on is left to the other beats."""
        self._stopping.set()
        if self._actions is not None:
            self._actions.join(LEAVE_S)
        with suppress(redis.RedisError):
            self._presence.leave()

    @property
    def info(self) -> str:
        """Shown by `celery beat` at its start."""
        return "    . db -> due jobs of the console's database"

    def _work_on_actions(self) -> None:
        """In a thread of its own, so that what is due is never late for it."""
        if self._actions is None or not self._actions.is_alive():
            run = Runner().run
            self._actions = threading.Thread(target=run, args=(self._stopping,), name="actions", daemon=True)
            self._actions.start()

    def _sweep(self) -> None:
        """Reports jobs whose worker is gone, when its signs of life would have been seen for long enough."""
        now = clock.monotonic()
        if now < self._sweep_at:
            return
        self._sweep_at = now + SWEEP_EVERY_S
        with db.reading() as session:
            self._current_since = (self._current_since or now) if due.is_current(session) else None
            if self._current_since is None or now - self._current_since < due.LOST_AFTER.total_seconds():
                return
            events = due.lost_events(session, clock.now())
        for event in events:
            tracker().deliver(event)
        self._look_for_missing()

    def _look_for_missing(self) -> None:
        """Publishes again what is missing now and was missing when it was looked for before."""
        with db.reading() as session:
            found = missing.find_missing(session, broker(), clock.now())
        again = {job_id: ver for job_id, ver in found.items() if self._missing.get(job_id) == ver}
        self._missing = found
        if again:
            with db.writing() as session:
                number = missing.publish_again(session, again, clock.now())
            log.warning("the messages of %d waiting jobs were lost; they are published again", number)

    def _fire(self) -> None:
        """Makes the jobs of schedules that are due."""
        if not self._has_builtin:
            builtin.ensure()
            self._has_builtin = True
        while engine.fire_due() == engine.CLAIM_BATCH:
            pass

    def _watch(self) -> None:
        """Starts what waits for the job before it, flags what takes too long, and tells the world that we live."""
        if clock.monotonic() < self._watch_at:
            return
        self._watch_at = clock.monotonic() + WATCH_EVERY_S
        engine.start_waiting()
        engine.watch()
        self._ping.tell()

    def _sleep(self) -> None:
        """Until the next due time, for at most `MAX_SLEEP_S`, or until somebody says that there is a sooner one.

        While nothing is due and nobody said so, nothing is claimed: that would be transactions that write, for nothing.
        """
        with db.reading() as session:
            times = [at for at in (due.next_due(session), engine.next_due(session)) if at is not None]
        wait = min([MAX_SLEEP_S, *((at - clock.now()).total_seconds() for at in times)])
        if self._wakes is None:
            self._wakes = valkey.client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
            self._wakes.subscribe(outbox.WAKE_CHANNEL)
        heard = self._wakes.get_message(timeout=wait) if wait > 0 else None
        self._may_be_due = heard is not None or any(at <= clock.now() for at in times)
