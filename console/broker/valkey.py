"""The broker port on Valkey or Redis, in the layout that kombu's redis transport reads."""

from __future__ import annotations

import base64
import json
import uuid
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import redis
from celery import Celery

from console import clock
from console import redis as valkey
from console.broker.celery_app import make_app
from console.broker.port import Broker, Capabilities, Message
from console.errors import Unavailable
from console.tracking.headers import RUN_HEADER

PRIORITY_STEPS = (0, 3, 6, 9)
PRIORITY_SEPARATOR = "\x06\x16"
REVOKED_KEY = "celeriac:revoked"
REVOKED_KEEP_S = 7 * 86_400
MARKER_S = 86_400
"""How long it is remembered that a message was published; far longer than the sweeper waits."""
BATCH = 500

_PUBLISH_ONCE = """
local sent = 0
for i = 1, #KEYS, 2 do
  if redis.call('SET', KEYS[i], '1', 'NX', 'EX', ARGV[1]) then
    redis.call('LPUSH', KEYS[i + 1], ARGV[(i + 1) / 2 + 1])
    sent = sent + 1
  end
end
return sent
"""


class ValkeyBroker:
    """Waiting messages are lists: one per queue and priority step."""

    capabilities = Capabilities(publishes_once=True, reads_depth=True)

    def __init__(self, client: redis.Redis, app: Celery) -> None:
        self._client = client
        self._app = app
        self._publish_once = client.register_script(_PUBLISH_ONCE)

    def publish(self, messages: Sequence[Message]) -> None:
        """See `Broker.publish`. A script sets a marker and pushes the message in one step, so a repeat does nothing."""
        with _reachable():
            for start in range(0, len(messages), BATCH):
                batch = messages[start : start + BATCH]
                keys = [
                    key for message in batch for key in (_marker(message), queue_key(message.queue, message.priority))
                ]
                self._publish_once(keys=keys, args=[MARKER_S, *(self._encode(message) for message in batch)])

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """See `Broker.depths`."""
        with _reachable(), self._client.pipeline(transaction=False) as pipe:
            for queue in queues:
                for step in PRIORITY_STEPS:
                    pipe.llen(queue_key(queue, step))
            lengths = pipe.execute()
        steps = len(PRIORITY_STEPS)
        return {queue: sum(lengths[i * steps : (i + 1) * steps]) for i, queue in enumerate(queues)}

    def cancel(self, job_ids: Sequence[str]) -> None:
        """See `Broker.cancel`. Running workers are told by Celery's broadcast; later ones read the kept set."""
        now_s = clock.now_ms() / 1000
        with _reachable():
            self._client.zadd(REVOKED_KEY, dict.fromkeys(job_ids, now_s))
            self._client.zremrangebyscore(REVOKED_KEY, "-inf", now_s - REVOKED_KEEP_S)
            self._app.control.revoke(list(job_ids), terminate=True, signal="SIGTERM")

    def ping(self) -> None:
        """See `Broker.ping`."""
        with _reachable():
            self._client.ping()

    def _encode(self, message: Message) -> bytes:
        return json.dumps(_stored(message) if message.envelope else self._fresh(message)).encode()

    def _fresh(self, message: Message) -> dict[str, Any]:
        made = self._app.amqp.as_task_v2(
            message.id,
            message.type,
            list(message.args),
            message.kwargs,
            retries=message.retries,
            ignore_result=True,
            argsrepr="",
            kwargsrepr="",
        )
        body = json.dumps(made.body).encode()
        return _envelope(
            message, made.headers, made.properties, base64.b64encode(body).decode(), "application/json", "utf-8"
        )


def queue_key(queue: str, priority: int | None) -> str:
    """The list a message of that priority waits in; priorities between two steps go to the lower step, as in kombu."""
    step = PRIORITY_STEPS[bisect(PRIORITY_STEPS, priority or 0) - 1]
    return f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue


@cache
def broker() -> Broker:
    """The broker of this process, on the settings in force."""
    return ValkeyBroker(valkey.client(), make_app("celeriac-console"))


def _marker(message: Message) -> str:
    return f"celeriac:published:{message.id}:{message.run}:{message.retries}"


def _stored(message: Message) -> dict[str, Any]:
    """A foreign job's message as it came, under its new id."""
    kept = message.envelope or {}
    headers = kept["headers"] | {"id": message.id, "retries": message.retries}
    headers["root_id"] = headers.get("root_id") or message.id
    return _envelope(
        message, headers, {"correlation_id": message.id}, kept["body"], kept["content_type"], kept["encoding"]
    )


def _envelope(
    message: Message, headers: dict[str, Any], properties: dict[str, Any], body: str, content_type: str, encoding: str
) -> dict[str, Any]:
    return {
        "body": body,
        "content-type": content_type,
        "content-encoding": encoding,
        "headers": headers | {RUN_HEADER: message.run},
        "properties": properties
        | {
            "delivery_mode": 2,
            "priority": message.priority or 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
            "delivery_info": {"exchange": "", "routing_key": message.queue},
        },
    }


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable(
            f"The broker does not answer ({type(error).__name__}: {error}). Is Valkey running?"
        ) from error
