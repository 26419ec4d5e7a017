"""A job's message: its arguments for people to read, and all of it where they do not suffice to send it again.

Most messages are plain JSON with nothing but arguments: such a job is sent again from its payload. Of any other
(another serializer, values JSON has no word for, callbacks, a chain, a chord, time limits, headers of the
application's own) the worker keeps the message as it came, the *envelope*.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from console.tracking.events import MAX_TEXT
from console.tracking.headers import RUN_HEADER
from console.tracking.texts import repr_of, text_of

ELSEWHERE = '{"why_not": "elsewhere"}'
"""In the place of an envelope: the application's broker is not the server that carries the events."""
TOO_LARGE = '{"why_not": "too_large"}'
"""In the place of an envelope: it would be needed, and is longer than what is kept."""
NO_RESULT = '{"headers": {"ignore_result": true}}'
"""An envelope without a body: a plain message, but for this header."""

MAX_VALUE = 500
_JSON = "application/json"
_NOTHING_EMBEDDED = b'{"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'
_SPECIAL_VALUE = b'"__type__"'
"""How kombu's JSON writes a date, a UUID and the like; read back, these are no JSON any more."""
_PLAIN_HEADERS = frozenset(
    (
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
        "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers",
        "stamps", "compression", RUN_HEADER,
    )
)  # fmt: skip
_OF_ONE_SENDING = ("eta", "expires", "compression")
"""Headers that a message sent again must not have: its times are past, and its body is not compressed any more."""
_SPELLED = (date, time, timedelta, Decimal, UUID)

_encode = json.JSONEncoder(separators=(",", ":")).encode


def payload_json(args: Any, kwargs: Any) -> str | None:
    """Arguments as JSON, or None when they cannot be kept so that the job could be run again from them."""
    try:
        if _are_huge(args, kwargs):
            return None
        text = _encode({"args": args, "kwargs": kwargs})
    except Exception:  # noqa: BLE001  foreign code runs here: subclasses of what JSON knows
        return None
    return text if len(text) <= MAX_TEXT else None


def readable_json(args: Any, kwargs: Any) -> str:
    """Arguments for people: JSON where they are, texts where not. Only for jobs whose message is kept."""
    text = payload_json(args, kwargs)
    if text is None and not _are_huge(args, kwargs):
        try:
            text = _encode_readable({"args": args, "kwargs": kwargs})
        except Exception:  # noqa: BLE001  foreign code; and a dictionary whose keys are no texts
            text = None
    if text is not None and len(text) <= MAX_TEXT:
        return text
    return _encode({"args": [_shown(value) for value in args], "kwargs": {k: _shown(v) for k, v in kwargs.items()}})


def envelope_of(message: Any) -> str | None:
    """What to keep of a kombu message so that it can be sent again; None when its payload suffices."""
    body = message.body
    raw = body if isinstance(body, bytes) else str(body).encode("utf-8", "surrogateescape")
    if "task" not in message.headers or (message.content_type == _JSON and _is_plain(message.headers, raw)):
        return None
    if len(raw) > MAX_TEXT // 4 * 3:
        return TOO_LARGE
    headers = {name: value for name, value in message.headers.items() if name not in _OF_ONE_SENDING}
    kept = {
        "headers": headers,
        "body": base64.b64encode(raw).decode(),
        "content_type": message.content_type,
        "encoding": message.content_encoding,
    }
    return json.dumps(kept, default=text_of, separators=(",", ":"))


def _is_plain(headers: Mapping[str, Any], raw: bytes) -> bool:
    """Whether what is made of a payload would be the same message."""
    return (
        raw.endswith(_NOTHING_EMBEDDED)
        and _SPECIAL_VALUE not in raw
        and headers.keys() <= _PLAIN_HEADERS
        and headers.get("shadow") is None
        and headers.get("timelimit") in (None, [None, None])
        and not headers.get("stamped_headers")
    )


def _are_huge(args: Any, kwargs: Any) -> bool:
    """Whether texts among the arguments alone are too long: then nothing is spent on encoding them."""
    found = 0
    for value in (*args, *kwargs.values()):
        if isinstance(value, str | bytes | bytearray):
            found += len(value)
    return found > MAX_TEXT


def _spelled(value: object) -> str:
    return text_of(value) if isinstance(value, _SPELLED) else repr_of(value)[:MAX_VALUE]


_encode_readable = json.JSONEncoder(separators=(",", ":"), default=_spelled).encode


def _shown(value: object) -> str:
    return repr_of(value)[:MAX_VALUE]
