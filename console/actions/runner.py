"""Works on actions in a beat, beside what is due. Any number of beats may: each action is that of one at a time."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

import redis
from sqlalchemy import Select, or_, select, update
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from console import clock, db, ids
from console.actions.models import BulkAction
from console.actions.rules import ACTIVE
from console.actions.steps import LEASE, WATCH_S, fail, take_step
from console.errors import Unavailable
from console.jobs import outbox
from console.presence import this_process

MOST_HELD = 50
"""Actions that one beat works on at the same time, in turns."""
LOOK_S = 0.5
"""How often to look for new ones; so long a person waits at most until one begins."""
PAUSE_S = 1.0
TURN_S = 0.4
"""How long one action goes on before the others have their turn."""
ALONE_S = 2.0
"""The same when there are no others: jobs are sent while the next batch is at work, only the last one is waited for."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """An action that is ours. Times of `clock.monotonic`."""

    due_at: float = 0.0
    watched_at: float = float("-inf")


@dataclass(slots=True)
class Runner:
    """`run` in a thread of its own, until it is told to stop."""

    owner: str = field(default_factory=lambda: f"{this_process()}:{ids.new_id()}")
    _held: dict[str, _Held] = field(default_factory=dict)
    _look_at: float = 0.0

    def run(self, stopping: threading.Event) -> None:
        """Works until `stopping` is set, and leaves the actions to the other beats then."""
        while not stopping.is_set():
            try:
                wait = self.work()
            except (SQLAlchemyError, redis.RedisError, Unavailable) as error:
                log.warning("no action goes on now, trying again: %s", str(error).splitlines()[0])
                wait = PAUSE_S
            except Exception:  # the thread's main loop
                log.exception("no action goes on now, trying again")
                wait = PAUSE_S
            stopping.wait(wait)
        with suppress(SQLAlchemyError):
            self.leave()

    def work(self) -> float:
        """Gives each action that is due its turn; in how many seconds to come again."""
        if clock.monotonic() >= self._look_at:
            self._look_at = clock.monotonic() + LOOK_S
            self._claim()
        for action_id, held in list(self._held.items()):
            if clock.monotonic() >= held.due_at:
                self._turn(action_id, held)
        next_at = min([self._look_at, *(held.due_at for held in self._held.values())])
        return max(0.0, next_at - clock.monotonic())

    def leave(self) -> None:
        """Others need not wait until our leases are over."""
        self._held.clear()
        with db.writing() as session:
            ours = update(BulkAction).where(BulkAction.lease_owner == self.owner)
            session.execute(ours.values(lease_owner=None, lease_until=None))

    def _claim(self) -> None:
        """Takes what nobody works on, or whose beat has said nothing for too long."""
        now, room = clock.now(), MOST_HELD - len(self._held)
        free = _free(now).order_by(BulkAction.created_at).limit(max(0, room))
        with db.reading() as session:
            found = session.scalars(free).all()
        for action_id in found:
            with db.writing() as session:
                taken = update(BulkAction).where(BulkAction.id == action_id, BulkAction.id.in_(_free(now)))
                changed = session.execute(taken.values(lease_owner=self.owner, lease_until=now + LEASE))
                if changed.rowcount:  # type: ignore[attr-defined]
                    self._held[action_id] = _Held()

    def _turn(self, action_id: str, held: _Held) -> None:
        until = clock.monotonic() + (TURN_S if len(self._held) > 1 else ALONE_S)
        wait: float | None = 0.0
        with outbox.Courier() as courier:
            while wait == 0 and clock.monotonic() < until:
                wait = self._step(action_id, held, courier)
        if wait is None:
            self._held.pop(action_id, None)
        else:
            held.due_at = clock.monotonic() + min(wait, WATCH_S)  # the rate may be changed meanwhile

    def _step(self, action_id: str, held: _Held, courier: outbox.Courier) -> float | None:
        is_watching = clock.monotonic() - held.watched_at >= WATCH_S
        if is_watching:
            held.watched_at = clock.monotonic()
        try:
            with db.writing() as session:
                courier.carry(session)
                return take_step(session, action_id, self.owner, watch=is_watching).wait_s
        except (OperationalError, InterfaceError, redis.RedisError, Unavailable):
            raise
        except Exception as error:
            log.exception("the action %s cannot go on", action_id)
            with db.writing() as session:
                fail(session, action_id, self.owner, error)
            return None


def _free(now: datetime) -> Select[str]:
    return select(BulkAction.id).where(
        BulkAction.state.in_(list(ACTIVE)), or_(BulkAction.lease_until.is_(None), BulkAction.lease_until < now)
    )
