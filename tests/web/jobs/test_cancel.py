"""Cancelling jobs from pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console import db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.web.conftest import Browser, said


def state_of(job_id: str) -> str:
    with db.reading() as session:
        return session.get_one(JobStatus, job_id).state


@pytest.mark.parametrize("state", [State.PENDING, State.SCHEDULED, State.RETRYING])
def test_a_waiting_job(support: Browser, job: Callable[..., str], state: State) -> None:
    made = job(state)
    response = support.submit(f"/jobs/{made}/cancellation")
    assert response.headers["Location"] == f"/jobs/{made}"
    assert state_of(made) == State.CANCELLED
    assert "It is cancelled." in said(support.get(f"/jobs/{made}"))


def test_a_running_job_is_stopped_by_its_worker(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.PROCESSING)
    support.submit(f"/jobs/{made}/cancellation")
    assert "Its worker was told to stop it." in said(support.get(f"/jobs/{made}"))


def test_what_has_ended_stays_as_it_is(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.COMPLETED)
    assert support.submit(f"/jobs/{made}/cancellation").headers["Location"] == f"/jobs/{made}"
    assert state_of(made) == State.COMPLETED


def test_the_selected_ones(support: Browser, job: Callable[..., str]) -> None:
    mails, other = [job(State.PENDING), job(State.SCHEDULED)], job(State.PENDING)
    response = support.submit("/jobs/cancellations", id=mails)
    assert "Cancelled 2 jobs." in said(support.get(response.headers["Location"]))
    assert [state_of(made) for made in (*mails, other)] == ["CANCELLED", "CANCELLED", "PENDING"]
