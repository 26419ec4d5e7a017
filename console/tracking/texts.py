"""What foreign objects say of themselves, as texts that an event can carry. Nothing here raises."""

from __future__ import annotations

import json
from typing import Any

from celery.exceptions import Reject, SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

MAX_MESSAGE = 2_000
MAX_TRACEBACK = 100_000
MAX_RESULT = 100_000
_REASONS: list[tuple[type[BaseException], str]] = [
    (SoftTimeLimitExceeded, "soft_timeout"),
    (TimeLimitExceeded, "timeout"),
    (WorkerLostError, "worker_lost"),
    (MemoryError, "memory"),
    (Reject, "rejected"),
]


def error_data(error: BaseException, traceback: str | None) -> dict[str, Any]:
    """An exception as an event carries it."""
    reason = getattr(error, "celeriac_reason", None) or next(
        (word for known, word in _REASONS if isinstance(error, known)), "exception"
    )
    return {
        "error_type": error_name(error),
        "error_message": text_of(error)[:MAX_MESSAGE],
        "reason": reason,
        "traceback": None if traceback is None else _middle_out(traceback),
    }


def error_name(error: BaseException) -> str:
    """An exception's class, with its module unless that is Python's own."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name[:255]


def result_json(value: Any) -> str | None:
    """What a job returned, as JSON; what JSON does not know, as its `repr`."""
    if value is None:
        return None
    try:
        text = _RESULT.encode(value)
    except Exception:  # noqa: BLE001  foreign code; and a dictionary whose keys are no texts
        text = json.dumps(text_of(value))
    return text if len(text) <= MAX_RESULT else json.dumps(text[:MAX_RESULT] + "…")


def text_of(value: object) -> str:
    """`str(value)`, though the value's own code may be broken."""
    return _said(str, value)


def repr_of(value: object) -> str:
    """`repr(value)`, though the value's own code may be broken."""
    return _said(repr, value)


def _said(say: Any, value: object) -> str:
    try:
        return str(say(value))
    except Exception as error:  # noqa: BLE001  foreign code
        return f"<{type(value).__name__} that cannot be printed: {type(error).__name__}>"


_RESULT = json.JSONEncoder(default=repr_of)


def _middle_out(text: str) -> str:
    """A traceback's beginning says where it came from, its end what went wrong: those are kept."""
    if len(text) <= MAX_TRACEBACK:
        return text
    half = MAX_TRACEBACK // 2
    return f"{text[:half]}\n… {len(text) - 2 * half:,} characters left out …\n{text[-half:]}"
