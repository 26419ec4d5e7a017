"""Removing what is kept no longer, on both databases."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select

from console import clock, db, ids
from console.access.idempotency import IdempotencyKey
from console.actor import SYSTEM
from console.audit.models import AuditEntry, AuditTarget
from console.audit.service import record, record_many
from console.config import settings
from console.jobs import retention as of_jobs
from console.jobs import store
from console.jobs.models import JobAttempt, JobCount, JobLog, JobRollup, JobStatus
from console.jobs.rules import State
from console.jobs.tally import Tally
from console.observe.models import ObservedGap
from console.tracking.events import Event, Kind
from console.upkeep import retention
from tests.factories import actions
from tests.factories.jobs import make_job
from tests.factories.logs import make_log

ENDED = (State.COMPLETED, State.FAILED, State.RETRYABLE, State.CANCELLED)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LONGEST_PAUSE_S", 0.0)


def made(state: State, days: float, **columns: Any) -> str:
    """A job that was enqueued, and has ended, so many days ago."""
    at = clock.now() - timedelta(days=days)
    ended = {"finished_at": columns.pop("finished_at", at + timedelta(seconds=3))} if state in ENDED else {}
    with db.writing() as session:
        return make_job(session, state, enqueued_at=at, **ended, **columns).id


def left() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(JobStatus.id)))


def removed_jobs(done: retention.Run) -> dict[tuple[str, str], int]:
    """Of the jobs' own rollups, old as they are, some go as well."""
    return {(what, kind): n for (what, kind), n in done.removed.items() if what.isupper()}


def prune() -> dict[tuple[str, str], int]:
    done = retention.run()
    assert done.finished
    return removed_jobs(done)


def counted() -> dict[tuple[str, str, str], int]:
    """What the counts say."""
    with db.reading() as session:
        rows = session.execute(
            select(JobCount.type, JobCount.queue, JobCount.state, func.sum(JobCount.n))
            .group_by(JobCount.type, JobCount.queue, JobCount.state)
            .having(func.sum(JobCount.n) != 0)
        )
        return {(row[0], row[1], row[2]): int(row[3]) for row in rows}


def there() -> dict[tuple[str, str, str], int]:
    """What the rows say."""
    with db.reading() as session:
        return dict(
            Counter(tuple(row) for row in session.execute(select(JobStatus.type, JobStatus.queue, JobStatus.state)))
        )


def test_what_has_ended_goes_by_its_age_and_what_has_not_stays(database: Engine) -> None:
    old = {State.COMPLETED: 8, State.FAILED: 91, State.RETRYABLE: 91, State.CANCELLED: 31}
    for state, days in old.items():
        made(state, days)
    kept = {made(state, days - 2) for state, days in old.items()}
    kept |= {made(state, 1_000) for state in State if state not in ENDED}
    for one in left():
        make_log(one, 1, "a line")
    assert prune() == {(state, "tests.greet"): 1 for state in old}
    assert left() == kept
    assert counted() == there()
    with db.reading() as session:
        assert set(session.scalars(select(JobAttempt.job_id))) <= kept
        assert set(session.scalars(select(JobLog.job_id))) == kept
    assert prune() == {}


def test_a_job_is_kept_from_its_end_on_however_long_it_was_planned_ahead(database: Engine) -> None:
    kept = made(State.COMPLETED, 60, finished_at=clock.now() - timedelta(days=1))
    made(State.COMPLETED, 61, finished_at=clock.now() - timedelta(days=8))
    made(State.COMPLETED, 59, finished_at=clock.now() - timedelta(days=8))
    assert sum(prune().values()) == 2
    assert left() == {kept}


