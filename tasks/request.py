"""How the worker's main process deals with an attempt whose child is gone: killed, or past its hard time limit."""

from __future__ import annotations

import logging
from random import Random
from typing import Any

from celery.exceptions import TimeLimitExceeded, WorkerLostError
from celery.worker.request import Request

from console.jobs.policies import decide_retry
from console.tracking import tracker
from console.tracking.events import Event, Kind
from console.tracking.hooks import error_data, event_in_main, now_ms
from tasks.job import Job, plan_retry

log = logging.getLogger(__name__)
_random = Random()


class JobRequest(Request):
    """A message of one of our job types, as the main process holds it."""

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """A killed child gives no signal of its own; the job goes back to its queue and the timeline says why."""
        error = getattr(exc_info.exception, "exc", exc_info.exception)
        if isinstance(error, WorkerLostError) and self.task.acks_late:
            data = {
                "reason": "worker_lost",
                "worker": self.hostname,
                "note": "its process was killed",
                "error_type": "WorkerLost",
                "error_message": f"{error} The job goes back to its queue.",
            }
            tracker().emit(self._event(Kind.LOST, data))
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def acknowledge(self) -> None:
        """Kombu takes a channel's connection away when it loses the broker; the message then comes again by itself."""
        try:
            super().acknowledge()
        except AttributeError:
            if self.message.channel.connection is not None:
                raise
            log.warning("job %s could not be acknowledged: the broker is gone; it will be delivered again", self.id)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """A hard time limit ends the child without a word; the retry policy decides as after any failure."""
        if not soft:
            job: Job = self.task
            error = TimeLimitExceeded(timeout)
            attempt = int(self.request_dict.get("retries") or 0) + 1
            delay = decide_retry(job.retry_policy, attempt, job.limits.max_attempts, _random)
            data = error_data(error, None) | {"worker": self.hostname, "runtime_ms": int(timeout * 1000)}
            data["error_message"] = f"The job ran for {timeout:g} s and did not stop when told to, so it was ended."
            if delay is None:
                tracker().emit(self._event(Kind.FAILED, data))
            else:
                plan_retry(self._event(Kind.RETRY, data | {"due_ms": now_ms() + int(delay * 1000)}))
        super().on_timeout(soft, timeout)

    def _event(self, kind: Kind, data: dict[str, Any]) -> Event:
        redelivered = bool((self.delivery_info or {}).get("redelivered"))
        return event_in_main(kind, str(self.id), self.request_dict, redelivered, **data)
