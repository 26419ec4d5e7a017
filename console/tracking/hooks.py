"""Celery's signals, as events. What fires where was observed, not read: see the notes at each handler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from celery import signals
from celery.app.task import Context, Task
from celery.exceptions import (
    Reject,
    SoftTimeLimitExceeded,
    TimeLimitExceeded,
    WorkerLostError,
)

from console import clock
from console.tracking.events import MAX_TEXT, Event, Kind
from console.tracking.headers import RUN_HEADER
from console.tracking.tracker import Tracker

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 100_000
_REASONS: list[tuple[type[BaseException], str]] = [
    (SoftTimeLimitExceeded, "soft_timeout"),
    (TimeLimitExceeded, "timeout"),
    (WorkerLostError, "worker_lost"),
    (MemoryError, "memory"),
    (Reject, "rejected"),
]

_tracker: Tracker | None = None


def connect(tracker: Tracker) -> None:
    """Reports to `tracker` from now on."""
    global _tracker  # noqa: PLW0603  the receivers below are module functions, as Celery keeps weak references
    _tracker = tracker


def payload_json(args: Any, kwargs: Any) -> str | None:
    """Arguments as JSON, or None when they cannot be kept so that the job could be run again from them."""
    try:
        text = json.dumps({"args": args, "kwargs": kwargs}, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None
    return text if len(text) <= MAX_TEXT else None


def error_data(error: BaseException, traceback: str | None) -> dict[str, Any]:
    """An exception as an event carries it."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    reason = getattr(error, "celeriac_reason", None) or next(
        (word for known, word in _REASONS if isinstance(error, known)), "exception"
    )
    return {
        "error_type": name[:255],
        "error_message": _text(error)[:MAX_MESSAGE],
        "reason": reason,
        "traceback": None if traceback is None else _middle_out(traceback),
    }


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return clock.now_ms()


def event_of(kind: Kind, request: Context, **data: Any) -> Event:
    """An event of the attempt that `request` describes."""
    return Event(kind, str(request.id), now_ms(), run_of(request), int(request.retries or 0), data)


def run_of(request: Context) -> int:
    """How often the job was delivered again or replaced before this attempt."""
    return int(getattr(request, "celeriac_delivery", None) or _base_run(request))


def event_in_main(kind: Kind, job_id: str, headers: Mapping[str, Any], redelivered: bool, **data: Any) -> Event:
    """An event that the worker's main process reports, from the message: the attempt itself is in the child."""
    retries = int(headers.get("retries") or 0)
    run = int(headers.get(RUN_HEADER) or 0) + int(headers.get("replaced_task_nesting") or 0)
    if redelivered and _tracker is not None:
        run += _tracker.deliveries_so_far(job_id, run, retries)
    return Event(kind, job_id, now_ms(), run, retries, data)


def _base_run(request: Context) -> int:
    return int(getattr(request, RUN_HEADER, None) or 0) + int(getattr(request, "replaced_task_nesting", None) or 0)


@signals.after_task_publish.connect(weak=False)
def _published(
    sender: str | None = None,
    headers: dict[str, Any] | None = None,
    body: Any = None,
    routing_key: str | None = None,
    **_: Any,
) -> None:
    """In the producer; for retries, chains and chord bodies in the child. A body is (args, kwargs, options)."""
    if _tracker is None or not headers or "id" not in headers or not isinstance(body, tuple | list) or len(body) < 2:
        return
    run = int(headers.get(RUN_HEADER) or 0) + int(headers.get("replaced_task_nesting") or 0)
    _tracker.emit(
        Event(
            Kind.PUBLISHED,
            str(headers["id"]),
            now_ms(),
            run,
            int(headers.get("retries") or 0),
            {
                "type": sender or headers.get("task"),
                "queue": routing_key,
                "payload": payload_json(body[0], body[1]),
                "parent_id": headers.get("parent_id"),
                "root_id": headers.get("root_id"),
            },
        )
    )


@signals.task_prerun.connect(weak=False)
def _started(task: Task | None = None, args: Any = None, kwargs: Any = None, **_: Any) -> None:
    """In the child. A message that was delivered before counts as another run of the same attempt."""
    if _tracker is None or task is None:
        return
    request = task.request
    info = request.delivery_info or {}
    run = _base_run(request)
    if info.get("redelivered"):
        run += _tracker.deliveries(str(request.id), run, int(request.retries or 0))
    request.celeriac_delivery = run
    request.celeriac_started = clock.monotonic()
    _tracker.emit(
        event_of(
            Kind.STARTED,
            request,
            type=task.name,
            queue=info.get("routing_key"),
            worker=request.hostname,
            payload=payload_json(args, kwargs),
            parent_id=request.parent_id,
            root_id=request.root_id,
            note="delivered again" if info.get("redelivered") else None,
        )
    )


