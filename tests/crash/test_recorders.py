"""Recorders killed, stopped and fighting: the rows are those that all the events, each once and in order, would give."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine, func, select

from console import clock, db, ids
from console.config import DATABASE_FILE, settings
from console.embedded.valkey import Valkey
from console.jobs import rules
from console.jobs.models import JobAttempt, JobCount, JobRollup, JobStatus, StreamCheckpoint
from console.jobs.rules import Row, State
from console.tracking.events import STREAM_PREFIX, Event, Kind
from console.tracking.spool import stream_of
from tests.crash.conftest import wait_for

STREAMS = 4
JOBS = 4_000
DEATHS = 12
PAYLOAD = '{"args":[],"kwargs":{}}'


class Recorders:
    """Real `celeriac recorder` processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, file_limit: int | None = None) -> subprocess.Popen[bytes]:
        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit or resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        with (self._folder / "recorder.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "console", "recorder"], stdout=log, stderr=log, preexec_fn=limit
            )
        self.running.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()
        self.running.remove(process)

    def log(self) -> str:
        return (self._folder / "recorder.log").read_text()


@pytest.fixture
def recorders(
    broker: redis.Redis, setting: Callable[[str, str], None], tmp_path: Path
) -> Iterator[Recorders]:
    setting("CELERIAC_STREAMS", str(STREAMS))
    made = Recorders(tmp_path)
    yield made
    for process in made.running:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    for process in made.running:
        process.wait(20)


def lives(count: int) -> dict[str, list[Event]]:
    """Jobs that succeed, fail, and retry once or twice before."""
    begin = clock.now_ms()
    found: dict[str, list[Event]] = {}
    for number in range(count):
        job_id, at, events = ids.new_id(), begin + number, []
        about = {"type": f"a.{number % 7}", "queue": f"q{number % 3}", "payload": PAYLOAD}
        retries = number % 5 // 3
        for attempt in range(retries + 1):
            last = attempt == retries
            kind = Kind.RETRY if not last else Kind.FAILED if number % 10 == 0 else Kind.SUCCEEDED
            end = {"runtime_ms": number % 100, "error_type": "E", "error_message": "no", "due_ms": at + 9}
            if kind is Kind.SUCCEEDED:
                end = {"runtime_ms": number % 100}
            for step, data in ((Kind.PUBLISHED, about), (Kind.STARTED, about | {"worker": "w@h"}), (kind, end)):
                at += 3
                events.append(Event(step, job_id, at, 0, attempt, dict(data)))
        found[job_id] = events
    return found


def feed(broker: redis.Redis, events: list[Event]) -> None:
    """Each event into its job's stream, in blocks."""
    blocks: dict[int, list[bytes]] = {}
    for event in events:
        block = blocks.setdefault(stream_of(event.job_id, STREAMS), [])
        block.append(event.pack())
        if len(block) == 20:
            broker.xadd(f"{STREAM_PREFIX}{stream_of(event.job_id, STREAMS)}", {"b": b"".join(block)})
            block.clear()
    for stream, block in blocks.items():
        if block:
            broker.xadd(f"{STREAM_PREFIX}{stream}", {"b": b"".join(block)})


def expected(found: dict[str, list[Event]]) -> dict[str, tuple[object, ...]]:
    rows = {}
    for job_id, events in found.items():
        row = Row(job_id)
        for event in events:
            rules.apply(row, event)
        rules.settle(row)
        rows[job_id] = (row.state, row.attempts, row.started_at, row.finished_at, row.runtime_ms, row.timeline)
    return rows


