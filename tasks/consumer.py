"""The worker's end of the broker: messages that cannot be read, cancelled jobs, holds on jobs, lost connections."""

from __future__ import annotations

import base64
import logging
import os
from typing import Any, cast

import redis
from celery import bootsteps
from celery.worker import state
from celery.worker.consumer import Consumer

from console import clock
from console import redis as valkey
from console.broker.celery_app import HOLD_S
from console.broker.valkey import REVOKED_KEEP_S, REVOKED_KEY
from console.tracking import tracker
from console.tracking.events import Event, Kind
from console.tracking.headers import RUN_HEADER
from console.tracking.hooks import now_ms

MAX_BODY = 10_000
MAX_CANCELLED = 1_000_000
"""Cancelled jobs that a worker knows; 100,000 take 27 MB. Of more than Celery's own 50,000, the others would run."""
LOOK_EVERY_S = 5.0
LOOKS = 4
"""After so many looks in a row at the same, a worker stands still."""
EX_SOFTWARE = 70
"""Of sysexits(3): something is wrong inside; whoever supervises the worker starts it again."""

log = logging.getLogger(__name__)


class JobConsumer(Consumer):
    """Celery's consumer that reports unreadable messages and remembers cancelled jobs across restarts."""

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """The body is not what its headers say."""
        self._report(message, exc)
        super().on_decode_error(message, exc)

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """The body can be read, but is no job."""
        self._report(message, exc)
        super().on_invalid_task(body, message, exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        """Kombu puts held jobs back as it closes a channel, and stumbles when that has lost its connection before.

        The broker delivers them again by itself, so this is no reason to end the worker.
        """
        try:
            super().on_connection_error_after_connected(exc)
        except AttributeError as error:
            log.warning("what is left of the lost connection to the broker could not be closed: %s", error)

    def _report(self, message: Any, exc: Exception) -> None:
        headers = message.headers or {}
        if not headers.get("id"):
            log.error("a message without a job id could not be read and is dropped: %s", exc)
            return
        raw = message.body if isinstance(message.body, bytes) else str(message.body).encode("utf-8", "replace")
        data = {
            "type": headers.get("task"),
            "queue": (message.delivery_info or {}).get("routing_key"),
            "reason": "undecodable",
            "error_type": type(exc).__name__,
            "error_message": f"The message could not be read: {exc}"[:2_000],
            "traceback": "Body as it came, base64:\n" + base64.b64encode(raw[:MAX_BODY]).decode(),
        }
        run, retries = int(headers.get(RUN_HEADER) or 0), int(headers.get("retries") or 0)
        tracker().emit(Event(Kind.FAILED, str(headers["id"]), now_ms(), run, retries, data))


class CancelledJobs(bootsteps.StartStopStep):
    """Before the first message: which jobs were cancelled while this worker did not listen."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, parent: Any) -> None:
        """Reads the kept set; without a server there are no messages either."""
        try:
            cancelled = cast(list[bytes], valkey.client().zrange(REVOKED_KEY, 0, -1))
        except redis.RedisError as error:
            log.warning("could not read which jobs were cancelled: %s", error)
            return
        state.revoked.maxlen, state.revoked.expires = MAX_CANCELLED, REVOKED_KEEP_S
        state.revoked.update(job_id.decode() for job_id in cancelled)


class Holds(bootsteps.StartStopStep):
    """Renews this worker's hold on the jobs it took, so that only those of a dead worker are delivered again."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(parent, **kwargs)

    def start(self, parent: Any) -> None:
        """Begins to renew, five times within the hold."""
        self._timer = parent.timer.call_repeatedly(HOLD_S / 5, self._renew, (parent,))

    def stop(self, parent: Any) -> None:
        """Ends it; what is still held then comes back by itself."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _renew(self, parent: Any) -> None:
        held = parent.task_consumer.channel.qos
        if tags := list(held._delivered):  # noqa: SLF001  kombu has no public name for what is held
            try:
                valkey.client().zadd(held.unacked_index_key, dict.fromkeys(tags, clock.now_ms() / 1000), xx=True)
            except redis.RedisError as error:
                log.warning("could not renew the hold on %d jobs: %s", len(tags), error)


class Standstill(bootsteps.StartStopStep):
    """Ends a worker that has taken jobs and begins none of them, though none of its processes works.

    That can be left of a broker and a pool's processes that died at the same time: the worker then looks alive, renews
    its hold, and its jobs would wait for ever. When it has ended, they go back to their queue.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        self._looks: dict[str, int] = {}
        self._looked_at = 0.0
        super().__init__(parent, **kwargs)

    def start(self, parent: Any) -> None:
        """Begins to look."""
        self._looks = {}
        self._timer = parent.timer.call_repeatedly(LOOK_EVERY_S, self.look, (parent,))

    def stop(self, parent: Any) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def look(self, parent: Any) -> None:
        """Notes which jobs wait in an idle worker. One that was itself stopped for a while begins anew."""
        now = clock.monotonic()
        was_stopped, self._looked_at = now - self._looked_at > 2 * LOOK_EVERY_S, now
        works = any(_lives(one.worker_pid) for one in state.active_requests)
        waiting = [] if works else [one.id for one in state.reserved_requests if _could_run(parent, one)]
        before = {} if was_stopped else self._looks
        self._looks = {job_id: before.get(job_id, 0) + 1 for job_id in waiting}
        if stuck := [job_id for job_id, looks in self._looks.items() if looks >= LOOKS]:
            log.critical("%d jobs were taken and are not begun, for example %s: this worker ends", len(stuck), stuck[0])
            state.should_terminate = EX_SOFTWARE


def _could_run(parent: Any, request: Any) -> bool:
    """Not one that waits for its time, or for its rate limit."""
    return request.eta is None and parent.task_buckets[request.name] is None


def _lives(pid: int | None) -> bool:
    try:
        os.kill(pid or 0, 0)
    except OSError:
        return False
    return True
