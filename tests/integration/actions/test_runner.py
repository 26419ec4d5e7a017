"""Actions as a beat works on them, on both databases: exactly once, paced, stopped, undone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from sqlalchemy import func, select, update

from console import clock, db
from console.actions import service, steps
from console.actions.models import BulkAction
from console.actions.queries import ends_of, made_by_state
from console.actions.rules import ActionState, Kind
from console.actions.runner import Runner
from console.actor import SYSTEM
from console.audit.models import AuditEntry
from console.errors import Conflict, InvalidInput
from console.jobs import matching
from console.jobs.filters import JobFilter
from console.jobs.models import JobAttempt, JobCount, JobLog, JobStatus, flushed_attempt, flushed_job, flushed_log
from console.jobs.rules import State
from console.jobs.tally import Tally
from console.upkeep import retention
from tests.factories.actions import action, begin, work
from tests.factories.jobs import make_job
from tests.factories.logs import make_log

pytestmark = pytest.mark.usefixtures("database", "broker")


def jobs(n: int, state: State = State.RETRYABLE, **columns: Any) -> list[str]:
    with db.writing() as session:
        return [make_job(session, state, **columns).id for _ in range(n)]


def counted() -> dict[tuple[str, str], int]:
    """What the counts say, which has to be what the rows say."""
    with db.reading() as session:
        query = select(JobCount.queue, JobCount.state, func.sum(JobCount.n)).group_by(JobCount.queue, JobCount.state)
        said = {(queue, state): int(n) for queue, state, n in session.execute(query) if n}
        rows = Counter((row[0], row[1]) for row in session.execute(select(JobStatus.queue, JobStatus.state)))
    assert said == rows
    return said


def finish(state: State, of: str, limit: int = 10_000) -> None:
    """The jobs that an action made, and that have not ended, end so."""
    with db.writing() as session:
        ids = session.scalars(
            select(JobStatus.id).where(JobStatus.action_id == of, JobStatus.state == State.PENDING).limit(limit)
        ).all()
        rows = session.scalars(select(JobStatus).where(JobStatus.id.in_(ids))).all()
        tally = Tally()
        for row in rows:
            tally.moved((row.type, row.queue, row.state), (row.type, row.queue, state))
            row.state = state
        session.flush()
        tally.write(session)


def retries() -> Counter[str]:
    """How often each job was retried."""
    with db.reading() as session:
        return Counter(session.scalars(select(JobStatus.retry_of).where(JobStatus.retry_of.is_not(None))))


def test_all_that_match_are_retried_and_sent_once(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "BATCH", 3)
    mails, others = jobs(10, queue="emails"), jobs(2)
    made = begin(wanted=JobFilter(queue="emails"))
    assert (action(made).state, action(made).estimate, action(made).estimate_is_exact) == ("waiting", 10, True)
    work()
    done = action(made)
    assert (done.state, done.done, done.percent, done.outcome) == ("done", 10, 100, "Retried 10 jobs.")
    assert retries() == Counter(mails)
    assert broker.llen("emails") == 10
    with db.reading() as session:
        assert made_by_state(session, made) == {State.PENDING: 10}
        [entry] = session.scalars(select(AuditEntry).where(AuditEntry.action == "jobs.retry"))
        assert '"count": 10' in entry.detail
        assert session.get_one(JobStatus, others[0]).state == State.RETRYABLE
    counted()


def test_jobs_that_come_later_are_not_meant() -> None:
    jobs(1)
    made = begin()
    later = jobs(1, enqueued_at=clock.now() + timedelta(seconds=1))
    work()
    assert action(made).done == 1
    assert later[0] not in retries()


def test_a_state_that_it_is_not_possible_for_is_refused() -> None:
    with pytest.raises(InvalidInput, match="chosen states"):
        begin(wanted=JobFilter((State.COMPLETED,)))


@pytest.mark.parametrize(
    "plan",
    [
        {"rate": 0.0}, {"rate": float("nan")}, {"rate": 1e9}, {"trial": -1}, {"trial": 1_000_000},
        {"pass_percent": 0}, {"pass_percent": 101}, {"stop_percent": 100}, {"trial_wait_s": 0},
        {"name": "two\nlines"}, {"name": "x" * 201}, {"kind": Kind.CANCEL, "trial": 5},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(plan: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        begin(**plan)


def test_two_beats_at_once_do_each_job_once(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "BATCH", 5)
    wanted = jobs(100)
    made = [begin(), begin()]  # and asked for twice as well
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    while any(action(one).is_open for one in made):
        work()
    assert retries() == Counter(wanted)
    assert sum(action(one).done for one in made) == 100
    assert broker.llen("default") == 100


def test_what_a_dead_beat_left_another_takes_over_when_the_lease_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = jobs(20)
    made = begin(rate=10)
    dead = Runner()
    work(runner=dead, until=lambda: action(made).done > 0)
    heir = Runner()
    heir.work()
    assert heir._held == {}, "the lease still holds"
    with db.writing() as session:
        session.execute(update(BulkAction).values(lease_until=clock.now() - timedelta(seconds=1), rate=None))
    work(runner=heir, until=lambda: not action(made).is_open)
    dead.work()  # it comes to itself, and has nothing left to do
    assert dead._held == {}
    assert retries() == Counter(wanted)
    assert action(made).done == 20


def test_a_batch_that_fails_leaves_nothing_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and progress are one transaction."""
    wanted = jobs(4)
    made = begin()
    monkeypatch.setattr(steps, "record_many", lambda *_, **__: 1 / 0)
    work()
    failed = action(made)
    assert (failed.state, failed.done) == ("failed", 0)
    assert "ZeroDivisionError" in failed.outcome
    assert retries() == Counter()
    monkeypatch.undo()
    with db.writing() as session:
        service.resume_action(session, SYSTEM, made)
    work()
    assert (action(made).state, retries()) == ("done", Counter(wanted))


