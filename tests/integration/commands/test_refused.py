"""Events that could not be stored: shown with the reason, put back, dropped."""

from __future__ import annotations

import pytest
import redis
from sqlalchemy import Engine

from console.jobs import refused
from console.tracking.events import STREAM_PREFIX, Event, Kind, unpack
from tests.integration.commands.conftest import Celeriac

MADE = [Event(Kind.SUCCEEDED, f"job-{n}", 1_767_225_600_000 + n, data={"runtime_ms": 5}) for n in range(3)]


@pytest.fixture(autouse=True)
def put_aside(database: Engine, broker: redis.Redis) -> None:
    for event in MADE:
        refused.put_aside(broker, event, "value too long for a name")


def test_they_are_listed_with_what_was_wrong(celeriac: Celeriac) -> None:
    listed = celeriac.json("refused", "--limit", "2")["data"]
    assert [(one["kind"], one["job_id"], one["why"]) for one in listed] == [
        ("succeeded", "job-0", "value too long for a name"), ("succeeded", "job-1", "value too long for a name"),
    ]
    assert "job-2" in celeriac("refused").stdout


def test_replayed_ones_are_on_the_stream_again_and_no_longer_kept(celeriac: Celeriac, broker: redis.Redis) -> None:
    assert celeriac("refused", "--replay").stdout == "Put back 3 events.\n"
    on_stream = [event for _, values in broker.xrange(f"{STREAM_PREFIX}0") for event in unpack(values[b"b"])]
    assert on_stream == MADE
    assert celeriac("refused").stdout == "No event was refused.\n"
    assert celeriac.json("refused", "--replay") == {"count": 0}


def test_dropped_ones_are_gone(celeriac: Celeriac, broker: redis.Redis) -> None:
    assert celeriac.json("refused", "--drop") == {"count": 3}
    assert broker.xlen(refused.STREAM) == broker.xlen(f"{STREAM_PREFIX}0") == 0


def test_both_at_once_are_refused_and_lose_nothing(celeriac: Celeriac, broker: redis.Redis) -> None:
    celeriac("refused", "--drop", "--replay", exit_code=2)
    assert broker.xlen(refused.STREAM) == 3
