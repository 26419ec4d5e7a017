"""Celery's signals, as events. What fires where was observed, not read: see the notes at each handler.

Celery logs what a receiver raises and goes on; what our receivers do that may raise is foreign code, in `texts` and
`messages`, and is caught there, or ours, and is caught in `Tracker.emit`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from celery import signals
from celery._state import get_current_task
from celery.app.task import Context, Task
from celery.exceptions import Reject, TimeLimitExceeded

from console import clock
from console.tracking.events import Event, Kind
from console.tracking.headers import RUN_HEADER
from console.tracking.logs import JobLogs
from console.tracking.messages import ELSEWHERE, NO_RESULT, envelope_of, payload_json, readable_json
from console.tracking.texts import error_data, error_name, result_json, text_of
from console.tracking.tracker import Tracker

__all__ = ["connect", "error_data", "event_in_main", "event_of", "now_ms", "run_of"]

KEPT = "celeriac_kept"
"""In a request's delivery info: the main process has kept the whole message."""
NEVER = 1_000
"""A level above all others."""
UPKEEP = frozenset(("celery.chord_unlock", "celery.backend_cleanup"))
"""What Celery does for itself."""

_TOLD_AFTER = frozenset(("SUCCESS", "IGNORED", "REJECTED"))
"""States that an attempt ends in without another signal that tells of it."""

_tracker: Tracker | None = None
_logs: JobLogs | None = None
_requests: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""In a worker's main process: what it holds, by job. A signal of a lost child brings the id alone."""


def connect(tracker: Tracker, log_level: int | None = None) -> None:
    """Reports to `tracker` from now on, what jobs log from that level on too; None: what they log is not kept."""
    global _tracker, _logs  # noqa: PLW0603  the receivers below are functions, as Celery keeps weak references
    if _logs is None and log_level is not None:
        _logs = JobLogs(lambda event: _tracker.emit(event) if _tracker else None, log_level)
    elif _logs is not None:
        _logs.setLevel(NEVER if log_level is None else log_level)
    _tracker = tracker


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return clock.now_ms()


def event_of(kind: Kind, request: Context, **data: Any) -> Event:
    """An event of the attempt that `request` describes."""
    return Event(kind, str(request.id), clock.now_ms(), run_of(request), int(request.retries or 0), data)


def run_of(request: Context) -> int:
    """How often the job was delivered again or replaced before this attempt."""
    return int(getattr(request, "celeriac_delivery", None) or _base_run(request))


def event_in_main(kind: Kind, job_id: str, headers: Mapping[str, Any], redelivered: bool, **data: Any) -> Event:
    """An event that the worker's main process reports, from the message: the attempt itself is in the child."""
    retries, run = int(headers.get("retries") or 0), _run_in(headers)
    if redelivered and _tracker is not None:
        run += _tracker.deliveries_so_far(job_id, run, retries)
    return Event(kind, job_id, clock.now_ms(), run, retries, data)


def _base_run(request: Context) -> int:
    return int(getattr(request, RUN_HEADER, None) or 0) + int(getattr(request, "replaced_task_nesting", None) or 0)


def _run_in(headers: Mapping[str, Any]) -> int:
    return int(headers.get(RUN_HEADER) or 0) + int(headers.get("replaced_task_nesting") or 0)


@signals.after_task_publish.connect(weak=False)
def _published(
    sender: str | None = None,
    headers: dict[str, Any] | None = None,
    body: Any = None,
    exchange: str | None = None,
    routing_key: str | None = None,
    **_: Any,
) -> None:
    """In the producer; for retries, chains and chord bodies in the child. A body is (args, kwargs, options)."""
    if _tracker is None or not headers or "id" not in headers or not isinstance(body, tuple | list) or len(body) < 3:
        return
    job_id, retries = str(headers["id"]), int(headers.get("retries") or 0)
    if retries and _is_retry_of_itself(job_id):
        return  # the signal of the retry follows, and tells why
    parent_id, root_id, eta = headers.get("parent_id"), headers.get("root_id"), headers.get("eta")
    data = {
        "type": sender or headers.get("task"),
        "queue": _tracker.queue_of(exchange, routing_key),
        "payload": payload_json(body[0], body[1]),
        "message": ELSEWHERE if _tracker.is_elsewhere else None,
        "parent_id": parent_id if parent_id != job_id else None,
        "root_id": root_id if root_id != job_id else None,
        "group_id": headers.get("group"),
        "chord_id": _chord_id(body[2].get("chord")) if body[2] else None,
        "note": _times(eta, headers.get("expires")),
        "internal": sender in UPKEEP or None,
    }
    kind = Kind.SCHEDULED if eta else Kind.PUBLISHED
    _tracker.emit(Event(kind, job_id, clock.now_ms(), _run_in(headers), retries, data))


