"""Jobs whose whole run fell into a gap."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from console import clock, db
from console.broker.observed import Depths
from console.jobs import store
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.observe.memory import Attempt, Known, Memory
from console.observe.models import ObservedGap
from console.observe.recall import recall
from console.observe.unheard import CERTAIN_AFTER_S, Unheard, Waiting, waiting_since_a_gap
from console.tracking.events import Event, Kind
from tests.factories.jobs import make_job

EMPTY = Depths({"celery": 0, "other": 4}, 0)
WAITING = Waiting("it", "celery", 0, 0, 1_000)


@pytest.fixture
def unheard(database: Engine) -> Unheard:
    return Unheard("shop", Memory(recall))


def gap(ended_s_ago: float, source: str = "shop") -> None:
    to_at = clock.now() - timedelta(seconds=ended_s_ago)
    with db.writing() as session:
        session.add(
            ObservedGap(id=f"{source}{ended_s_ago}", source=source, from_at=to_at - timedelta(minutes=1), to_at=to_at, reason="connection")
        )


def found() -> list[str]:
    with db.reading() as session:
        return [job.id for job in waiting_since_a_gap(session, "shop")]


def test_those_that_waited_when_the_latest_gap_ended_a_minute_ago(database: Engine) -> None:
    def sent(job_id: str, s_ago: float, source: str | None = "shop", state: State = State.PENDING) -> None:
        with db.writing() as session:
            make_job(session, state, id=job_id, source=source, enqueued_at=clock.now() - timedelta(seconds=s_ago))

    sent("before", 200)
    sent("after", 80)
    sent("retrying", 300, state=State.RETRYING)
    sent("running", 200, state=State.PROCESSING)
    sent("of nobody", 200, source=None)
    sent("of another", 200, source="store")
    assert found() == []
    gap(10, "store")
    gap(30)
    assert found() == []
    gap(90)
    assert found() == ["retrying", "before"]


def test_it_ends_once_nothing_has_spoken_against_it_for_a_while(unheard: Unheard) -> None:
    assert unheard.ends([WAITING], EMPTY, frozenset(), 0) == []
    [event] = unheard.ends([WAITING], EMPTY, frozenset(), CERTAIN_AFTER_S)
    assert (event.kind, event.job_id, event.data["reason"]) == (Kind.CANCELLED, "it", "end_unseen")


@pytest.mark.parametrize(
    ("depths", "held"),
    [
        (Depths({"celery": 1}, 0), frozenset()),
        (Depths({"other": 0}, 0), frozenset()),
        (Depths({"celery": 0}, 1), frozenset()),
        (Depths({"celery": 0}, None), None),
        (EMPTY, frozenset({"it"})),
    ],
    ids=["in its queue", "queue not known", "held unseen", "not all answered", "at a worker"],
)
def test_what_speaks_against_it(
    unheard: Unheard, depths: Depths, held: frozenset[str] | None
) -> None:
    unheard.ends([WAITING], EMPTY, frozenset(), 0)
    assert unheard.ends([WAITING], depths, held, CERTAIN_AFTER_S) == []
    assert unheard.ends([WAITING], EMPTY, frozenset(), 2 * CERTAIN_AFTER_S - 1) == []


def test_one_that_was_heard_to_begin_is_let_be(database: Engine) -> None:
    running = Known(open=[Attempt(0, 0, "shop/w@host", 2.0, running=True)])
    unheard = Unheard("shop", Memory(lambda _id: running))
    unheard.ends([WAITING], EMPTY, frozenset(), 0)
    assert unheard.ends([WAITING], EMPTY, frozenset(), CERTAIN_AFTER_S) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0)])
def test_a_real_end_wins_whenever_it_comes(
    database: Engine, unheard: Unheard, order: tuple[int, ...]
) -> None:
    at_ms = clock.now_ms()
    job = Waiting("it", "celery", 0, 0, at_ms)
    unheard.ends([job], EMPTY, frozenset(), 0)
    [unseen] = unheard.ends([job], EMPTY, frozenset(), CERTAIN_AFTER_S)
    sent = Event(Kind.PUBLISHED, "it", at_ms, data={"type": "shop.noop", "queue": "celery", "source": "shop"})
    done = Event(Kind.SUCCEEDED, "it", at_ms + 5, data={"runtime_ms": 3})
    events = [sent, unseen, done]
    for number in order:
        with db.writing() as session:
            store.store_events(session.connection(), [events[number]])
    with db.reading() as session:
        row = session.get_one(JobStatus, "it")
        assert (row.state, row.reason) == (State.COMPLETED, None)
