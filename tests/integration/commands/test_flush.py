"""`celeriac flush`"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import func, select

from console import db
from console.audit.models import AuditEntry
from console.jobs.models import JobAttempt, JobLog, JobStatus
from console.jobs.rules import State
from tests.factories.logs import make_log
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def left() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(JobStatus.id)))


def test_deletes_failed_jobs_with_their_attempts(celeriac: Celeriac, job: Job) -> None:
    make_log(job(), 1, "it goes")
    job(State.FAILED)
    kept = {job(State.COMPLETED), job(State.PENDING), job(State.RETRYING)}
    for one in kept:
        make_log(one, 1, "it stays")
    assert celeriac("flush", "--yes").stdout == "Deleted 2 failed jobs.\n"
    assert left() == kept
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(JobAttempt)) == 0
        assert set(session.scalars(select(JobLog.job_id))) == kept
        assert session.scalars(select(AuditEntry.action)).all() == ["jobs.flush"]


def test_filters(celeriac: Celeriac, job: Job) -> None:
    job(queue="emails", error_message="Timeout")
    kept = {job(queue="emails"), job(error_message="Timeout")}
    assert celeriac.json("flush", "--queue", "emails", "--text", "timeout", "--yes") == {"count": 1}
    assert left() == kept


def test_a_script_has_to_say_yes(celeriac: Celeriac, job: Job) -> None:
    job_id = job()
    assert "--yes" in celeriac("flush", exit_code=2).stderr
    assert left() == {job_id}


def test_nothing_to_delete_is_no_error(celeriac: Celeriac, job: Job) -> None:
    assert celeriac("flush", "--yes").stdout == "Deleted 0 failed jobs.\n"