def test_it_keeps_to_its_rate() -> None:
    jobs(40)
    made = begin(rate=40)
    began = clock.monotonic()
    work()
    assert 0.4 <= clock.monotonic() - began <= 3
    assert action(made).done == 40


def test_pause_rate_resume_and_stop_take_effect_at_once() -> None:
    jobs(400)
    made = begin(rate=20)
    runner = Runner()
    work(runner=runner, until=lambda: action(made).done > 0)
    with db.writing() as session:
        service.pause_action(session, SYSTEM, made)
    at = action(made).done
    for _ in range(20):
        runner.work()
        time.sleep(0.05)
    assert (action(made).state, action(made).done) == ("paused", at)
    with db.writing() as session:
        service.resume_action(session, SYSTEM, made)
        service.set_rate(session, SYSTEM, made, 100)
    began = clock.monotonic()
    work(runner=runner, until=lambda: action(made).done >= at + 100)
    assert clock.monotonic() - began < 4
    with db.writing() as session:
        service.stop_action(session, SYSTEM, made)
    at = action(made).done
    for _ in range(20):
        runner.work()
        time.sleep(0.05)
    assert (action(made).state, action(made).done) == ("stopped", at)
    with pytest.raises(Conflict), db.writing() as session:
        service.resume_action(session, SYSTEM, made)
    assert len(retries()) == at


def test_a_trial_that_succeeds_is_followed_by_the_rest() -> None:
    jobs(30)
    made = begin(trial=10, pass_percent=80)
    runner = Runner()
    work(runner=runner, until=lambda: action(made).trial_until is not None)
    finish(State.COMPLETED, made, 7)
    time.sleep(1.1)
    runner.work()
    assert (action(made).state, action(made).done) == ("trying", 10)
    finish(State.COMPLETED, made, 1)
    work(runner=runner, until=lambda: not action(made).is_open)
    assert (action(made).state, action(made).done, action(made).tried) == ("done", 30, True)


def test_a_trial_that_fails_is_followed_by_nothing() -> None:
    jobs(30)
    made = begin(trial=10, pass_percent=80)
    runner = Runner()
    work(runner=runner, until=lambda: action(made).trial_until is not None)
    finish(State.RETRYABLE, made, 3)
    work(runner=runner, until=lambda: not runner._held)
    stopped = action(made)
    assert (stopped.state, stopped.done) == ("stopped", 10)
    assert stopped.outcome == "The trial failed: 0 of 10 succeeded, 3 failed. Nothing else was run."
    assert len(retries()) == 10


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_trial_that_takes_too_long_waits_for_a_person(*, goes_on: bool) -> None:
    jobs(30)
    made = begin(trial=10, trial_wait_s=1)
    work()
    assert (action(made).state, action(made).done) == ("undecided", 10)
    assert {"resume", "stop"} <= action(made).can
    with db.writing() as session:
        (service.resume_action if goes_on else service.stop_action)(session, SYSTEM, made)
    work()
    assert (action(made).state, action(made).done) == (("done", 30) if goes_on else ("stopped", 10))


def test_it_stops_itself_when_too_many_of_its_jobs_fail() -> None:
    jobs(500)
    made = begin(rate=40, stop_percent=20)
    runner = Runner()
    work(runner=runner, until=lambda: action(made).done >= 20)
    finish(State.RETRYABLE, made)
    work(runner=runner, until=lambda: not action(made).is_open)
    stopped = action(made)
    assert stopped.state == "stopped"
    assert "It stopped by itself" in stopped.outcome
    assert stopped.done < 150


