"""A Celery application that knows nothing of Celeriac, but for one line. It counts for itself what its jobs do."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import redis
from celery import Celery, Task, chain, chord, group
from celery.exceptions import Ignore, Reject
from celery.utils.log import get_task_logger
from celery.worker.request import Request

from console.tracking import track

BROKER, EVENTS = os.environ["SHOP_BROKER"], os.environ["SHOP_EVENTS"]
app = Celery("shop", broker=BROKER, backend=EVENTS)
app.conf.update(
    accept_content=["json", "pickle", "yaml", "msgpack"],
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_transport_options=json.loads(os.environ.get("SHOP_TRANSPORT", "{}")),
    worker_hijack_root_logger=False,
)
track(app, url=EVENTS, spool=Path(os.environ["SHOP_SPOOL"]))
counters = redis.Redis.from_url(EVENTS, decode_responses=True)


class Counted(Task):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        counters.hincrby("begun", self.name)
        result = super().__call__(*args, **kwargs)
        counters.hincrby("done", self.name)
        return result


class OwnRequest(Request):
    """A request class of the application's own."""

    def on_accepted(self, pid: int, time_accepted: float) -> None:
        counters.incr("own request")
        super().on_accepted(pid, time_accepted)


app.Task = Counted


@app.task(name="shop.add")
def add(x: int, y: int = 0) -> int:
    return x + y


@app.task(name="shop.total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(name="shop.quiet", ignore_result=True, acks_late=True)
def quiet() -> str:
    return "nobody asks"


@app.task(name="shop.late", acks_late=True, Request=OwnRequest)
def late() -> None: ...


@app.task(name="shop.breaks")
def breaks() -> None:
    raise ValueError("on purpose")


@app.task(name="shop.flaky", bind=True, autoretry_for=(OSError,), default_retry_delay=0.1, max_retries=5)
def flaky(self: Task) -> str:
    if self.request.retries < 2:
        raise OSError("not yet")
    return "at last"


@app.task(name="shop.hopeless", bind=True, default_retry_delay=0.1, max_retries=2)
def hopeless(self: Task) -> None:
    raise self.retry(exc=KeyError("never"))


@app.task(name="shop.replaced", bind=True)
def replaced(self: Task) -> None:
    raise self.replace(add.s(1, y=2))


@app.task(name="shop.rejects", acks_late=True)
def rejects() -> None:
    raise Reject("not for me", requeue=False)


@app.task(name="shop.requeues", bind=True, acks_late=True)
def requeues(self: Task) -> None:
    if counters.hincrby("requeued", self.request.id) == 1:
        raise Reject("again, please", requeue=True)


@app.task(name="shop.ignores")
def ignores() -> None:
    raise Ignore


@app.task(name="shop.sends")
def sends() -> str:
    return str(add.delay(5).id)


@app.task(name="shop.picky", bind=True, max_retries=0)
def picky(self: Task, *args: Any, **kwargs: Any) -> str:
    """Fails until it is told that the world is better; says what came."""
    request = self.request
    came = repr((args, kwargs, request.headers, request.timelimit, request.ignore_result))
    counters.rpush(f"came:{kwargs.get('case') or args[0]}", came)
    if not counters.exists("better"):
        raise RuntimeError("the world is bad")
    return "good"


@app.task(name="shop.talks")
def talks(number: int) -> None:
    logging.getLogger("shop.orders").info("order %d", number)
    get_task_logger("shop.tasks").warning("order %d is late", number)
    add(number)  # as a function
    logging.getLogger("shop.orders").info("order %d is done", number)


@app.task(name="shop.note")
def note(*args: Any) -> None:
    counters.rpush("noted", repr(args))


def send_all(times: int) -> dict[str, list[str]]:
    """One of everything, `times` times; the ids by kind."""
    sent: dict[str, list[str]] = {}
    for _ in range(times):
        steps = chain(add.s(1), add.s(y=2), add.s(y=3)).apply_async()
        four = group(add.s(n) for n in range(4)).apply_async()
        body = chord([add.s(n) for n in range(3)])(total.s())
        made = {
            "add": add.delay(1, y=2),
            "quiet": quiet.delay(),
            "late": late.delay(),
            "breaks": breaks.delay(),
            "flaky": flaky.delay(),
            "hopeless": hopeless.delay(),
            "replaced": replaced.delay(),
            "rejects": rejects.delay(),
            "requeues": requeues.delay(),
            "ignores": ignores.delay(),
            "sends": sends.delay(),
            "later": add.apply_async((7,), countdown=2),
            "expired": add.apply_async((8,), expires=datetime(2020, 1, 1, tzinfo=UTC)),
            "first": add.apply_async((9,), priority=3),
        }
        revoked = add.apply_async((6,), countdown=5)
        revoked.revoke()
        made["revoked"] = revoked
        for kind, result in made.items():
            sent.setdefault(kind, []).append(result.id)
        sent.setdefault("chain", []).extend([steps.parent.parent.id, steps.parent.id, steps.id])
        sent.setdefault("group", []).extend([four.id, *(one.id for one in four.results)])
        sent.setdefault("chord", []).extend([body.id, *(one.id for one in body.parent.results)])
    return sent


def send_picky() -> dict[str, str]:
    """Messages that are more than JSON arguments; the id of each."""
    when = datetime(2026, 11, 24, 8, 30, tzinfo=UTC)
    cases = {
        "plain": picky.apply_async(("plain",)),
        "pickle": picky.apply_async(("pickle", {1, 2}, when), serializer="pickle"),
        "yaml": picky.apply_async(("yaml", date(2026, 11, 24)), serializer="yaml"),
        "msgpack": picky.apply_async(("msgpack", b"\x00\xff"), serializer="msgpack"),
        "dates": picky.apply_async(("dates", when)),
        "header": picky.apply_async(kwargs={"case": "header"}, headers={"x-tenant": "nine"}),
        "limits": picky.apply_async(("limits",), time_limit=50, soft_time_limit=40),
        "linked": picky.apply_async(("linked",), link=note.s("linked")),
        "chained": chain(picky.s("chained"), note.s("chained")).apply_async().parent,
        "small": picky.apply_async(("small", "x" * 5_000), compression="gzip"),
        "silent": picky.apply_async(("silent",), ignore_result=True),
    }
    return {case: result.id for case, result in cases.items()}


if __name__ == "__main__":
    if sys.argv[1] == "talks":
        answer: Any = [talks.delay(number).id for number in range(20)]
    else:
        answer = send_picky() if sys.argv[1] == "picky" else send_all(int(sys.argv[1]))
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(json.dumps(answer))
