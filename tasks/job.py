"""The base class of job types: what they declare, and how an attempt runs.

    class SendInvoice(Job):
        name = "invoices.send"
        queue_name = "emails"
        schema = Invoice  # a pydantic model: the payload
        retry_policy = Exponential(base_s=30)

        def handle(self, payload: Invoice) -> None: ...

    job_id = SendInvoice.dispatch({"invoice_id": 7}, delay=60)
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Mapping
from datetime import datetime
from random import Random
from typing import Any, ClassVar

import redis
from celery import Task
from celery.exceptions import Ignore, Reject, Retry
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from console import clock, db
from console.audit.service import SYSTEM, Actor
from console.config import KEPT_STATES
from console.jobs import queries, service
from console.jobs.policies import Fixed, RetryPolicy, decide_retry
from console.jobs.registry import JobType, Limits, job_type, queue_limits, register
from console.jobs.rules import ENDED, State
from console.tracking import tracker
from console.tracking.events import Event, Kind
from console.tracking.hooks import error_data, event_of, now_ms, run_of
from tasks.app import app
from tasks.errors import InvalidPayload, KilledItsWorker, MemoryLimitExceeded, PermanentFailure
from tasks.memory import memory_limit

MAX_DELIVERIES = 5
"""How often an attempt is begun again, before the job counts as what kills its process."""
SOFT_BEFORE_HARD_S = 5
PROGRESS_EVERY_S = 0.5
KEEP_TRYING_S = 2.0

log = logging.getLogger("celeriac.job")
hooks_log = logging.getLogger("celeriac.job.hooks")
_random = Random()


class Job(Task):
    """A job type. Subclasses set `name` and `schema` and write `handle`; the rest has defaults from the queue.

    Jobs are delivered at least once: a process that dies between the work and its acknowledgement runs it again.
    """

    abstract = True
    typing = False
    Request = "tasks.request:JobRequest"
    reports_itself = True

    queue_name: ClassVar[str] = "default"
    schema: ClassVar[type[BaseModel]]
    retry_policy: ClassVar[RetryPolicy] = Fixed()
    job_priority: ClassVar[int | None] = None
    max_attempts: ClassVar[int | None] = None
    timeout_s: ClassVar[int | None] = None
    memory_mb: ClassVar[int | None] = None
    keep_days: ClassVar[Mapping[str, float]] = {}

    limits: Limits
    _reported_at = 0.0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Registers the type with the console and with Celery."""
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("abstract") or not cls.__dict__.get("name"):
            return
        if cls.handle is Job.handle:
            raise TypeError(f"{cls.__name__} needs a handle method")
        if unknown := cls.keep_days.keys() - set(KEPT_STATES):
            raise TypeError(f"{cls.__name__}.keep_days: {min(unknown)!r} is none of {', '.join(KEPT_STATES)}")
        given = queue_limits(cls.queue_name)
        cls.limits = Limits(
            max_attempts=cls.max_attempts or given.max_attempts,
            timeout_s=cls.timeout_s or given.timeout_s,
            retry_after_s=given.retry_after_s,
            memory_mb=cls.memory_mb or given.memory_mb,
        )
        cls.time_limit = cls.limits.timeout_s + SOFT_BEFORE_HARD_S
        cls.soft_time_limit = cls.limits.timeout_s
        register(
            JobType(
                name=cls.name,
                queue=cls.queue_name,
                schema=cls.schema,
                limits=cls.limits,
                retry=cls.retry_policy,
                priority=cls.job_priority,
                description=(cls.__doc__ or "").strip(),
                acks_late=cls.acks_late is not False,
                keep_days=cls.keep_days,
            )
        )
        app.register_task(cls())

    @classmethod
    def dispatch(
        cls,
        payload: Mapping[str, Any] | BaseModel,
        *,
        queue: str | None = None,
        priority: int | None = None,
        delay: float | None = None,
        at: datetime | None = None,
        unique_key: str | None = None,
        tags: tuple[str, ...] = (),
        session: Session | None = None,
        actor: Actor = SYSTEM,
    ) -> str:
        """Dispatches a job and returns its id. `delay` in seconds, or `at` a time with a zone.

        With a `session` the job is part of its transaction and leaves when that commits. Raises `InvalidInput`.
        """
        values = payload.model_dump(mode="json") if isinstance(payload, BaseModel) else dict(payload)
        options = service.DispatchOptions(queue, priority, delay, at, unique_key, tags)
        if session is not None:
            return service.dispatch(session, actor, job_type(cls.name), values, options)[0]
        with db.writing() as own:
            return service.dispatch(own, actor, job_type(cls.name), values, options)[0]

    def handle(self, payload: Any) -> Any:
        """The work, which each job type writes. What it returns is stored as the job's result (JSON)."""

    def failed(self, payload: Any, error: BaseException) -> None:
        """Called in the worker when the job has failed for good; not when its process was killed."""

    def progress(self, done: float, total: float, note: str = "") -> None:
        """Reports how far the job is; at most two reports a second are sent, and the last one always."""
        if total <= 0 or (done < total and clock.monotonic() - self._reported_at < PROGRESS_EVERY_S):
            return
        self._reported_at = clock.monotonic()
        percent = max(0, min(100, int(100 * done / total)))
        tracker().emit(event_of(Kind.PROGRESS, self.request, progress=percent, progress_note=note or None))

    @property
    def attempt(self) -> int:
        """1 in the first attempt."""
        return int(self.request.retries or 0) + 1

    def run(self, **kwargs: Any) -> Any:
        """One attempt: what Celery calls."""
        if self._is_settled():
            self.request.celeriac_silent = True
            raise Ignore
        if begun := getattr(self.request, "celeriac_start", None):
            tracker().emit(begun)
        payload: Any = kwargs
        started = clock.monotonic()
        log.info("begins")
        try:
            payload = self._payload(kwargs)
            with memory_limit(self.limits.memory_mb):
                result = self.handle(payload)
        except (Ignore, Reject, Retry):
            raise
        except Exception as error:
            raise self._after_failure(payload, error, clock.monotonic() - started) from error
        log.info("done in %.3f s", clock.monotonic() - started)
        return result

    def _payload(self, kwargs: dict[str, Any]) -> BaseModel:
        deliveries = run_of(self.request) - int(getattr(self.request, "celeriac_run", None) or 0)
        if deliveries >= MAX_DELIVERIES:
            raise KilledItsWorker(
                f"This attempt was begun {deliveries} times and no process told of its end, so it is not begun again."
            )
        try:
            return self.schema.model_validate(kwargs)
        except ValidationError as error:
            raise InvalidPayload(str(error)) from error

    def _is_settled(self) -> bool:
        """Whether a message that came a second time is of an attempt that is known to have ended."""
        if not (self.request.delivery_info or {}).get("redelivered"):
            return False
        try:
            with db.reading() as session:
                known = queries.state_and_attempts(session, str(self.request.id))
        except SQLAlchemyError as error:
            log.warning("job %s came again, and nobody can tell whether it ran; it runs: %s", self.request.id, error)
            return False
        if known is None:
            return False
        state, attempts = known
        return state in ENDED or (state == State.RETRYING and attempts >= self.attempt)

    def _after_failure(self, payload: Any, error: Exception, runtime_s: float) -> Exception:
        """Plans another attempt, or gives up; returns what to raise."""
        if isinstance(error, MemoryError):
            error = MemoryLimitExceeded(f"The job needed more than the {self.limits.memory_mb} MB that it may use.")
        final = isinstance(error, KilledItsWorker | InvalidPayload | PermanentFailure)
        delay = None if final else decide_retry(self.retry_policy, self.attempt, self.limits.max_attempts, _random)
        if delay is None:
            log.error("failed for good: %s", error)
            self._call_failed(payload, error)
            return error
        log.warning("failed, runs again in %.0f s: %s", delay, error)
        data = error_data(error, _traceback_of(error)) | {
            "runtime_ms": int(runtime_s * 1000),
            "worker": self.request.hostname,
        }
        plan_retry(event_of(Kind.RETRY, self.request, due_ms=now_ms() + int(delay * 1000), **data))
        self.request.celeriac_planned = True
        planned: Exception = Retry(exc=error, when=delay)
        return planned

    def _call_failed(self, payload: Any, error: Exception) -> None:
        try:
            self.failed(payload, error)
        except Exception:  # noqa: BLE001  the job type's own code
            hooks_log.exception("its failed() hook raised")


def plan_retry(event: Event) -> None:
    """Puts a planned retry on the stream before its message is acknowledged, however long the server is away.

    Until then the message stays with the worker, so that a kill meanwhile costs a repeated attempt, not the job.
    """
    while True:
        try:
            tracker().deliver(event)
        except redis.RedisError as error:
            log.warning("job %s: its retry cannot be planned yet: %s", event.job_id, error)
            time.sleep(KEEP_TRYING_S)
        else:
            return


def _traceback_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