def test_waiting_jobs_are_cancelled() -> None:
    jobs(5, State.PENDING)
    running = jobs(1, State.PROCESSING)
    made = begin(Kind.CANCEL)
    work()
    assert (action(made).done, action(made).outcome) == (5, "Cancelled 5 jobs.")
    assert counted() == {("default", "CANCELLED"): 5, ("default", "PROCESSING"): len(running)}


def everything(*tables: Any) -> list[Any]:
    with db.reading() as session:
        return [sorted(map(repr, session.execute(select(table)).mappings())) for table in tables]


def test_a_flush_is_undone_with_everything_that_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "BATCH", 3)
    talkative, *_ = jobs(7)
    jobs(2, State.FAILED, payload=None, retried_as="x"), jobs(1, State.COMPLETED)
    make_log(talkative, 1, "begins", "fails"), make_log(talkative, 9, "again", attempt=2, level=40)
    tables = (JobStatus.__table__, JobAttempt.__table__, JobLog.__table__)
    before, counts = everything(*tables), counted()
    made = begin(Kind.FLUSH)
    work()
    assert (action(made).outcome, counted()) == ("Deleted 9 jobs.", {("default", "COMPLETED"): 1})
    assert everything(JobAttempt.__table__, JobLog.__table__) == [[], []]
    with db.writing() as session:
        service.undo_action(session, SYSTEM, made)
    work()
    assert (action(made).state, action(made).outcome) == ("undone", "Undone: 9 of 9 jobs are back.")
    assert (everything(*tables), counted()) == (before, counts)
    assert everything(flushed_job, flushed_attempt, flushed_log) == [[], [], []]
    with pytest.raises(Conflict), db.writing() as session:
        service.undo_action(session, SYSTEM, made)


def test_what_was_heard_of_again_meanwhile_stays_as_it_is() -> None:
    gone = jobs(3)
    made = begin(Kind.FLUSH)
    work()
    with db.writing() as session:
        make_job(session, State.COMPLETED, id=gone[0])
    with db.writing() as session:
        service.undo_action(session, SYSTEM, made)
    work()
    assert action(made).outcome == "Undone: 2 of 3 jobs are back."
    assert counted() == {("default", "COMPLETED"): 1, ("default", "RETRYABLE"): 2}
    assert everything(flushed_job, flushed_attempt, flushed_log) == [[], [], []]


def test_only_for_the_stated_time(setting: Callable[[str, str], None]) -> None:
    setting("CELERIAC_UNDO_HOURS", "0.0001")
    jobs(3)
    made = begin(Kind.FLUSH)
    work()
    time.sleep(0.4)
    assert "undo" not in action(made).can
    with pytest.raises(Conflict, match="too late"), db.writing() as session:
        service.undo_action(session, SYSTEM, made)
    retention.run()
    assert len(everything(flushed_job)[0]) == 3, "upkeep leaves an hour more"
    with db.writing() as session:
        for table in (flushed_job, flushed_attempt, flushed_log):
            session.execute(table.update().values(kept_until=clock.now() - timedelta(seconds=1)))
    retention.run()
    assert everything(flushed_job, flushed_attempt, flushed_log) == [[], [], []]


def test_a_retry_cannot_be_undone() -> None:
    jobs(1)
    made = begin()
    work()
    with pytest.raises(Conflict, match="cannot be undone"), db.writing() as session:
        service.undo_action(session, SYSTEM, made)


def test_jobs_that_cannot_be_sent_are_counted_as_refused() -> None:
    jobs(2), jobs(1, message='{"broken": true}')
    made = begin()
    work()
    with db.reading() as session:
        assert ends_of(session, made, action(made).done).open == action(made).done
    assert action(made).done + action(made).refused == 3


def test_everything_people_do_is_written_down() -> None:
    jobs(5)
    made = begin(rate=1)
    with db.writing() as session:
        service.pause_action(session, SYSTEM, made)
        service.resume_action(session, SYSTEM, made)
        service.set_rate(session, SYSTEM, made, 5)
        service.stop_action(session, SYSTEM, made)
    with db.reading() as session:
        done = session.scalars(select(AuditEntry.action).where(AuditEntry.target_id == made).order_by(AuditEntry.id))
        assert list(done) == [f"actions.{verb}" for verb in ("create", "pause", "resume", "rate", "stop")]
    assert action(made).state is ActionState.STOPPED