@signals.task_received.connect(weak=False)
def _received(request: Any = None, **_: Any) -> None:
    """In the main process, for every message. Only of those that say more than their payload is anything written."""
    if _tracker is None or request is None:
        return
    _requests[request.id] = request
    headers, info = request.request_dict, request.delivery_info
    kept = None if _tracker.is_elsewhere else envelope_of(request.message)
    if kept is not None:
        info[KEPT] = True
    eta = headers.get("eta")
    if headers.get("retries") or not (eta or kept):
        return
    data = {
        "type": headers.get("task"),
        "queue": _tracker.queue_of(info.get("exchange"), info.get("routing_key")),
        "message": ELSEWHERE if _tracker.is_elsewhere else kept,
        "worker": request.hostname,
        "note": _times(eta, headers.get("expires")),
    }
    kind = Kind.SCHEDULED if eta else Kind.RECEIVED
    _tracker.emit(Event(kind, str(request.id), clock.now_ms(), _run_in(headers), 0, data))


@signals.task_prerun.connect(weak=False)
def _started(task: Task | None = None, args: Any = None, kwargs: Any = None, **_: Any) -> None:
    """In the child. A message that was delivered before counts as another run of the same attempt."""
    if _tracker is None or task is None:
        return
    request = task.request
    info, job_id, run = request.delivery_info or {}, str(request.id), _base_run(request)
    parent_id, root_id = request.parent_id, request.root_id
    again = info.get("redelivered")
    if again:
        run += _tracker.deliveries(job_id, run, int(request.retries or 0))
    request.celeriac_delivery, request.celeriac_started = run, clock.monotonic()
    if _logs is not None:
        _logs.begin(request, alone=_tracker.is_pool_child)
    payload, message = _arguments(_tracker, task, info, args, kwargs)
    data = {
        "type": task.name,
        "queue": _tracker.queue_of(info.get("exchange"), info.get("routing_key")),
        "worker": request.hostname,
        "payload": payload,
        "parent_id": parent_id if parent_id != job_id else None,
        "root_id": root_id if root_id != job_id else None,
        "group_id": request.group,
        "chord_id": _chord_id(request.chord),
        "priority": info.get("priority") or None,
        "message": message,
        "internal": task.name in UPKEEP or None,
        "note": "delivered again" if again else None,
    }
    started = Event(Kind.STARTED, job_id, clock.now_ms(), run, int(request.retries or 0), data)
    if getattr(task, "reports_itself", False):
        request.celeriac_start = started
    else:
        _tracker.emit(started)


@signals.task_postrun.connect(weak=False)
def _ended(task: Task | None = None, state: str | None = None, retval: Any = None, **_: Any) -> None:
    """In the child, after every attempt; a state of None means that the process is being stopped, not an end."""
    if _tracker is None or task is None:
        return
    request = task.request
    if _logs is not None:
        _logs.end(request)
    if state not in _TOLD_AFTER:
        return
    if getattr(request, "celeriac_silent", False):
        return
    runtime = _runtime_ms(request)
    if state == "SUCCESS":
        _tracker.emit(event_of(Kind.SUCCEEDED, request, runtime_ms=runtime, result=result_json(retval)))
    elif state == "IGNORED":
        _tracker.emit(event_of(Kind.CANCELLED, request, runtime_ms=runtime, reason="ignored"))
    elif getattr(retval, "requeue", False):
        _tracker.emit(event_of(Kind.LOST, request, runtime_ms=runtime, note="put back on its queue"))


