"""Messages that cannot be read at all: Celery drops them with a log line, we keep what they were."""

from __future__ import annotations

import base64
import logging
from typing import Any, cast

import redis
from celery import bootsteps
from celery.worker import state
from celery.worker.consumer import Consumer

from console import clock
from console import redis as valkey
from console.broker.celery_app import HOLD_S
from console.broker.valkey import REVOKED_KEY
from console.tracking import tracker
from console.tracking.events import Event, Kind
from console.tracking.headers import RUN_HEADER
from console.tracking.hooks import now_ms

MAX_BODY = 10_000

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
