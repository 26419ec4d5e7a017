"""Failure groups as the recorder keeps them: each failure counts once, and what comes back is open again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import Engine, func, select, update

from console import clock, db
from console.access import service as access
from console.access.rules import Role
from console.actor import SYSTEM
from console.audit.models import AuditEntry
from console.errors import Conflict, InvalidInput, NotFound
from console.failures import queries, service
from console.failures.queries import GroupFilter
from console.failures.rules import GroupState, Ignore
from console.jobs import groups, store
from console.jobs.models import FailureGroup, FailureTally, JobRollup, JobStatus
from console.jobs.recorder import Recorder
from console.jobs.rules import State
from console.jobs.service import retry_job
from console.tracking.events import Event, Kind
from console.upkeep import fingerprints, retention
from tests.factories.failures import failure_events, record_failures, store_events
from tests.factories.jobs import make_job

STREAM = "celeriac:events:0"


def group_of(fingerprint: str) -> queries.GroupView:
    with db.reading() as session:
        return queries.get_group(session, fingerprint)


def do(verb: Callable[..., Any], *given: Any, **more: Any) -> None:
    with db.writing() as session:
        verb(session, SYSTEM, *given, **more)


def tallies() -> int:
    with db.reading() as session:
        return session.scalar(select(func.sum(FailureTally.n)).where(FailureTally.hour_at > groups.EVER)) or 0


def test_a_failure_counts_once_whatever_is_replayed(database: Engine, broker: redis.Redis) -> None:
    recorder = Recorder()
    blocks = []
    for n in range(20):
        error = "ValueError" if n % 2 else "KeyError"
        events = failure_events(f"job-{n}", clock.now_ms(), error=error, message=f"order {n} is wrong")
        blocks.append(b"".join(event.pack() for event in events))
    for _ in range(2):
        for block in blocks:
            broker.xadd(STREAM, {"b": block})
        recorder.record_once(STREAM)
    with db.reading() as session:
        found = queries.list_groups(session, GroupFilter()).groups
        failed = session.scalar(
            select(func.sum(JobRollup.failed)).where(JobRollup.grain == "hour", JobRollup.dimension == "type")
        )
    assert [(group.total, group.day, group.open.n) for group in found] == [(10, 10, 10)] * 2
    assert tallies() == failed == 20


def test_the_order_of_events_does_not_matter(database: Engine) -> None:
    events = failure_events("a", clock.now_ms(), message="order 1 is wrong")
    others = failure_events("b", clock.now_ms(), message="order 2 is wrong")
    store_events(events)
    for event in reversed(others):  # its type becomes known after it failed
        store_events([event])
    with db.writing() as session:
        assert groups.fill(session) in (0, 1)
    with db.reading() as session:
        first, second = (session.get_one(JobStatus, job_id).fingerprint for job_id in "ab")
    assert first == second is not None
    assert group_of(str(first)).total == 2


def test_a_job_that_does_well_in_the_end_has_no_fingerprint(database: Engine) -> None:
    at_ms = clock.now_ms()
    fingerprint = record_failures(at=clock.from_ms(at_ms))
    with db.reading() as session:
        [job_id] = session.scalars(select(JobStatus.id)).all()
    store_events([
        Event(Kind.STARTED, job_id, at_ms + 10, run=1, data={"worker": "w"}),
        Event(Kind.SUCCEEDED, job_id, at_ms + 20, run=1, data={"runtime_ms": 10}),
    ])
    with db.reading() as session:
        assert session.get_one(JobStatus, job_id).fingerprint is None
    assert (group_of(fingerprint).total, group_of(fingerprint).open.n) == (1, 0)


def test_an_attempt_that_is_tried_again_is_no_failure_yet(database: Engine) -> None:
    at_ms = clock.now_ms()
    events = failure_events("a", at_ms)
    events[-1].kind = Kind.RETRY
    store_events(events)
    with db.reading() as session:
        assert session.get_one(JobStatus, "a").fingerprint is None
        assert queries.list_groups(session, GroupFilter()).groups == []


def test_what_is_resolved_opens_by_itself_when_it_comes_back(database: Engine) -> None:
    fingerprint = record_failures()
    do(service.resolve_group, fingerprint)
    resolved_at = group_of(fingerprint).state_at
    assert resolved_at is not None
    record_failures(at=resolved_at - timedelta(seconds=5))  # heard of late: it was resolved with the others
    assert group_of(fingerprint).state is GroupState.RESOLVED
    record_failures(at=resolved_at + timedelta(days=3, minutes=1))
    group = group_of(fingerprint)
    assert (group.state, group.reopened_why) == (GroupState.OPEN, "came back after 3 days")
    with db.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "failures.reopen")).one()
    assert (entry.actor, entry.target_id) == ("celeriac", fingerprint)


@pytest.mark.parametrize(
    ("ignore", "quiet", "loud"),
    [(Ignore(more=3), 3, 1), (Ignore(rate=4), 3, 1)],  # at a rate, the one from before is of the same hour
)
def test_what_is_ignored_opens_by_itself_when_it_is_too_much(database: Engine, ignore: Ignore, quiet: int, loud: int) -> None:
    now = groups.hour_of(clock.now()) + timedelta(minutes=30)
    fingerprint = record_failures(at=now)
    do(service.ignore_group, fingerprint, ignore)
    with db.writing() as session:
        session.execute(update(FailureGroup).values(state_at=now))
    for n in range(quiet):
        record_failures(at=now + timedelta(seconds=n + 1))
    assert group_of(fingerprint).state is GroupState.IGNORED
    record_failures(loud, at=now + timedelta(seconds=10))
    group = group_of(fingerprint)
    assert group.state is GroupState.OPEN
    assert "more" in str(group.reopened_why)
    assert (group.ignore_left, group.ignore_rate) == (None, None)


def test_what_is_ignored_until_a_time_is_open_from_then_on(database: Engine) -> None:
    fingerprint = record_failures()
    do(service.ignore_group, fingerprint, Ignore(until=clock.now() + timedelta(hours=1)))
    with db.reading() as session:
        assert queries.count_by_state(session) == {GroupState.OPEN: 0, GroupState.RESOLVED: 0, GroupState.IGNORED: 1}
    with db.writing() as session:
        session.execute(update(FailureGroup).values(ignore_until=clock.now()))
    with db.reading() as session:
        assert queries.count_by_state(session)[GroupState.OPEN] == 1
        assert len(queries.list_groups(session, GroupFilter(GroupState.OPEN)).groups) == 1
        assert queries.list_groups(session, GroupFilter(GroupState.IGNORED)).groups == []


def test_who_saw_another_state_changes_nothing(database: Engine) -> None:
    fingerprint = record_failures()
    do(service.note_group, fingerprint, "first", expected=0)
    with pytest.raises(Conflict, match="changed meanwhile"):
        do(service.resolve_group, fingerprint, expected=0)
    do(service.resolve_group, fingerprint, expected=1)
    with pytest.raises(Conflict, match="resolved already"):
        do(service.resolve_group, fingerprint)
    with pytest.raises(NotFound):
        do(service.resolve_group, "0" * 16)


def test_only_who_may_see_it_can_be_assigned(database: Engine) -> None:
    fingerprint = record_failures()
    for role in (Role.SUPPORT, Role.USER):
        do(access.create_user, f"{role}@example.com", role, "correct horse battery")
    do(service.assign_group, fingerprint, "Support@example.com ")
    assert group_of(fingerprint).assignee == "support@example.com"
    for wrong in ("user@example.com", "nobody@example.com", "\0"):
        with pytest.raises(InvalidInput):
            do(service.assign_group, fingerprint, wrong)
    do(service.assign_group, fingerprint, "")
    assert group_of(fingerprint).assignee is None


def test_open_ones_are_right_after_a_retry_and_after_retention(database: Engine, broker: redis.Redis) -> None:
    fingerprint = record_failures(3, at=clock.now() - timedelta(days=200))
    record_failures(2)
    with db.reading() as session:
        newest = queries.latest_job(session, fingerprint)
    do(retry_job, newest)
    assert group_of(fingerprint).open.n == 4
    retention.run()
    group = group_of(fingerprint)
    assert (group.open.n, group.total) == (1, 5)
    assert tallies() == 2, "the hours of long ago are forgotten; the total stays"


def test_failures_from_before_are_compared_once(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "FILLED", 2)
    with db.writing() as session:
        for state in (State.FAILED, State.RETRYABLE, State.RETRYABLE, State.COMPLETED, State.PENDING):
            make_job(session, state)
    assert fingerprints.run(clock.monotonic() + 30) == (3, True)
    assert fingerprints.run(clock.monotonic() + 30) == (0, True)
    with db.reading() as session:
        [group] = queries.list_groups(session, GroupFilter()).groups
    assert (group.total, group.open.n, group.error_type) == (3, 3, "ValueError")


def test_recorders_side_by_side_do_not_lock_each_other_out(postgresql_database: Engine) -> None:
    names = "abcdefgh"
    known = [record_failures(error=f"Error{name}") for name in names]
    for fingerprint in known[::2]:
        do(service.ignore_group, fingerprint, Ignore(more=1_000))
    at = clock.now() + timedelta(hours=1)

    def record(round_: int, shard: int) -> None:
        for n in range(10):
            events = [
                event
                for name in names
                for event in failure_events(
                    f"{shard}-{round_}-{n}-{name}", clock.to_ms(at) + round_ * 60_000 + n * 2_000, error=f"Error{name}", message="order 1 was refused"
                )
            ]
            with db.engine().connect() as connection, connection.begin():
                store.store_events(connection, events, shard)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(record, round_, shard) for round_ in range(2) for shard in range(4)]:
            done.result(60)
    with db.reading() as session:
        found = {group.fingerprint: group for group in queries.list_groups(session, GroupFilter()).groups}
    assert {found[fingerprint].total for fingerprint in known} == {81}
    assert {found[fingerprint].ignore_left for fingerprint in known[::2]} == {1_000 - 80}
