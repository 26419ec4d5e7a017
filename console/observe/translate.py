"""Celery's own events, as the events that the recorder stores."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from console.observe.memory import Attempt, Memory
from console.tracking.events import Event, Kind

MAX_NOTE = 300
MAX_MESSAGE = 2_000
MAX_TRACEBACK = 100_000
_REASONS = {
    "SoftTimeLimitExceeded": "soft_timeout",
    "TimeLimitExceeded": "timeout",
    "WorkerLostError": "worker_lost",
    "MemoryError": "memory",
    "Reject": "rejected",
}


@dataclass(frozen=True, slots=True)
class Translated:
    """An event to store, and whether it tells of a beginning or an end that the worker's heartbeats count."""

    event: Event
    started: bool = False
    ended: bool = False


class Translator:
    """Of one source. Names of workers get the source's name in front, since two sources may have the same."""

    def __init__(self, source: str, memory: Memory) -> None:
        self.source, self.memory = source, memory
        self.only_queue: dict[str, str] = {}
        """The queue of workers that serve just one: Celery does not say which queue a job came from."""

    def translate(self, event: dict[str, Any]) -> Translated | None:
        """What to store; None for a kind that says nothing of a job. Raises what a malformed event causes."""
        make = _MAKERS.get(event["type"])
        return None if make is None else make(self, str(event["uuid"]), event)

    def worker(self, event: dict[str, Any]) -> str:
        """The worker's name as it is shown."""
        return f"{self.source}/{event.get('hostname') or '?'}"

    def lost(self, job_id: str, attempt: Attempt, kind: Kind, reason: str, message: str) -> Event:
        """An end that nobody told of. Its time is the last sign of it, so that a real end, if one is told, wins."""
        data: dict[str, Any] = {"reason": reason, "source": self.source, "note": message[:MAX_NOTE]}
        if kind is Kind.FAILED:
            data |= {"error_type": "WorkerLost", "error_message": message, "worker": attempt.worker}
        self.memory.close(job_id, self.memory.find(job_id), attempt, attempt.at)
        return Event(kind, job_id, int(attempt.at * 1000), attempt.run, attempt.retries, data)

    def _sent(self, job_id: str, event: dict[str, Any]) -> Translated:
        known, retries = self.memory.find(job_id, is_new=True), int(event.get("retries") or 0)
        data = self._described(job_id, event) | {"queue": event.get("queue") or event.get("routing_key")}
        return Translated(Event(Kind.PUBLISHED, job_id, _ms(event), known.run, retries, data))

    def _received(self, job_id: str, event: dict[str, Any]) -> Translated:
        """What was received before and begun was delivered again, or replaced itself by another of its id."""
        known, worker = self.memory.find(job_id, is_new=True), self.worker(event)
        at, retries = float(event["timestamp"]), int(event.get("retries") or 0)
        waiting = next((one for one in known.open if one.retries == retries and not one.running), None)
        if waiting is not None:
            self.memory.move(job_id, waiting, worker, at)
            run = waiting.run
        else:
            running = [one.at for one in known.open if one.retries == retries]
            again = retries == known.retries and at > max([known.ended_at, *running]) > 0
            run = known.run + again
            self.memory.open(job_id, known, Attempt(retries, run, worker, at))
        data = self._described(job_id, event) | {"queue": self.only_queue.get(worker)}
        return Translated(Event(Kind.RECEIVED, job_id, _ms(event), run, retries, data))

    def _started(self, job_id: str, event: dict[str, Any]) -> Translated:
        known, worker, at = self.memory.find(job_id), self.worker(event), float(event["timestamp"])
        attempt = known.began(worker)
        if attempt is None:  # that it was received was not seen
            last = max([known.ended_at, *(one.at for one in known.open)])
            attempt = Attempt(known.retries, known.run + (at > last > 0), worker, at)
            self.memory.open(job_id, known, attempt)
        self.memory.move(job_id, attempt, worker, at)
        attempt.running = True
        made = Event(Kind.STARTED, job_id, _ms(event), attempt.run, attempt.retries, self._with({"worker": worker}))
        return Translated(made, started=True)

    def _succeeded(self, job_id: str, event: dict[str, Any]) -> Translated:
        result = event.get("result")
        data = {"runtime_ms": _runtime_ms(event), "result": None if result is None else json.dumps(str(result))}
        return self._end(Kind.SUCCEEDED, job_id, event, data)

    def _failed(self, job_id: str, event: dict[str, Any]) -> Translated:
        return self._end(Kind.FAILED, job_id, event, error_of(event) | {"worker": self.worker(event)})

    def _retried(self, job_id: str, event: dict[str, Any]) -> Translated:
        return self._end(Kind.RETRY, job_id, event, error_of(event) | {"worker": self.worker(event)})

    def _revoked(self, job_id: str, event: dict[str, Any]) -> Translated:
        reason = "stopped" if event.get("terminated") else "expired" if event.get("expired") else "cancelled"
        return self._end(Kind.CANCELLED, job_id, event, {"reason": reason})

    def _rejected(self, job_id: str, event: dict[str, Any]) -> Translated:
        if event.get("requeue"):
            return self._end(Kind.LOST, job_id, event, {"note": "put back on its queue"})
        return self._end(Kind.FAILED, job_id, event, {"reason": "rejected", "error_type": "Reject"})

    def _cancelled(self, job_id: str, event: dict[str, Any]) -> Translated:
        return self._end(Kind.LOST, job_id, event, {"note": "the worker lost its broker"})

    def _end(self, kind: Kind, job_id: str, event: dict[str, Any], data: dict[str, Any]) -> Translated:
        known, at = self.memory.find(job_id), float(event["timestamp"])
        attempt = known.ended(self.worker(event), by_retry=kind is Kind.RETRY)
        run, retries = (attempt.run, attempt.retries) if attempt else (known.run, known.retries)
        # One that was revoked before it began never counted as begun; one that has ended already does not end twice.
        if event["type"] == "task-revoked":
            ended = attempt is not None and attempt.running
        else:
            read_again = known.recalled and 0 <= at - known.ended_at < 0.001
            ended = attempt is not None or not known.ended_at or read_again
        self.memory.close(job_id, known, attempt, at)
        return Translated(Event(kind, job_id, _ms(event), run, retries, self._with(data)), ended=ended)

    def _with(self, data: dict[str, Any]) -> dict[str, Any]:
        return data | {"source": self.source}

    def _described(self, job_id: str, event: dict[str, Any]) -> dict[str, Any]:
        """Arguments are shown as they came, cut by the worker; a job could not be run again from them."""
        args, kwargs = event.get("args") or "()", event.get("kwargs") or "{}"
        parent_id, root_id = event.get("parent_id"), event.get("root_id")
        note = f"not before {event['eta']}" if event.get("eta") else f"{args} {kwargs}"
        return {
            "type": event.get("name"),
            "note": note[:MAX_NOTE],
            "parent_id": parent_id if parent_id != job_id else None,  # a retry names itself
            "root_id": root_id if root_id != job_id else None,
            "source": self.source,
            "arguments": f"{args} {kwargs}",
        }