def test_types_may_have_days_of_their_own(database: Engine, setting: Callable[[str, str], None]) -> None:
    setting("CELERIAC_KEEP_TYPES", "shop.noop=COMPLETED:0.1,shop.pay=COMPLETED:inf")
    made(State.COMPLETED, 1, type="shop.noop")
    made(State.COMPLETED, 8)
    kept = {
        made(State.COMPLETED, 400, type="shop.pay"),
        made(State.COMPLETED, 1),
        made(State.FAILED, 1, type="shop.noop"),
    }
    assert prune() == {("COMPLETED", "shop.noop"): 1, ("COMPLETED", "tests.greet"): 1}
    assert left() == kept
    assert counted() == there()


def test_it_takes_batches_oldest_first_and_may_be_interrupted(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (of_jobs, retention):
        monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(of_jobs.list_old, "__defaults__", (4,))
    by_age = [made(State.COMPLETED, 100 - n) for n in range(10)]
    kept = made(State.COMPLETED, 1)
    first = retention.run(until=clock.monotonic())
    assert (first.finished, first.removed.total()) == (False, 4)
    assert left() == {*by_age[4:], kept}
    assert counted() == there()
    assert sum(prune().values()) == 6
    assert left() == {kept}


def test_more_than_a_batch_of_one_instant_goes(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    monkeypatch.setattr(of_jobs.list_old, "__defaults__", (3,))
    at = clock.now() - timedelta(days=20)
    with db.writing() as session:
        for _ in range(10):
            make_job(session, State.COMPLETED, enqueued_at=at)
    assert sum(prune().values()) == 10


def test_rows_that_somebody_holds_are_let_be_without_waiting(postgresql_database: Engine) -> None:
    held, free = made(State.COMPLETED, 9), made(State.COMPLETED, 8)
    with postgresql_database.begin() as other:
        other.execute(select(JobStatus.id).where(JobStatus.id == held).with_for_update())
        assert sum(prune().values()) == 1
        assert left() == {held}
    assert free not in left()
    assert sum(prune().values()) == 1
    assert counted() == {}


def test_two_at_once_remove_each_job_once(database: Engine) -> None:
    with db.writing() as session:
        for _ in range(300):
            make_job(session, State.COMPLETED, enqueued_at=clock.now() - timedelta(days=9))
    runs: list[retention.Run] = []
    both = [threading.Thread(target=lambda: runs.append(retention.run())) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(30)
    retention.run()  # what each let be because the other held it
    assert left() == set()
    assert counted() == {}


def test_a_job_that_changed_meanwhile_is_left_alone(database: Engine) -> None:
    job_id = made(State.COMPLETED, 9)
    with db.writing() as session:
        session.get_one(JobStatus, job_id).state = State.PROCESSING
    with db.writing() as session:
        of = of_jobs.Slice(State.COMPLETED, clock.now())
        assert of_jobs.delete_jobs(session, of, [job_id]) == {}
    assert left() == {job_id}


def test_while_it_removes_events_are_stored(database: Engine) -> None:
    """A recorder waits for one batch at most, and what it stores stays."""
    with db.writing() as session:
        session.execute(insert(JobStatus), [_old(n) for n in range(5_000)])
        tally = Tally()
        for _ in range(5_000):
            tally.moved(None, ("t", "q", "COMPLETED"))
        tally.write(session)
    runs: list[retention.Run] = []
    remover = threading.Thread(target=lambda: runs.append(retention.run()))
    remover.start()
    stored = []
    for _ in range(50):
        job_id = ids.new_id()
        with db.engine().connect().execution_options(write=True) as connection, connection.begin():
            data = {"type": "t", "queue": "q"}
            store.store_events(connection, [Event(Kind.PUBLISHED, job_id, clock.now_ms(), 0, 0, data)], 0)
        stored.append(job_id)
    remover.join(60)
    assert removed_jobs(runs[0]) == {("COMPLETED", "t"): 5_000}
    assert left() == set(stored)
    assert counted() == {("t", "q", "PENDING"): 50}


def _old(number: int) -> dict[str, Any]:
    at = clock.now() - timedelta(days=9, milliseconds=number)
    return {
        "id": ids.new_id(),
        "type": "t",
        "queue": "q",
        "state": "COMPLETED",
        "enqueued_at": at,
        "finished_at": at,
        "attempts": 1,
        "internal": False,
        "run": 0,
        "ver": 1,
        "sver": 1,
        "fver": 1,
        "pver": 0,
        "timeline": "[]",
    }


def test_the_files_of_a_job_go_with_it(database: Engine) -> None:
    old, new = made(State.COMPLETED, 8), made(State.COMPLETED, 1)
    for job_id in (old, new):
        (settings().results_dir / job_id).mkdir(parents=True)
        (settings().results_dir / job_id / "jobs.csv").write_text("id")
    retention.run()
    assert [folder.name for folder in settings().results_dir.iterdir()] == [new]


def test_rollups_keys_and_gaps_go_by_their_age(database: Engine) -> None:
    now = clock.now()
    tally = Tally()
    for days in (0, 7, 9, 99, 101, 399, 402):
        tally.enqueued(clock.to_ms(now - timedelta(days=days)), "t", "q")
    with db.writing() as session:
        tally.write(session)
        for hours in (1, 25):
            session.add(
                IdempotencyKey(
                    owner="o",
                    key=f"k{hours}",
                    request_hash="h",
                    created_at=now - timedelta(hours=hours),
                    complete=True,
                    status=200,
                    answer="",
                )
            )
        for days in (399, 401):
            at = now - timedelta(days=days)
            session.add(ObservedGap(id=ids.new_id(), source="s", from_at=at, to_at=at, reason="down"))
    removed = retention.run().removed
    assert removed == {
        ("minute rollups", ""): 10,
        ("hour rollups", ""): 6,
        ("day rollups", ""): 2,
        ("idempotency keys", ""): 1,
        ("gaps", ""): 1,
    }
    with db.reading() as session:
        rows = session.execute(select(JobRollup.grain, func.count()).group_by(JobRollup.grain)).all()
    assert {row[0]: row[1] for row in rows} == {"minute": 4, "hour": 8, "day": 12, "total": 2}


def test_the_audit_log_stays_unless_a_setting_says_otherwise(
    database: Engine, setting: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    with db.writing() as session:
        record(session, SYSTEM, "jobs.retry", "job", "a")
        record_many(session, SYSTEM, "jobs.retry", [f"job-{n}" for n in range(7)])
    retention.run()
    assert entries() == (2, 7)
    setting("CELERIAC_KEEP_AUDIT_DAYS", "1")
    retention.run()
    assert entries() == (2, 7)
    setting("CELERIAC_KEEP_AUDIT_DAYS", "0.0000001")
    threading.Event().wait(0.05)
    retention.run()
    assert entries() == (0, 0)


def test_past_bulk_actions_go_with_the_audit_log_but_not_what_can_be_undone(
    sqlite_database: Engine, broker: object, setting: Callable[[str, str], None]
) -> None:
    from console.actions.models import BulkAction

    old, later = clock.now() - timedelta(days=9), clock.now() + timedelta(hours=1)
    begun = [actions.begin() for _ in range(4)]
    for action_id, ended_at, undo_until in zip(begun, (old, old, old, None), (None, old, later, None), strict=True):
        with db.writing() as session:
            row = session.get_one(BulkAction, action_id)
            row.created_at, row.ended_at, row.undo_until = old, ended_at, undo_until

    def left() -> list[str]:
        with db.reading() as session:
            return list(session.scalars(select(BulkAction.id).order_by(BulkAction.id)))

    retention.run()
    assert left() == sorted(begun)
    setting("CELERIAC_KEEP_AUDIT_DAYS", "7")
    retention.run()
    assert left() == sorted(begun[2:])


def entries() -> tuple[int, int]:
    with db.reading() as session:
        counts = [session.scalar(select(func.count()).select_from(kind)) for kind in (AuditEntry, AuditTarget)]
    return counts[0] or 0, counts[1] or 0