@signals.task_failure.connect(weak=False)
def _failed(
    sender: Task | None = None, task_id: str = "", exception: BaseException | None = None, einfo: Any = None, **_: Any
) -> None:
    """In the child; in the main process for a lost child, a rejected message and the hard time limit (then twice)."""
    if _tracker is None or sender is None or exception is None:
        return
    request = sender.request
    if isinstance(exception, TimeLimitExceeded) and getattr(sender, "reports_itself", False):
        return  # our job types have reported this already, and may have planned another attempt
    data = error_data(exception, None if isinstance(exception, Reject) or einfo is None else text_of(einfo.traceback))
    if request.id == task_id:
        _tracker.emit(event_of(Kind.FAILED, request, runtime_ms=_runtime_ms(request), worker=request.hostname, **data))
        return
    held = _requests.pop(task_id, None)
    if held is None:
        return  # it was told before
    redelivered = bool(held.delivery_info.get("redelivered"))
    data |= {"worker": held.hostname, "runtime_ms": None}
    _tracker.emit(event_in_main(Kind.FAILED, task_id, held.request_dict, redelivered, **data))


@signals.task_retry.connect(weak=False)
def _retrying(
    sender: Task | None = None, request: Context | None = None, reason: Any = None, einfo: Any = None, **_: Any
) -> None:
    """In the child. Celeriac's own job types have planned their retry already, durably."""
    if _tracker is None or request is None or getattr(request, "celeriac_planned", False):
        return
    error = getattr(reason, "exc", None) or reason
    if isinstance(error, BaseException):
        data = error_data(error, None if einfo is None else text_of(einfo.traceback))
        data["note"] = f"{error_name(error)}, again {_when(getattr(reason, 'when', None))}"
    else:
        data = {"error_message": text_of(error)}
    most = getattr(sender, "max_retries", None)
    data |= {"worker": request.hostname, "max_attempts": None if most is None else most + 1}
    _tracker.emit(event_of(Kind.RETRY, request, runtime_ms=_runtime_ms(request), **data))


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
    headers, info = message.headers or {}, message.delivery_info or {}
    kept = ELSEWHERE if _tracker.is_elsewhere else envelope_of(message)
    try:
        args, kwargs = message.decode()[:2]
        payload = payload_json(args, kwargs) if kept is None else readable_json(args, kwargs)
    except Exception:  # noqa: BLE001  whatever a foreign body raises, the event must be written
        payload = None
    data = {
        "type": name,
        "queue": _tracker.queue_of(info.get("exchange"), info.get("routing_key")),
        "payload": payload,
        "message": kept,
        "reason": "unknown_type",
        "error_type": "NotRegistered",
        "error_message": f"No worker on this queue has a job type named {name!r}.",
    }
    retries = int(headers.get("retries") or 0)
    _tracker.emit(Event(Kind.FAILED, str(id), clock.now_ms(), _run_in(headers), retries, data))


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
def _worker_init(**_: Any) -> None:
    """Before the pool forks, so that the children know the directory of their parent."""
    if _tracker is not None:
        _tracker.begin()


@signals.worker_shutdown.connect(weak=False)
def _worker_shutdown(**_: Any) -> None:
    if _tracker is not None:
        _tracker.stop()


def _is_retry_of_itself(job_id: str) -> bool:
    task = get_current_task()
    return task is not None and task.request.id == job_id


def _arguments(
    tracker: Tracker, task: Task, info: Mapping[str, Any], args: Any, kwargs: Any
) -> tuple[str | None, str | None]:
    """The payload and, where it takes no more than a word, how to send the job again."""
    if tracker.is_elsewhere:
        return readable_json(args, kwargs), ELSEWHERE
    if KEPT in info:
        return readable_json(args, kwargs), None
    leaves_no_result = task.request.ignore_result and not getattr(task, "reports_itself", False)
    return payload_json(args, kwargs), NO_RESULT if leaves_no_result else None


def _chord_id(chord: Any) -> str | None:
    """The id of a chord's body, from its signature."""
    return chord.get("options", {}).get("task_id") if chord else None


def _times(eta: str | None, expires: str | None) -> str | None:
    words = [f"not before {eta}"] if eta else []
    return ", ".join([*words, f"expires {expires}"] if expires else words) or None


def _when(when: Any) -> str:
    """Of a retry: seconds, a time, or not said."""
    return "at once" if not when else f"in {when:g} s" if isinstance(when, int | float) else f"not before {when}"


def _runtime_ms(request: Context) -> int | None:
    started = getattr(request, "celeriac_started", None)
    return None if started is None else int((clock.monotonic() - started) * 1000)