def error_of(event: dict[str, Any]) -> dict[str, Any]:
    """An exception as an event carries it; Celery sends its `repr`."""
    said = str(event.get("exception") or "")
    name, _, rest = said.partition("(")
    message = rest.removesuffix(")").removesuffix(",")
    try:
        value = ast.literal_eval(message)
        message = value if isinstance(value, str) else message
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass  # more than one argument, or an exception with a `repr` of its own
    traceback = event.get("traceback")
    kind = name.rpartition(".")[2]
    return {
        "error_type": name[:255] or None,
        "error_message": (message if name else said)[:MAX_MESSAGE],
        "reason": _REASONS.get(kind, "exception"),
        "traceback": None if traceback is None else str(traceback)[-MAX_TRACEBACK:],
    }


def _runtime_ms(event: dict[str, Any]) -> int | None:
    runtime = event.get("runtime")
    return None if runtime is None else int(float(runtime) * 1000)


def _ms(event: dict[str, Any]) -> int:
    return int(float(event["timestamp"]) * 1000)


_MAKERS: dict[str, Callable[[Translator, str, dict[str, Any]], Translated]] = {
    "task-sent": Translator._sent,  # noqa: SLF001 - a table of this module's own methods
    "task-received": Translator._received,  # noqa: SLF001
    "task-started": Translator._started,  # noqa: SLF001
    "task-succeeded": Translator._succeeded,  # noqa: SLF001
    "task-failed": Translator._failed,  # noqa: SLF001
    "task-retried": Translator._retried,  # noqa: SLF001
    "task-revoked": Translator._revoked,  # noqa: SLF001
    "task-rejected": Translator._rejected,  # noqa: SLF001
    "task-cancelled": Translator._cancelled,  # noqa: SLF001
}
