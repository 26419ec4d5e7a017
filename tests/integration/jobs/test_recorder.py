"""Events from the stream become rows, counts and rollups; once, whatever is replayed."""

from __future__ import annotations

import json

import pytest
import redis
from sqlalchemy import Engine, func, select, update

from console import clock, db
from console.jobs import outbox, queries
from console.jobs.filters import JobFilter
from console.jobs.models import JobAttempt, JobLog, JobRollup, StreamCheckpoint
from console.jobs.recorder import Recorder
from console.jobs.rules import State
from console.jobs.store import CheckpointMoved
from console.tracking.events import Event, Kind

STREAM = "celeriac:events:0"


def put(broker: redis.Redis, *events: Event) -> None:
    """One block."""
    broker.xadd(STREAM, {"b": b"".join(event.pack() for event in events)})


def a_job(job_id: str, end: Kind, at: int = 1_700_000_000_000) -> list[Event]:
    data = {"type": "a.job", "queue": "emails", "payload": '{"args":[],"kwargs":{}}'}
    ended = {"runtime_ms": 20, "error_type": "E", "error_message": "no", "reason": "exception"}
    return [
        Event(Kind.PUBLISHED, job_id, at, data=data),
        Event(Kind.STARTED, job_id, at + 10, data={"worker": "w"}),
        Event(end, job_id, at + 30, data=ended),
    ]


def counts() -> dict[State, int]:
    with db.reading() as session:
        return queries.count_by_state(session, JobFilter())


