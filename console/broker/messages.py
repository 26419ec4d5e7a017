"""Jobs as messages, in the form in which kombu's redis transport keeps them and Celery's workers read them."""

from __future__ import annotations

import base64
import json
import uuid
from json.encoder import encode_basestring_ascii
from typing import Any

from celery import Celery

from console import ids
from console.broker.port import Message
from console.tracking.headers import RUN_HEADER

MAX_SHAPES = 1_000
_ID, _TAG, _BODY = (uuid.uuid4().hex for _ in range(3))
_SLOTS = {_ID: "%(id)s", _TAG: "%(tag)s", _BODY: "%(body)s"}
_dumps = json.JSONEncoder(check_circular=False).encode


class Encoder:
    """Makes the messages of one process.

    Jobs of one type and queue differ in id, tag and body only. So Celery makes the rest once for all of them: it takes
    several times as long for each as everything else that is to be done for it.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._shapes: dict[tuple[Any, ...], str] = {}

    def encode(self, message: Message) -> str:
        """The message as text."""
        kept = message.envelope
        if kept is None:
            slots = {"id": encode_basestring_ascii(message.id)[1:-1], "tag": ids.new_id(), "body": _body(message)}
            return self._shape(message) % slots
        if "body" in kept:
            return _dumps(_stored(message, kept))
        return _dumps(self._fresh(message, message.id, _body(message), kept.get("headers", {})))

    def _shape(self, message: Message) -> str:
        """A message like this one, with slots for what differs."""
        like = (message.type, message.queue, message.priority, message.retries, message.run, message.ignore_result)
        shape = self._shapes.get(like)
        if shape is None:
            shape = _dumps(self._fresh(message, _ID, _BODY, {}, _TAG)).replace("%", "%%")
            for mark, slot in _SLOTS.items():
                shape = shape.replace(mark, slot)
            if len(self._shapes) >= MAX_SHAPES:
                self._shapes.clear()
            self._shapes[like] = shape
        return shape

    def _fresh(
        self, message: Message, job_id: str, body: str, headers: dict[str, Any], tag: str | None = None
    ) -> dict[str, Any]:
        made = self._app.amqp.as_task_v2(
            job_id,
            message.type,
            [],
            {},
            retries=message.retries,
            ignore_result=message.ignore_result,
            argsrepr="",
            kwargsrepr="",
        )
        form = ("application/json", "utf-8")
        return _envelope(message, made.headers | headers, made.properties, body, form, tag or ids.new_id())


def _body(message: Message) -> str:
    """Arguments as Celery has them in a message: no callbacks, no chain, no chord."""
    embed = '{"callbacks": null, "errbacks": null, "chain": null, "chord": null}'
    kwargs = message.kwargs_json or _dumps(message.kwargs)
    text = f"[{_dumps(list(message.args)) if message.args else '[]'}, {kwargs}, {embed}]"
    return base64.b64encode(text.encode()).decode()


def _stored(message: Message, kept: dict[str, Any]) -> dict[str, Any]:
    """A foreign job's message as it came, under its new id."""
    headers = kept["headers"] | {"id": message.id, "retries": message.retries}
    headers["root_id"] = headers.get("root_id") or message.id
    form = (kept["content_type"], kept["encoding"])
    return _envelope(message, headers, {"correlation_id": message.id}, kept["body"], form, ids.new_id())


def _envelope(
    message: Message, headers: dict[str, Any], properties: dict[str, Any], body: str, form: tuple[str, str], tag: str
) -> dict[str, Any]:
    """`form`: content type and encoding."""
    return {
        "body": body,
        "content-type": form[0],
        "content-encoding": form[1],
        "headers": headers | {RUN_HEADER: message.run},
        "properties": properties
        | {
            "delivery_mode": 2,
            "priority": message.priority or 0,
            "body_encoding": "base64",
            "delivery_tag": tag,
            "delivery_info": {"exchange": "", "routing_key": message.queue},
        },
    }