def assert_exact(found: dict[str, list[Event]]) -> None:
    """Rows, counts, rollups and attempts, each against what the events say."""
    wanted = expected(found)
    table = JobStatus.__table__.c
    columns = (table.id, table.state, table.attempts, table.started_at, table.finished_at, table.runtime_ms, table.timeline)
    with db.reading() as session:
        stored = {}
        for job_id, state, attempts, started, finished, runtime, timeline in session.execute(select(*columns)):
            stored[job_id] = (state, attempts, clock.to_ms(started), clock.to_ms(finished), runtime, timeline)
        assert stored == wanted
        counts = Counter(State(row[0]) for row in wanted.values())  # type: ignore[arg-type]
        kept = session.execute(select(JobCount.state, func.sum(JobCount.n)).group_by(JobCount.state))
        assert {State(state): int(n) for state, n in kept if n} == dict(counts)
        for grain in ("minute", "hour", "day"):
            sums = session.execute(
                select(
                    func.sum(JobRollup.enqueued), func.sum(JobRollup.completed), func.sum(JobRollup.failed),
                    func.sum(JobRollup.retried), func.sum(JobRollup.runtime_ms),
                ).where(JobRollup.grain == grain, JobRollup.dimension == "type")
            ).one()
            failed = counts[State.RETRYABLE]
            retried = sum(event.kind is Kind.RETRY for events in found.values() for event in events)
            runtimes = sum(events[-1].data["runtime_ms"] for events in found.values())
            assert tuple(map(int, sums)) == (JOBS, JOBS - failed, failed, retried, runtimes), grain
        assert session.scalar(select(func.count()).select_from(JobAttempt)) == retried + failed


def nothing_waits(broker: redis.Redis) -> bool:
    return not any(broker.xlen(f"{STREAM_PREFIX}{number}") for number in range(STREAMS))


@pytest.mark.slow
def test_killed_stopped_and_fighting_over_shuffled_and_doubled_events(
    database: Engine, broker: redis.Redis, recorders: Recorders
) -> None:
    chance = random.Random(7)
    found = lives(JOBS)
    events = [event for life in found.values() for event in life]
    events += chance.choices(events, k=len(events) // 2)
    chance.shuffle(events)
    for _ in range(2):
        recorders.start()
    slices = [events[start::DEATHS] for start in range(DEATHS)]
    for part in slices:
        feed(broker, part)
        time.sleep(chance.uniform(0.02, 0.4))
        victim = chance.choice(recorders.running)
        if chance.random() < 0.3:  # stopped for so long that its leases end, it finds its streams written by another
            victim.send_signal(signal.SIGSTOP)
            broker.delete(*(f"celeriac:lease:{STREAM_PREFIX}{number}" for number in range(STREAMS)))
            time.sleep(0.3)
            victim.send_signal(signal.SIGCONT)
        else:
            recorders.kill(victim)
            recorders.start()
    wait_for(lambda: nothing_waits(broker), 90)
    wait_for(lambda: _stored(len(found)), 30)
    assert_exact(found)


@pytest.mark.slow
def test_the_whole_stream_again_changes_nothing(database: Engine, broker: redis.Redis, recorders: Recorders) -> None:
    found = lives(JOBS)
    events = [event for life in found.values() for event in life]
    recorders.start()
    for _ in range(2):
        feed(broker, events)
        wait_for(lambda: nothing_waits(broker), 60)
    assert_exact(found)


def test_a_full_disk_is_waited_out(sqlite_database: Engine, broker: redis.Redis, recorders: Recorders) -> None:
    found = lives(JOBS)
    limited = recorders.start(file_limit=(settings().data / DATABASE_FILE).stat().st_size + 200_000)
    feed(broker, [event for life in found.values() for event in life])
    wait_for(lambda: "nothing can be stored now" in recorders.log(), 30)
    assert limited.poll() is None
    recorders.kill(limited)
    recorders.start()
    wait_for(lambda: nothing_waits(broker), 60)
    assert_exact(found)


def test_recorders_share_the_streams_and_take_over(
    sqlite_database: Engine, broker: redis.Redis, recorders: Recorders, valkey_server: Valkey
) -> None:
    first, _second = recorders.start(), recorders.start()

    def holders() -> Counter[bytes]:
        leases = broker.mget(f"celeriac:lease:{STREAM_PREFIX}{number}" for number in range(STREAMS))
        return Counter(holder for holder in leases if holder)

    wait_for(lambda: sorted(holders().values()) == [2, 2], 20)
    recorders.kill(first)
    wait_for(lambda: list(holders().values()) == [4], 40)
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(StreamCheckpoint)) == STREAMS


def _stored(count: int) -> bool:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(JobStatus)) == count
