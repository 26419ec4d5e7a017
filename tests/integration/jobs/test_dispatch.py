"""Messages leave when, and only when, the transaction that made their jobs commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from console import db
from console.actor import SYSTEM
from console.errors import InvalidInput
from console.jobs import matching, service
from console.jobs.filters import JobFilter
from console.jobs.models import JobCount, JobStatus
from console.jobs.rules import State
from console.jobs.service import DispatchOptions
from tests.factories.jobs import GREET, make_job

pytestmark = pytest.mark.usefixtures("database")


class Undone(Exception):
    """What a test raises to roll back."""


def dispatch_twice_and_fail() -> None:
    with db.writing() as session:
        service.dispatch(session, SYSTEM, GREET, {})
        service.dispatch(session, SYSTEM, GREET, {})
        raise Undone


def test_several_dispatches_of_one_transaction_leave_together(broker: redis.Redis) -> None:
    with db.writing() as session:
        for _ in range(3):
            service.dispatch(session, SYSTEM, GREET, {})
            assert broker.llen("default") == 0
    assert broker.llen("default") == 3


def test_what_is_rolled_back_never_leaves(broker: redis.Redis) -> None:
    with pytest.raises(Undone):
        dispatch_twice_and_fail()
    assert broker.llen("default") == 0
    with db.reading() as session:
        assert session.query(JobStatus).count() == 0


def test_a_published_job_needs_no_sweeping(broker: redis.Redis) -> None:
    with db.writing() as session:
        [job_id] = service.dispatch(session, SYSTEM, GREET, {})
    with db.reading() as session:
        assert session.get_one(JobStatus, job_id).due_at is None


def test_one_job_holds_a_unique_key_however_many_ask_at_once(broker: redis.Redis) -> None:
    def dispatch(_: int) -> str:
        with db.writing() as session:
            return service.dispatch(session, SYSTEM, GREET, {}, DispatchOptions(unique_key="k"))[0]

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(dispatch, range(16)))
    assert len(ids) == 1
    assert broker.llen("default") == 1


def test_a_payload_that_does_not_fit_makes_nothing(broker: redis.Redis) -> None:
    with db.writing() as session, pytest.raises(InvalidInput) as refused:
        service.dispatch(session, SYSTEM, GREET, {"times": 0})
    assert refused.value.errors[0]["field"] == "payload.times"


@pytest.fixture
def counts() -> Iterator[dict[tuple[str, str], int]]:
    """Filled with the counts of (queue, state) that the test left behind, and compared with the jobs themselves."""
    expected: dict[tuple[str, str], int] = {}
    yield expected
    with db.reading() as session:
        found: Counter[tuple[str, str]] = Counter()
        for row in session.query(JobCount):
            found[row.queue, row.state] += row.n
    assert {key: n for key, n in found.items() if n} == expected


def test_cancelling_many_keeps_the_counts(broker: redis.Redis, counts: dict[tuple[str, str], int]) -> None:
    with db.writing() as session:
        for queue in ("a", "b"):
            for state in (State.PENDING, State.SCHEDULED, State.PROCESSING):
                make_job(session, state, queue=queue)
    with db.writing() as session:
        assert len(matching.cancel_matching(session, SYSTEM, JobFilter())) == 4
    counts |= {(queue, state): n for queue in ("a", "b") for state, n in (("CANCELLED", 2), ("PROCESSING", 1))}


def test_retrying_many_keeps_the_counts(broker: redis.Redis, counts: dict[tuple[str, str], int]) -> None:
    with db.writing() as session:
        for queue in ("a", "a", "b"):
            make_job(session, State.RETRYABLE, queue=queue)
    with db.writing() as session:
        assert len(matching.retry_matching(session, SYSTEM, JobFilter(), limit=2)) == 2
        assert matching.retry_matching(session, SYSTEM, JobFilter(states=(State.COMPLETED,))) == []
        assert len(matching.retry_matching(session, SYSTEM, JobFilter())) == 1
        assert matching.retry_matching(session, SYSTEM, JobFilter()) == []
    counts |= {("a", "FAILED"): 2, ("a", "PENDING"): 2, ("b", "FAILED"): 1, ("b", "PENDING"): 1}


def test_two_bulk_retries_at_once_retry_each_job_once(broker: redis.Redis) -> None:
    with db.writing() as session:
        for _ in range(200):
            make_job(session)

    def retry(_: int) -> int:
        done = 0
        while True:
            with db.writing() as session:
                moved = matching.retry_matching(session, SYSTEM, JobFilter(), limit=20)
            done += len(moved)
            if not moved:
                return done

    with ThreadPoolExecutor(3) as pool:
        total = sum(pool.map(retry, range(3)))
    assert total == 200
    assert broker.llen("default") == 200
