"""Retrying jobs from pages: one, some, all that match."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import pytest
import redis
from sqlalchemy import func, select

from console import db
from console.audit.models import AuditEntry
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.web.conftest import Browser, address, said


def retries_of(job_id: str) -> list[JobStatus]:
    with db.reading() as session:
        return list(session.scalars(select(JobStatus).where(JobStatus.retry_of == job_id)))


def how_many() -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(JobStatus)) or 0


def test_one_leads_to_the_new_job(support: Browser, job: Callable[..., str]) -> None:
    failed = job()
    response = support.submit(f"/jobs/{failed}/retry")
    (new,) = retries_of(failed)
    assert (response.status_code, response.headers["Location"]) == (HTTPStatus.SEE_OTHER, f"/jobs/{new.id}")
    assert new.state == State.PENDING
    assert "It runs again as this new job." in said(support.get(response.headers["Location"]))


def test_the_new_job_is_sent(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    support.submit(f"/jobs/{job()}/retry")
    assert broker.llen("default") == 1


def test_it_is_written_down(support: Browser, job: Callable[..., str]) -> None:
    failed = job()
    support.submit(f"/jobs/{failed}/retry")
    with db.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "jobs.retry")).first()
    assert entry is not None
    assert (entry.actor, entry.target_id) == (address("support"), failed)


@pytest.mark.parametrize("state", [State.PENDING, State.PROCESSING, State.COMPLETED, State.CANCELLED])
def test_what_did_not_fail_is_let_be(support: Browser, job: Callable[..., str], state: State) -> None:
    made = job(state)
    response = support.submit(f"/jobs/{made}/retry")
    assert response.headers["Location"] == f"/jobs/{made}"
    assert retries_of(made) == []
    assert how_many() == 1


def test_twice_makes_one(support: Browser, job: Callable[..., str]) -> None:
    failed = job()
    support.submit(f"/jobs/{failed}/retry")
    support.submit(f"/jobs/{failed}/retry")
    assert len(retries_of(failed)) == 1


def test_a_user_is_refused(browser_of: Callable[[str], Browser], job: Callable[..., str]) -> None:
    failed = job()
    assert browser_of("user").submit(f"/jobs/{failed}/retry").status_code == HTTPStatus.FORBIDDEN
    assert retries_of(failed) == []


def test_the_selected_ones(support: Browser, job: Callable[..., str]) -> None:
    picked, other, waiting = [job(), job()], job(), job(State.PENDING)
    response = support.submit("/jobs/retries", id=[*picked, waiting, "no-such-job"])
    assert [len(retries_of(job_id)) for job_id in (*picked, other, waiting)] == [1, 1, 0, 0]
    told = said(support.get(response.headers["Location"]))
    assert "Retried 2 jobs." in told
    assert "2 jobs could not be retried." in told


@pytest.mark.parametrize("action", ["retries", "cancellations"])
def test_an_empty_selection_does_not_mean_all(support: Browser, job: Callable[..., str], action: str) -> None:
    job_id, waiting = job(), job(State.PENDING)
    response = support.submit(f"/jobs/{action}")
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    with db.reading() as session:
        states = [session.get_one(JobStatus, known).state for known in (job_id, waiting)]
    assert states == [State.RETRYABLE, State.PENDING]