@signals.task_postrun.connect(weak=False)
def _ended(task: Task | None = None, state: str | None = None, retval: Any = None, **_: Any) -> None:
    """In the child, after every attempt; a state of None means that the process is being stopped, not an end."""
    if _tracker is None or task is None or getattr(task.request, "celeriac_silent", False):
        return
    runtime = _runtime_ms(task.request)
    if state == "SUCCESS":
        _tracker.emit(event_of(Kind.SUCCEEDED, task.request, runtime_ms=runtime, result=_result_json(retval)))
    elif state == "IGNORED":
        _tracker.emit(event_of(Kind.CANCELLED, task.request, runtime_ms=runtime, reason="ignored"))


@signals.task_failure.connect(weak=False)
def _failed(
    sender: Task | None = None, task_id: str = "", exception: BaseException | None = None, einfo: Any = None, **_: Any
) -> None:
    """In the child; in the main process for a lost child, a rejected message and the hard time limit (then twice)."""
    if _tracker is None or sender is None or exception is None:
        return
    request = sender.request
    if isinstance(exception, TimeLimitExceeded) and getattr(sender, "reports_its_limits", False):
        return  # our job types have reported this already, and may have planned another attempt
    if request.id != task_id:  # main process, without the attempt's context
        request = Context({"id": task_id, "retries": 0})
    data = error_data(exception, str(einfo.traceback) if einfo is not None else None)
    worker = request.hostname or getattr(sender.app, "celeriac_hostname", None)
    _tracker.emit(event_of(Kind.FAILED, request, runtime_ms=_runtime_ms(request), worker=worker, **data))


@signals.task_retry.connect(weak=False)
def _retrying(request: Context | None = None, reason: Any = None, einfo: Any = None, **_: Any) -> None:
    """In the child. Celeriac's own job types have planned their retry already, durably."""
    if _tracker is None or request is None or getattr(request, "celeriac_planned", False):
        return
    error = getattr(reason, "exc", None) or reason
    data = (
        error_data(error, str(einfo.traceback)) if isinstance(error, BaseException) else {"error_message": str(error)}
    )
    _tracker.emit(event_of(Kind.RETRY, request, runtime_ms=_runtime_ms(request), worker=request.hostname, **data))


@signals.task_revoked.connect(weak=False)
def _revoked(
    sender: Task | None = None,
    request: Context | None = None,
    terminated: bool = False,
    expired: bool = False,
    **_: Any,
) -> None:
    """In the main process."""
    if _tracker is None or request is None:
        return
    reason = "stopped" if terminated else "expired" if expired else "cancelled"
    redelivered = bool((request.delivery_info or {}).get("redelivered"))
    data = {"reason": reason, "type": getattr(sender, "name", None)}
    _tracker.emit(event_in_main(Kind.CANCELLED, str(request.id), vars(request), redelivered, **data))


@signals.task_unknown.connect(weak=False)
def _unknown(name: str | None = None, id: str | None = None, message: Any = None, **_: Any) -> None:  # noqa: A002
    """In the main process: a message of a job type that this worker has no code for."""
    if _tracker is None or not id:
        return
    headers = message.headers or {}
    try:
        args, kwargs = message.decode()[:2]
        payload = payload_json(args, kwargs)
    except Exception:  # noqa: BLE001  whatever a foreign body raises, the event must be written
        payload = None
    retries, run = int(headers.get("retries") or 0), int(headers.get(RUN_HEADER) or 0)
    data = {
        "type": name,
        "queue": (message.delivery_info or {}).get("routing_key"),
        "payload": payload,
        "reason": "unknown_type",
        "error_type": "NotRegistered",
        "error_message": f"No worker on this queue has a job type named {name!r}.",
    }
    _tracker.emit(Event(Kind.FAILED, str(id), now_ms(), run, retries, data))


@signals.worker_process_init.connect(weak=False)
def _pool_child(**_: Any) -> None:
    if _tracker is not None:
        _tracker.begin_pool_child()


@signals.worker_ready.connect(weak=False)
def _worker_ready(sender: Any = None, **_: Any) -> None:
    if _tracker is not None:
        queues = sorted(sender.app.amqp.queues.consume_from)
        _tracker.begin_worker(sender.hostname, int(sender.controller.concurrency or 1), queues)


@signals.worker_init.connect(weak=False)
def _worker_init(sender: Any = None, **_: Any) -> None:
    """Before the pool forks, so that the children know the directory of their parent."""
    if _tracker is not None:
        sender.app.celeriac_hostname = sender.hostname
        _tracker.begin()


@signals.worker_shutdown.connect(weak=False)
def _worker_shutdown(**_: Any) -> None:
    if _tracker is not None:
        _tracker.stop()


def _runtime_ms(request: Context) -> int | None:
    started = getattr(request, "celeriac_started", None)
    return None if started is None else int((clock.monotonic() - started) * 1000)


def _result_json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        text = json.dumps(value, default=repr)
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(_text(value))
    return text if len(text) <= MAX_TRACEBACK else json.dumps(text[:MAX_TRACEBACK] + "…")


def _text(value: object) -> str:
    """`str(value)`, though the value's own code may be broken."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  foreign code
        return f"<{type(value).__name__} that cannot be printed: {type(error).__name__}>"


def _middle_out(text: str) -> str:
    """A traceback's beginning says where it came from, its end what went wrong: those are kept."""
    if len(text) <= MAX_TRACEBACK:
        return text
    half = MAX_TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