def test_counts_and_rollups_are_exact_after_a_replay(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    for number in range(30):
        put(broker, *a_job(f"job-{number}", Kind.FAILED if number % 3 == 0 else Kind.SUCCEEDED))
    kept = broker.xrange(STREAM)
    assert recorder.record_once(STREAM) == 90
    assert broker.xlen(STREAM) == 0
    for _, fields in kept:  # a spool that was shipped twice
        broker.xadd(STREAM, fields)
    assert recorder.record_once(STREAM) == 90
    assert counts() == {State.COMPLETED: 20, State.RETRYABLE: 10}
    with db.reading() as session:
        sums = session.execute(
            select(
                func.sum(JobRollup.enqueued),
                func.sum(JobRollup.completed),
                func.sum(JobRollup.failed),
                func.sum(JobRollup.runtime_ms),
            ).where(JobRollup.grain == "minute", JobRollup.dimension == "queue")
        ).one()
        assert tuple(map(int, sums)) == (30, 20, 10, 600)
        assert session.scalar(select(func.count()).select_from(JobAttempt)) == 10


def test_two_recorders_on_one_checkpoint_store_once(database: Engine, broker: redis.Redis) -> None:
    put(broker, *a_job("job", Kind.SUCCEEDED))
    first, second = Recorder(), Recorder()
    assert first.record_once(STREAM) == 3
    second.stopping.set()
    assert second.record_once(STREAM) == 0
    with db.writing() as session:
        session.execute(update(StreamCheckpoint).values(last_id="0-0"))
    put(broker, *a_job("job", Kind.SUCCEEDED))
    with pytest.raises(CheckpointMoved):
        first.record_once(STREAM)
    assert first.record_once(STREAM) == 3
    assert counts() == {State.COMPLETED: 1}


def test_a_damaged_block_loses_nothing_before_or_after_it(database: Engine, broker: redis.Redis) -> None:
    put(broker, *a_job("before", Kind.SUCCEEDED))
    broker.xadd(STREAM, {"b": a_job("half", Kind.SUCCEEDED)[0].pack() + b"\xc1\xff"})
    broker.xadd(STREAM, {"other": b""})
    put(broker, *a_job("after", Kind.SUCCEEDED))
    Recorder().record_once(STREAM)
    assert counts() == {State.COMPLETED: 2, State.PENDING: 1}


def test_text_that_a_database_refuses_is_stored_all_the_same(database: Engine, broker: redis.Redis) -> None:
    put(
        broker,
        Event(
            Kind.FAILED, "nul\0id", 1_700_000_000_000, data={"type": "t\0", "error_message": "a\0b", "queue": "q" * 400}
        ),
    )
    assert Recorder().record_once(STREAM) == 1
    assert counts() == {State.FAILED: 1}


def test_a_job_that_cannot_be_stored_is_put_aside_and_the_others_are_stored(
    database: Engine, broker: redis.Redis
) -> None:
    at = 1_700_000_000_000
    put(broker, *a_job("before", Kind.SUCCEEDED))
    put(broker, Event(Kind.STARTED, "bad-number", at, data={"priority": "no number"}))
    put(broker, Event(Kind.RETRY, "too-large", at, data={"runtime_ms": 1 << 63}))
    put(broker, Event(Kind.HEARTBEAT, "bad-worker", at, data={"pid": "none"}))
    put(broker, *a_job("after", Kind.FAILED))
    assert Recorder().record_once(STREAM) == 9
    assert counts() == {State.COMPLETED: 1, State.RETRYABLE: 1}
    assert broker.xlen("celeriac:refused") == 3
    assert broker.xlen(STREAM) == 0


def lines(seq: int, n: int, at: int = 1_700_000_000_020, **more: object) -> Event:
    """What a job logged, as its process tells it."""
    said = ",".join(f'[{at},20,"shop","line {seq + number}"]' for number in range(n))
    return Event(Kind.LOGGED, "job", at, data={"seq": seq, "n": n, "level": 20, "lines": f"[{said}]", **more})


def logged() -> list[tuple[str, int, int, int, int]]:
    with db.reading() as session:
        columns = (JobLog.job_id, JobLog.attempt, JobLog.run, JobLog.seq, JobLog.n)
        return [tuple(row) for row in session.execute(select(*columns).order_by(*columns))]


def test_log_lines_are_stored_once_whatever_is_replayed(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    put(broker, *a_job("job", Kind.SUCCEEDED), lines(1, 3), lines(4, 1))
    put(broker, lines(4, 1), lines(1, 3))
    kept = broker.xrange(STREAM)
    assert recorder.record_once(STREAM) == 7
    for _, fields in reversed(kept):
        broker.xadd(STREAM, fields)
    assert recorder.record_once(STREAM) == 7
    assert logged() == [("job", 1, 0, 1, 3), ("job", 1, 0, 4, 1)]
    assert counts() == {State.COMPLETED: 1}
    with db.reading() as session:
        assert session.scalars(select(JobLog.at)).all() == [clock.from_ms(1_700_000_000_020)] * 2


def test_the_middle_of_a_long_log_goes_when_its_end_is_told(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    put(broker, lines(1, 250), lines(251, 100), lines(351, 100), lines(9_900, 100, forget=[251, 351]))
    recorder.record_once(STREAM)
    assert [row[3] for row in logged()] == [1, 351, 9_900]
    put(broker, lines(10_000, 100, forget=[251, 9_900]), lines(20_000, 100, forget=[251, 10_000]))
    recorder.record_once(STREAM)
    assert [row[3] for row in logged()] == [1, 10_000, 20_000]


def test_lines_that_no_row_can_hold_are_put_aside_alone(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    bad = Event(Kind.LOGGED, "job", 1_700_000_000_000, data={"seq": 1, "n": 1, "level": 20, "lines": ["no", "text"]})
    put(broker, *a_job("job", Kind.SUCCEEDED), bad)
    assert recorder.record_once(STREAM) == 4
    assert counts() == {State.COMPLETED: 1}
    assert broker.xlen("celeriac:refused") == 1
    assert logged() == []


def test_only_the_page_of_a_job_hears_that_it_logged(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    with broker.pubsub() as heard:
        heard.subscribe(outbox.LIVE_CHANNEL)
        assert heard.get_message(timeout=1)
        put(broker, lines(1, 3))
        recorder.record_once(STREAM)
        told = heard.get_message(timeout=1)
    assert json.loads(told["data"])["topics"] == ["job:job"]


@pytest.mark.parametrize(("ended", "tells"), [(Kind.FAILED, True), (Kind.SUCCEEDED, False)])
def test_pages_of_failures_hear_of_failures_only(
    database: Engine, broker: redis.Redis, ended: Kind, tells: bool
) -> None:
    recorder = Recorder()
    with broker.pubsub() as heard:
        heard.subscribe(outbox.LIVE_CHANNEL)
        assert heard.get_message(timeout=1)
        put(broker, *a_job("job", ended))
        recorder.record_once(STREAM)
        told = heard.get_message(timeout=1)
    assert ("failures" in json.loads(told["data"])["topics"]) is tells
