"""What happens to events when nobody records them: the stream and the spool keep to their limits, and count."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from console import clock
from console.tracking import bounds, spool
from console.tracking.events import STREAM_PREFIX, Event, Kind, unpack
from console.tracking.shipper import READ_BYTES, Shipper
from console.tracking.tracker import Tracker

STREAM = f"{STREAM_PREFIX}0"
MIB = bounds.MIB
BURST = 1_000
ENDS = (Kind.SUCCEEDED, Kind.FAILED)
NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture
def make(broker: redis.Redis, valkey_server: Any, tmp_path: Path) -> Iterator[Callable[..., Tracker]]:
    made: list[Tracker] = []

    def tracker(url: str = valkey_server.url, **limits: float) -> Tracker:
        made.append(Tracker(url, tmp_path / "spool", **limits))
        return made[-1]

    yield tracker
    for one in made:
        one.stop()


def emit(tracker: Tracker, kind: Kind, first: int, count: int = BURST) -> None:
    for number in range(first, first + count):
        tracker.emit(Event(kind, f"job-{number:06}", clock.now_ms(), data={"type": "shop.pack", "worker": "w@shop"}))


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    limit = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < limit
        time.sleep(0.02)


def record(broker: redis.Redis, last_id: str = "0-0") -> tuple[list[Event], str]:
    """Takes what is in the stream away, as a recorder does."""
    found: list[Event] = []
    for entry_id, values in broker.xrange(STREAM, min=f"({last_id}"):
        found += unpack(values[b"b"])
        last_id = entry_id.decode()
    broker.xtrim(STREAM, maxlen=0, approximate=False)
    return found, last_id


def held(broker: redis.Redis) -> int:
    return int(broker.memory_usage(STREAM, samples=0) or 0)


def test_a_stream_keeps_to_its_limit_and_the_rest_waits(make: Callable[..., Tracker], broker: redis.Redis) -> None:
    limit = 0.25
    tracker = make(stream_limit_mb=limit)
    kinds = (Kind.PUBLISHED, Kind.STARTED, Kind.SUCCEEDED)
    most = 0
    for first in range(0, 4 * BURST, BURST):
        for kind in kinds:
            emit(tracker, kind, first)
            time.sleep(0.15)  # a round of shipping
            most = max(most, held(broker))
    shipper = tracker._shipper
    assert shipper is not None
    assert shipper.waiting_bytes() > 0
    assert bounds.SHED_FROM * limit * MIB < max(most, held(broker)) <= 1.05 * limit * MIB
    found, last_id = record(broker)

    def more() -> bool:
        nonlocal last_id
        events, last_id = record(broker, last_id)
        found.extend(events)
        return len(found) >= len(kinds) * 4 * BURST and shipper.waiting_bytes() == 0 and broker.xlen(STREAM) == 0

    wait_for(more)
    seen = Counter((event.kind, event.job_id) for event in found)
    assert set(seen.values()) == {1}
    assert Counter(kind for kind, _ in seen) == dict.fromkeys(kinds, 4 * BURST)
    assert not shipper.given_up


def test_of_a_nearly_full_stream_only_progress_is_left_out_and_counted(
    make: Callable[..., Tracker], broker: redis.Redis
) -> None:
    broker.xadd(STREAM, {"b": b"", "filler": b"x" * int(0.85 * 0.25 * MIB)})
    tracker = make(stream_limit_mb=0.25)
    for kind in (Kind.PUBLISHED, Kind.PROGRESS, Kind.SUCCEEDED):
        emit(tracker, kind, 0, 100)
    shipper = tracker._shipper
    assert shipper is not None
    wait_for(lambda: broker.xlen(STREAM) > 1 and not shipper.waiting_bytes())
    kinds = Counter(event.kind for event in record(broker)[0])
    assert kinds == {Kind.PUBLISHED: 100, Kind.SUCCEEDED: 100}
    assert shipper.given_up == {"progress": 100}


def test_log_lines_are_the_first_to_be_left_out_and_are_counted(
    make: Callable[..., Tracker], broker: redis.Redis
) -> None:
    broker.xadd(STREAM, {"b": b"", "filler": b"x" * int(0.7 * 0.25 * MIB)})
    tracker = make(stream_limit_mb=0.25)
    for kind in (Kind.LOGGED, Kind.PROGRESS, Kind.SUCCEEDED):
        emit(tracker, kind, 0, 50)
    shipper = tracker._shipper
    assert shipper is not None
    wait_for(lambda: broker.xlen(STREAM) > 1 and not shipper.waiting_bytes())
    assert Counter(event.kind for event in record(broker)[0]) == {Kind.PROGRESS: 50, Kind.SUCCEEDED: 50}
    assert shipper.given_up == {"logged": 50}


def test_a_worker_tells_that_it_lives_and_what_it_gave_up_while_its_stream_is_full(
    make: Callable[..., Tracker], broker: redis.Redis
) -> None:
    broker.xadd(STREAM, {"b": b"x" * 300_000})
    tracker = make(stream_limit_mb=0.25)
    tracker.begin_worker("w@shop", 2, ["celery"])
    emit(tracker, Kind.SUCCEEDED, 0, 100)

    def beats() -> list[Event]:
        blocks = [values[b"b"] for _, values in broker.xrange(STREAM)][1:]
        return [event for block in blocks for event in unpack(block)]

    wait_for(lambda: any(event.data["spooled_bytes"] for event in beats()))
    assert {event.kind for event in beats()} == {Kind.HEARTBEAT}
    assert beats()[-1].data["dropped"] == 0


def test_a_spool_keeps_to_its_limit_drops_in_order_and_counts(make: Callable[..., Tracker], tmp_path: Path) -> None:
    limit = 0.25
    tracker = make(NOBODY, spool_limit_mb=limit)
    sent: Counter[Kind] = Counter()
    for first in range(0, 8 * BURST, BURST):
        for kind in (Kind.PUBLISHED, Kind.LOGGED, Kind.PROGRESS, Kind.STARTED, Kind.SUCCEEDED):
            emit(tracker, kind, first, BURST // 4)
            sent[kind] += BURST // 4
    writer = tracker._writer
    assert writer is not None
    [directory] = [path for path in (tmp_path / "spool").iterdir() if path.is_dir()]
    kept = Counter(event.kind for path in spool.files(directory) for event in unpack(path.read_bytes()))
    dropped = writer.drops.by_kind()
    assert {kind: kept[kind] + dropped[kind.name.lower()] for kind in sent} == dict(sent)
    assert kept[Kind.SUCCEEDED] == sent[Kind.SUCCEEDED]
    assert dropped["logged"] > dropped["progress"] >= dropped["published"] > 0
    assert bounds.drops_in(directory) == dropped
    beginnings = [
        event.pack() for path in spool.files(directory) for event in unpack(path.read_bytes()) if event.kind not in ENDS
    ]
    assert sum(map(len, beginnings)) < limit * MIB


def test_a_directory_of_a_dead_process_stays_until_all_of_it_is_shipped(
    broker: redis.Redis, valkey_server: Any, tmp_path: Path
) -> None:
    dead = spool.Directory(tmp_path)
    writer = spool.Writer(dead.path)
    for number in range(3 * BURST):
        writer.write(Event(Kind.SUCCEEDED, f"job-{number}", clock.now_ms()).pack(), Kind.SUCCEEDED)
    dead.leave()  # its lock is free, as after a kill
    shipper = Shipper(valkey_server.url, tmp_path, None, 1, stream_limit_mb=0.03)
    shipper.adopt()
    assert dead.path.is_dir()
    found, last_id = record(broker)
    assert 0 < len(found) < 3 * BURST

    def more() -> bool:
        nonlocal last_id
        shipper.adopt()
        events, last_id = record(broker, last_id)
        found.extend(events)
        return not dead.path.is_dir()

    wait_for(more, 60)
    assert Counter(event.job_id for event in found) == Counter(f"job-{number}" for number in range(3 * BURST))


def test_an_event_longer_than_what_is_read_at_once_is_shipped(
    make: Callable[..., Tracker], broker: redis.Redis
) -> None:
    tracker = make()
    tracker.emit(Event(Kind.PUBLISHED, "large", clock.now_ms(), data={"payload": "x" * (READ_BYTES + 10)}))
    emit(tracker, Kind.SUCCEEDED, 0, 1)
    wait_for(lambda: broker.xlen(STREAM) > 0)
    assert [event.job_id for event in record(broker)[0]] == ["large", "job-000000"]


def test_a_process_that_ends_leaves_nothing_that_would_be_shipped_twice(
    make: Callable[..., Tracker], broker: redis.Redis, tmp_path: Path
) -> None:
    tracker = make()
    emit(tracker, Kind.SUCCEEDED, 0)
    tracker.stop()
    assert len(record(broker)[0]) == BURST
    assert list((tmp_path / "spool").iterdir()) == []
