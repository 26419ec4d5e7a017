"""What jobs log: within which attempt, how much of it is kept, and that the host never notices."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.app.task import Context
from celery.exceptions import SoftTimeLimitExceeded

from console import clock
from console.tracking import logs
from console.tracking.events import Event, Kind, unpack
from console.tracking.logs import AttemptLog, JobLogs, level_of

log = logging.getLogger("shop.orders")


class Broken:
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Late:
    """The time is up while it is being printed."""

    def __str__(self) -> str:
        raise SoftTimeLimitExceeded


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def handler(told: list[Event]) -> Iterator[JobLogs]:
    made = JobLogs(told.append, logging.INFO)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    yield made
    logging.getLogger().setLevel(level)
    for logger in (logging.getLogger(), logging.getLogger("celery.task")):
        logger.removeHandler(made)


def attempt(job_id: str = "job", retries: int = 0, run: int = 0) -> Context:
    made = Context(id=job_id, retries=retries)
    made.celeriac_delivery = run
    return made


@pytest.fixture
def running(handler: JobLogs) -> Callable[..., Context]:
    def begin(job_id: str = "job", *, alone: bool = False, **more: int) -> Context:
        request = attempt(job_id, **more)
        handler.begin(request, alone=alone)
        return request

    return begin


def record(message: Any, arguments: Any) -> logging.LogRecord:
    """Given to the handler alone: those of pytest would raise."""
    return log.makeRecord(log.name, logging.INFO, "x.py", 1, message, arguments, None)


def lines(events: list[Event]) -> list[Any]:
    return [line for event in events for line in json.loads(event.data["lines"])]


def texts(events: list[Event]) -> list[str]:
    return [line[3] for line in lines(events)]


def kept(events: list[Event]) -> dict[int, str]:
    """By number, as a database has them after all events."""
    rows: dict[int, list[Any]] = {}
    for event in events:
        rows[event.data["seq"]] = json.loads(event.data["lines"])
        begin, end = event.data.get("forget") or (0, 0)
        rows = {seq: batch for seq, batch in rows.items() if not begin <= seq < end}
    return {seq + at: line[3] for seq, batch in rows.items() for at, line in enumerate(batch)}


def wait_for(condition: Callable[[], bool]) -> None:
    limit = clock.monotonic() + 10
    while not condition():
        assert clock.monotonic() < limit
        time.sleep(0.02)


def test_a_line_has_time_level_logger_message_and_exception(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    request = running(retries=2, run=1)
    try:
        {}["no such order"]
    except KeyError:
        log.exception("order %d is gone", 7)
    handler.end(request)
    [event] = unpack(told[0].pack())
    assert (event.kind, event.job_id, event.run, event.retries) == (Kind.LOGGED, "job", 1, 2)
    assert (event.data["seq"], event.data["n"], event.data["level"]) == (1, 1, logging.ERROR)
    [[at_ms, level, logger, message, exception]] = lines(told)
    assert (level, logger, message) == (logging.ERROR, "shop.orders", "order 7 is gone")
    assert abs(at_ms - clock.now_ms()) < 5_000
    assert exception.startswith("Traceback")
    assert exception.rstrip().endswith("KeyError: 'no such order'")


def test_outside_of_jobs_and_below_the_level_nothing_is_kept(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    log.error("before")
    request = running()
    log.debug("too low")
    logging.getLogger("celery.app.trace").error("what the timeline says")
    logging.getLogger("console.tracking.tracker").error("trouble of ours")
    handler.end(request)
    log.error("after")
    assert told == []


def test_a_job_within_a_job_has_its_own_lines(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    outer = running("outer")
    log.info("first")
    inner = running("inner")
    log.info("second")
    handler.end(inner)
    log.info("third")
    handler.end(outer)
    found: dict[str, list[str]] = {}
    for event in told:
        found.setdefault(event.job_id, []).extend(texts([event]))
    assert found == {"outer": ["first", "third"], "inner": ["second"]}


def test_jobs_in_threads_do_not_mix(handler: JobLogs, told: list[Event]) -> None:
    barrier = threading.Barrier(8)

    def work(number: int) -> None:
        request = attempt(f"job-{number}")
        handler.begin(request, alone=False)
        barrier.wait()
        for line in range(300):
            log.info("%d:%d", number, line)
        handler.end(request)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        mine = kept([event for event in told if event.job_id == f"job-{number}"])
        assert mine
        assert all(text == f"{number}:{line - 1}" for line, text in mine.items())


@pytest.mark.parametrize(("alone", "expected"), [(True, ["from a thread"]), (False, [])])
def test_threads_of_the_only_job_of_a_process_are_its_own(
    handler: JobLogs, running: Callable[..., Context], told: list[Event], alone: bool, expected: list[str]
) -> None:
    request = running(alone=alone)
    thread = threading.Thread(target=log.info, args=("from a thread",))
    thread.start()
    thread.join()
    handler.end(request)
    assert texts(told) == expected


def test_the_loggers_of_celery_tasks_are_heard_once(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    from celery.utils.log import get_task_logger

    above = logging.getLogger("celery.task")
    for propagate in (False, True):
        above.propagate = propagate
        request = running()
        get_task_logger("shop.tasks").warning("as a worker sets it: %s", propagate)
        handler.end(request)
    above.propagate = True
    assert texts(told) == ["as a worker sets it: False", "as a worker sets it: True"]


def test_a_waiting_line_is_told_soon_though_the_job_goes_on(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    request = running()
    log.info("one")
    began = clock.monotonic()
    wait_for(lambda: bool(told))
    assert clock.monotonic() - began < 2 * logs.WRITE_EVERY_S + 0.5
    log.info("two")
    wait_for(lambda: len(told) == 2)
    handler.end(request)
    assert [(event.data["seq"], event.data["n"]) for event in told] == [(1, 1), (2, 1)]


@pytest.mark.parametrize("count", [1, 126, 249, 250, 251, 400, 499, 501, 1_000, 100_000])
@pytest.mark.parametrize("every", [1, 17, 1_000_000])
def test_of_many_lines_the_first_and_the_last_are_kept(told: list[Event], count: int, every: int) -> None:
    """`every`: so many lines come between two writings by time."""
    if every == 1 and count > 1_000:
        count = 5_000
    made = AttemptLog(attempt(), told.append)
    for number in range(1, count + 1):
        made.add(0, logging.INFO, json.dumps([0, 20, "x", str(number)]))
        if number % every == 0:
            made.write()
    made.write()
    found = kept(told)
    assert all(text == str(number) for number, text in found.items())
    assert len(found) <= 500
    assert set(range(1, min(count, 250) + 1)) <= set(found)
    assert set(range(max(1, count - 100), count + 1)) <= set(found)


def test_long_lines_are_bounded_by_their_characters(told: list[Event]) -> None:
    made = AttemptLog(attempt(), told.append)
    for number in range(1, 2_001):
        made.add(0, logging.INFO, json.dumps([0, 20, "x", f"{number} {'y' * 1_900}"]))
        if number % 10 == 0:
            made.write()
    made.write()
    found = kept(told)
    assert sum(map(len, found.values())) < 1.2 * 64_000
    assert {1, 2, 3, 1_999, 2_000} <= set(found)
    assert max(len(event.data["lines"]) for event in told) < 20_000


def test_a_line_itself_is_bounded_and_can_be_stored(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    request = running()
    # Not by way of the root logger: pytest shows what that gets, and could not pass it on from one process to another.
    handler.handle(log.makeRecord(log.name, logging.INFO, __file__, 1, "a\0b \ud800 %s", ("x" * 1_000_000,), None))
    handler.end(request)
    [event] = unpack(told[0].pack())
    [[_, _, _, text]] = json.loads(event.data["lines"])
    assert len(text) < 2_100
    assert "left out" in text
    assert "\0" not in text


def test_a_line_that_cannot_be_printed_does_no_harm(
    handler: JobLogs, running: Callable[..., Context], told: list[Event]
) -> None:
    request = running()
    for message, arguments in (("%s", (Broken(),)), (Broken(), ()), ("%d", ("seven",)), ("plain", ())):
        handler.handle(record(message, arguments))
    handler.end(request)
    assert "cannot be printed: RuntimeError" in texts(told)[0]
    assert "%d <with arguments" in texts(told)[-2]
    assert texts(told)[-1] == "plain"


def test_the_word_that_the_time_is_up_comes_through(handler: JobLogs, running: Callable[..., Context]) -> None:
    request = running()
    with pytest.raises(SoftTimeLimitExceeded):
        handler.handle(record("%s", (Late(),)))
    assert handler.lock is not None
    assert handler.lock.acquire(blocking=False)
    handler.release()
    handler.end(request)


def test_levels_have_names() -> None:
    assert (level_of("INFO"), level_of("warning"), level_of("off")) == (20, 30, None)
    with pytest.raises(ValueError, match="no level"):
        level_of("loud")
