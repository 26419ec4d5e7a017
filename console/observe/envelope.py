"""From a broker's message to the Celery events in it: one, or a list of them."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import msgpack

from console.observe import journal

PUSHES = (b"pmessage", b"message")


class Unreadable(ValueError):
    """The message is no Celery event in JSON or msgpack."""


def events_of(parts: list[bytes]) -> list[dict[str, Any]]:
    """The events in a pushed message; none in an answer to a subscription or a ping. Raises `Unreadable`."""
    if not parts or parts[0] not in PUSHES:
        return []
    try:
        message = json.loads(parts[-1])
        decoded = _decoded(message)
        found = decoded if isinstance(decoded, list) else [decoded]
        return [event for event in found if isinstance(event, dict) and "type" in event and "timestamp" in event]
    except (ValueError, TypeError, KeyError, zlib.error, msgpack.UnpackException) as error:
        raise Unreadable(str(error)) from error


def framed(body: bytes, content_type: str, encoding: str, headers: dict[str, Any]) -> bytes:
    """A message of another broker, as the journal keeps it."""
    kept = {
        "body": base64.b64encode(body).decode(),
        "content-type": content_type,
        "content-encoding": encoding,
        "headers": {"compression": headers["compression"]} if headers.get("compression") else {},
        "properties": {"body_encoding": "base64"},
    }
    return journal.frame(b"celeryev", json.dumps(kept).encode())


def _decoded(message: dict[str, Any]) -> Any:
    body: Any = message["body"]
    if (message.get("properties") or {}).get("body_encoding") == "base64":
        body = base64.b64decode(body)
    if (message.get("headers") or {}).get("compression") in ("application/x-gzip", "gzip", "zlib"):
        body = zlib.decompress(body, wbits=47)
    kind = str(message.get("content-type"))
    if kind == "application/json":
        return json.loads(body)
    if kind == "application/x-msgpack":
        return msgpack.unpackb(body, strict_map_key=False)
    raise Unreadable(f"the events are sent as {kind}")
