"""The broker port on Valkey or Redis, in the layout that kombu's redis transport reads."""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import redis
from celery import Celery

from console import clock
from console import redis as valkey
from console.broker.celery_app import UNACKED_KEY, make_app
from console.broker.messages import Encoder
from console.broker.port import Broker, Capabilities, Message
from console.errors import Unavailable

PRIORITY_STEPS = (0, 3, 6, 9)
PRIORITY_SEPARATOR = "\x06\x16"
REVOKED_KEY = "celeriac:revoked"
REVOKED_KEEP_S = 7 * 86_400
MARKS_PREFIX = "celeriac:published:"
MARKS_S = 86_400
"""How long it is remembered at least that a message was published; far longer than the sweeper waits."""
MARKED_TOGETHER = 8
"""Characters of a job's id: ids of ours that begin with the same ones were made in the same minute."""
BATCH = 200
BATCH_CHARACTERS = 1_000_000
"""What is published in one step, for which the server serves nobody else: 500 messages took it some 3 ms."""

_PUBLISH_ONCE = """
local marks = redis.call('SMISMEMBER', KEYS[2], unpack(ARGV, 2, (#ARGV + 1) / 2))
local new, messages = {}, {}
for i, known in ipairs(marks) do
  if known == 0 then
    new[#new + 1] = ARGV[1 + i]
    messages[#messages + 1] = ARGV[1 + #marks + i]
  end
end
if #new > 0 then
  redis.call('SADD', KEYS[2], unpack(new))
  redis.call('EXPIRE', KEYS[2], ARGV[1])
  redis.call('LPUSH', KEYS[1], unpack(messages))
end
return #new
"""


MOVE_WITHIN = 10_000
"""How many messages at either end of a queue one is looked for among; it takes the server some 10 ms."""
_MOVE = """
local function place_of(first, last)
  for at = first, last, 500 do
    for _, raw in ipairs(redis.call('LRANGE', KEYS[1], at, math.min(at + 499, last))) do
      if string.find(raw, ARGV[1], 1, true) and cjson.decode(raw).headers.id == ARGV[2] then return raw end
    end
  end
end
local length, within = redis.call('LLEN', KEYS[1]), tonumber(ARGV[4])
local raw = place_of(math.max(0, length - within), length - 1)
if not raw and length > within then raw = place_of(0, math.min(within, length - within) - 1) end
if not raw then return 0 end
redis.call('LREM', KEYS[1], 1, raw)
redis.call('LPUSH', KEYS[2], ARGV[3])
return 1
"""


class ValkeyBroker:
    """Waiting messages are lists: one per queue and priority step."""

    capabilities = Capabilities(publishes_once=True, reads_depth=True)

    def __init__(self, client: redis.Redis, reader: redis.Redis, app: Celery) -> None:
        self._client = client
        self._reader = reader
        self._app = app
        self._encoder = Encoder(app)
        self._publish_once = client.register_script(_PUBLISH_ONCE)
        self._move = client.register_script(_MOVE)

    def publish(self, messages: Sequence[Message]) -> None:
        """See `Broker.publish`. A script marks messages and pushes those that were not, so a repeat does nothing."""
        groups: dict[tuple[str, str], dict[str, Message]] = {}
        for message in messages:
            keys = queue_key(message.queue, message.priority), MARKS_PREFIX + message.id[:MARKED_TOGETHER]
            groups.setdefault(keys, {})[f"{message.id}:{message.run}:{message.retries}"] = message
        with _reachable():
            for keys, group in groups.items():
                for batch in self._batches(group):
                    self._publish_once(keys=keys, args=[MARKS_S, *batch, *batch.values()])

    def _batches(self, group: dict[str, Message]) -> Iterator[dict[str, str]]:
        """Encoded messages by their marks, at most `BATCH` and about `BATCH_CHARACTERS` at once."""
        batch: dict[str, str] = {}
        size = 0
        for mark, message in group.items():
            batch[mark] = self._encoder.encode(message)
            size += len(batch[mark])
            if len(batch) == BATCH or size > BATCH_CHARACTERS:
                yield batch
                batch, size = {}, 0
        if batch:
            yield batch

    def depths(self, queues: Sequence[str]) -> dict[str, int]:
        """See `Broker.depths`."""
        return {queue: sum(depths.values()) for queue, depths in self.depths_by_priority(queues).items()}

    def depths_by_priority(self, queues: Sequence[str]) -> dict[str, dict[int, int]]:
        """See `Broker.depths_by_priority`."""
        with _reachable(), self._reader.pipeline(transaction=False) as pipe:
            for queue in queues:
                for step in PRIORITY_STEPS:
                    pipe.llen(queue_key(queue, step))
            lengths = iter(pipe.execute())
        return {queue: {step: next(lengths) for step in PRIORITY_STEPS} for queue in queues}

    def first_and_held(self, queues: Sequence[str]) -> tuple[dict[str, list[str]], set[str]]:
        """See `Broker.first_and_held`. What a worker took is in a hash until it acknowledges it."""
        with _reachable(), self._client.pipeline() as pipe:
            for queue in queues:
                for step in PRIORITY_STEPS:
                    pipe.lindex(queue_key(queue, step), -1)
            pipe.hvals(UNACKED_KEY)
            *next_ones, held = pipe.execute()
        found = iter(next_ones)
        first = {queue: [next(found) for _ in PRIORITY_STEPS] for queue in queues}
        ids = {queue: [_id_of(json.loads(message)) for message in of if message] for queue, of in first.items()}
        return ids, {_id_of(json.loads(kept)[0]) for kept in held}

    def cancel(self, job_ids: Sequence[str]) -> None:
        """See `Broker.cancel`. Running workers are told by Celery's broadcast; later ones read the kept set."""
        now_s = clock.now_ms() / 1000
        with _reachable():
            self._client.zadd(REVOKED_KEY, dict.fromkeys(job_ids, now_s))
            self._client.zremrangebyscore(REVOKED_KEY, "-inf", now_s - REVOKED_KEEP_S)
            self._app.control.revoke(list(job_ids), terminate=True, signal="SIGTERM")

    def move(self, message: Message, source: str) -> bool:
        """See `Broker.move`. An id is looked for as JSON writes it, and then read."""
        keys = queue_key(source, message.priority), queue_key(message.queue, message.priority)
        needle = json.dumps(message.id)
        with _reachable():
            return bool(self._move(keys=keys, args=[needle, message.id, self._encoder.encode(message), MOVE_WITHIN]))

    def ping(self) -> None:
        """See `Broker.ping`."""
        with _reachable():
            self._reader.ping()


def queue_key(queue: str, priority: int | None) -> str:
    """The list a message of that priority waits in; priorities between two steps go to the lower step, as in kombu."""
    step = PRIORITY_STEPS[bisect(PRIORITY_STEPS, priority or 0) - 1]
    return f"{queue}{PRIORITY_SEPARATOR}{step}" if step else queue


def _id_of(message: dict[str, Any]) -> str:
    return str((message.get("headers") or {}).get("id", ""))


@cache
def broker() -> Broker:
    """The broker of this process, on the settings in force."""
    return ValkeyBroker(valkey.client(), valkey.quick_client(), make_app("celeriac-console"))


@contextmanager
def _reachable() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise Unavailable(
            f"The broker does not answer ({type(error).__name__}: {error}). Is Valkey running?"
        ) from error
