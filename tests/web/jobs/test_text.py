"""A text is looked for in the newest jobs that fit the rest; lists, counts and bulk actions mean the same ones."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest

from console import clock, db
from console.jobs import matching, queries
from console.jobs.filters import JobFilter
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.factories.actions import begin, work
from tests.web.actions.conftest import form_of
from tests.web.conftest import Browser, page, said

SCAN = 4


@pytest.fixture
def made(job: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Six failed mails, newest first, each after a completed one; of the failed, every second says "refused"."""
    monkeypatch.setattr(queries, "TEXT_SCAN", SCAN)
    now = clock.now()
    failed = []
    for n in range(6):
        at = now - timedelta(minutes=n)
        message = "refused" if n % 2 else "gone"
        failed.append(job(id=f"failed-{n}", queue="emails", enqueued_at=at, error_message=message))
        job(State.COMPLETED, queue="emails", enqueued_at=at + timedelta(seconds=1))
    return failed


def listed(browser: Browser, query: str) -> list[str]:
    return [str(row["id"]).removeprefix("job-") for row in page(browser.get(f"/jobs?{query}")).select("tr[id^=job-]")]


def state_of(job_id: str) -> str:
    with db.reading() as session:
        return session.get_one(JobStatus, job_id).state


def test_the_list_looks_at_the_newest_that_fit_the_rest(support: Browser, made: list[str]) -> None:
    query = "state=FAILED&queue=emails&text=refused"
    assert listed(support, query) == [made[1], made[3]]
    shown = said(support.get(f"/jobs?{query}"))
    assert "2 jobs of the newest 4" in shown
    assert "Search further back" in shown
    assert listed(support, "queue=emails&text=refused") == [made[1]], "without a state, completed ones count too"


def test_one_may_look_further_back(support: Browser, made: list[str]) -> None:
    shown = page(support.get("/jobs?state=FAILED&queue=emails&text=refused"))
    [further] = [link for link in shown.select("a") if link.get_text() == "Search further back"]
    assert listed(support, str(further["href"]).partition("?")[2]) == [made[5]]


def test_where_all_was_looked_at_nothing_is_said(support: Browser, made: list[str]) -> None:
    assert "of the newest" not in said(support.get("/jobs?state=FAILED&queue=default&text=refused"))


def test_the_action_is_done_to_what_was_counted(support: Browser, made: list[str], job: Callable[..., str]) -> None:
    query = "state=FAILED&queue=emails&text=refused"
    confirm = page(support.get(f"/actions/new?kind=retry&{query}"))
    assert "Retry 2 jobs?" in confirm.get_text()
    assert "in the newest 4 jobs that fit the rest" in " ".join(confirm.get_text(" ").split())
    later = job(queue="emails", error_message="refused", enqueued_at=clock.now() + timedelta(seconds=1))
    form = {str(field["name"]): str(field.get("value", "")) for field in confirm.select("main form input[name]")}
    form.pop("csrf_token")
    response = support.submit("/actions", **form)
    work()
    assert "Retried 2 jobs." in said(support.get(response.headers["Location"]))
    assert [state_of(job_id) for job_id in (*made, later)] == [
        "RETRYABLE", "FAILED", "RETRYABLE", "FAILED", "RETRYABLE", "RETRYABLE", "RETRYABLE",
    ]


def test_more_batches_do_not_reach_further_back(
    support: Browser, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "BATCH", 1)
    begin(wanted=JobFilter(queue="emails", text="refused"))
    work()
    assert [state_of(job_id) for job_id in made] == [
        "RETRYABLE", "FAILED", "RETRYABLE", "FAILED", "RETRYABLE", "RETRYABLE",
    ]


def test_a_state_it_is_not_possible_for(support: Browser, made: list[str]) -> None:
    assert "Retry 0 jobs?" in said(support.get("/actions/new?kind=retry&state=COMPLETED"))
    form = form_of(support, "kind=retry&state=COMPLETED")
    assert support.submit("/actions", **form).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert {state_of(job_id) for job_id in made} == {"RETRYABLE"}
