"""The list of jobs and its filter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from console import clock
from console.jobs.rules import State
from tests.web.conftest import Browser, page, said


def listed(response: TestResponse) -> list[str]:
    """Ids of the jobs in the list, from the top."""
    assert response.status_code == 200, response.text
    return [str(row["id"]).removeprefix("job-") for row in page(response).select("tr[id^=job-]")]


def total(response: TestResponse) -> str:
    found = page(response).select_one(".total")
    assert found is not None
    return found.get_text(strip=True)


def test_an_empty_list_says_so(support: Browser) -> None:
    response = support.get("/jobs")
    assert listed(response) == []


def test_newest_first(support: Browser, job: Callable[..., str]) -> None:
    now = clock.now()
    made = [job(enqueued_at=now - timedelta(minutes=minutes)) for minutes in (3, 1, 2)]
    assert listed(support.get("/jobs")) == [made[1], made[2], made[0]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"mail", "heavy", "waiting", "done"}),
        ("state=FAILED", {"mail", "heavy"}),
        ("state=failed", {"mail", "heavy"}),
        ("state=FAILED,PENDING", {"mail", "heavy", "waiting"}),
        ("state=RETRYABLE", {"heavy"}),
        ("state=COMPLETED", {"done"}),
        ("queue=emails", {"mail", "done"}),
        ("queue=emails&state=FAILED", {"mail"}),
        ("type=heavy.export", {"heavy"}),
        ("text=printer", {"heavy"}),
        ("text=waiting", {"waiting"}),
        ("text=100%25", set()),
        ("queue=nowhere", set()),
    ],
)
def test_the_filter(support: Browser, job: Callable[..., str], query: str, expected: set[str]) -> None:
    job(State.FAILED, id="mail", queue="emails", payload=None)
    job(State.RETRYABLE, id="heavy", queue="heavy", type="heavy.export", error_message="the printer is jammed")
    job(State.PENDING, id="waiting")
    job(State.COMPLETED, id="done", queue="emails")
    response = support.get(f"/jobs?{query}")
    assert set(listed(response)) == expected
    assert total(response) == f"{len(expected)} {'job' if len(expected) == 1 else 'jobs'}"


def test_a_stretch_of_time(support: Browser, job: Callable[..., str]) -> None:
    now = clock.now()
    old, new = job(enqueued_at=now - timedelta(hours=2)), job(enqueued_at=now - timedelta(minutes=5))
    an_hour_ago = quote((now - timedelta(hours=1)).isoformat())
    assert listed(support.get(f"/jobs?after={an_hour_ago}")) == [new]
    assert listed(support.get(f"/jobs?before={an_hour_ago}")) == [old]


def test_pages_follow_each_other_without_gap_or_repetition(support: Browser, job: Callable[..., str]) -> None:
    at = clock.now() - timedelta(minutes=1)
    made = {job(State.COMPLETED, enqueued_at=at, queue="emails") for _ in range(53)}
    job(State.COMPLETED, queue="default")
    first = support.get("/jobs?queue=emails")
    following = page(first).select_one("a[rel=next]")
    assert following is not None
    second = support.get(str(following["href"]))
    assert len(listed(first)) == 50
    assert sorted(listed(first) + listed(second)) == sorted(made)


def test_htmx_gets_the_list_alone(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    response = support.fragment("/jobs")
    assert listed(response) == [made]
    assert page(response).select_one("html") is None


def test_going_back_in_the_history_gets_the_whole_page(support: Browser) -> None:
    response = support.get("/jobs", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert page(response).select_one("html") is not None


def test_what_jobs_say_is_no_markup(support: Browser, job: Callable[..., str]) -> None:
    job(error_message="<script>alert(1)</script>", type="<b>bold</b>")
    response = support.get("/jobs")
    assert "<script>alert" not in response.text
    assert "<b>bold" not in response.text
    assert "<script>alert(1)</script>" in said(response)


def test_how_many_came_since(support: Browser, job: Callable[..., str]) -> None:
    from console.jobs.filters import Cursor

    now = clock.now()
    top = job(enqueued_at=now - timedelta(minutes=3))
    cursor = Cursor(now - timedelta(minutes=3), top).encode()
    assert support.get(f"/jobs/newer?top={cursor}").json == {"count": 0}
    job(enqueued_at=now)
    job(enqueued_at=now, queue="emails")
    assert support.get(f"/jobs/newer?top={cursor}").json == {"count": 2}
    assert support.get(f"/jobs/newer?queue=emails&top={cursor}").json == {"count": 1}
