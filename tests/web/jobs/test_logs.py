"""What a job logged, on its page and on one of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from console import clock, db
from console.jobs.models import JobLog
from console.jobs.rules import State
from console.tracking.events import USAGE_KEY
from tests.factories.logs import make_log
from tests.web.conftest import Browser, page, said


def shown(browser: Browser, path: str) -> list[str]:
    return [" ".join(item.get_text(" ").split()) for item in page(browser.get(path)).select("#log-lines > li")]


def test_lines_are_shown_in_order_with_their_level(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    make_log(made, 1, "one", "two")
    make_log(made, 3, "gone wrong", level=40)
    found = shown(support, f"/jobs/{made}")
    assert found == [
        "22:13:20.001Z INFO shop.orders: one",
        "22:13:20.002Z INFO shop.orders: two",
        "22:13:20.003Z ERROR shop.orders: gone wrong",
    ]
    assert shown(support, f"/jobs/{made}?log_level=ERROR") == [found[2]]


def test_what_was_left_out_is_told(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    make_log(made, 1, "first")
    make_log(made, 1_000, "last")
    assert shown(support, f"/jobs/{made}")[1] == "998 lines were not kept"
    assert "it logged 1 000" in said(support.get(f"/jobs/{made}"))


def test_each_attempt_has_its_lines_and_the_latest_is_shown(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    make_log(made, 1, "at first")
    make_log(made, 1, "at last", attempt=2)
    assert "at last" in shown(support, f"/jobs/{made}")[0]
    first = page(support.get(f"/jobs/{made}")).select("nav[aria-label^=Attempts] a")[1]
    assert "at first" in shown(support, str(first["href"]))[0]


def test_the_page_of_a_job_has_the_end_and_leads_to_the_rest(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    for first in range(1, 500, 50):
        make_log(made, first, *(f"line {number}" for number in range(first, first + 50)))
    on_page = page(support.get(f"/jobs/{made}"))
    assert len(on_page.select("#log-lines > li")) == 100
    link = next(link for link in on_page.select("#log a") if link.get_text() == "Show all 500 lines")
    assert len(shown(support, str(link["href"]))) == 500
    text = support.get(f"/jobs/{made}/logs.txt?log_attempt=1.0")
    assert text.mimetype == "text/plain"
    assert len(text.text.splitlines()) == 500
    assert text.text.startswith("2023-11-14T22:13:20.001Z INFO shop.orders: line 1\n")


def test_lines_are_no_markup(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    make_log(made, 1, "<img src=x onerror=alert(1)>")
    assert page(support.get(f"/jobs/{made}")).select("img") == []


@pytest.mark.parametrize(
    ("state", "columns", "words"),
    [
        (State.PENDING, {}, "has not run yet"),
        (State.COMPLETED, {}, "It logged nothing"),
        (State.COMPLETED, {"source": "shop"}, "track(app)"),
    ],
)
def test_without_lines_it_says_how_to_get_some(
    support: Browser, job: Callable[..., str], state: State, columns: dict[str, Any], words: str
) -> None:
    panel = page(support.get(f"/jobs/{job(state, **columns)}")).select_one("#log")
    assert panel is not None
    assert words in panel.get_text()


@pytest.mark.parametrize("query", ["log_level=LOUD", "log_attempt=x", "log_attempt=1.0'--"])
def test_nonsense_in_the_address_is_refused_in_words(support: Browser, job: Callable[..., str], query: str) -> None:
    made = job()
    make_log(made, 1, "one")
    for path in (f"/jobs/{made}", f"/jobs/{made}/logs", f"/jobs/{made}/logs.txt"):
        assert support.get(f"{path}?{query}").status_code == 422


def test_lines_that_cannot_be_read_do_not_hide_the_job(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    with db.writing() as session:
        session.add(JobLog(job_id=made, attempt=1, run=0, seq=1, n=1, level=20, at=clock.now(), lines="[[1,2]]"))
    assert "cannot be read" in shown(support, f"/jobs/{made}")[0]


def test_ids_of_other_applications_have_logs(support: Browser, job: Callable[..., str]) -> None:
    made = job(id="order:2026/11/24 Ä?#1")
    make_log(made, 1, "one")
    assert support.get("/jobs/order:2026/11/24%20%C3%84%3F%231/logs").status_code == 200


def test_outsiders_and_end_users_see_none(browser_of: Callable[[str], Browser], job: Callable[..., str]) -> None:
    made = job()
    for path in (f"/jobs/{made}/logs", f"/jobs/{made}/logs.txt"):
        assert browser_of("outsider").get(path).status_code == 302
    user = browser_of("user")
    for path in (f"/jobs/{made}/logs", f"/jobs/{made}/logs.txt"):
        assert user.get(path).status_code == 403


def test_a_running_job_shows_what_it_uses(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    made = job(State.PROCESSING)
    told = {"memory": 200 << 20, "peak": 210 << 20, "cpu": 97.4, "shared": False, "pid": 42, "at_ms": clock.now_ms()}
    assert page(support.get(f"/jobs/{made}")).select_one("#usage") is None
    broker.set(USAGE_KEY.format(made), json.dumps(told))
    usage = page(support.get(f"/jobs/{made}")).select_one("#usage")
    assert usage is not None
    words = " ".join(usage.get_text(" ").split())
    assert "200 MB" in words
    assert "97 % of one core" in words
    broker.set(USAGE_KEY.format(made), b"\xff")
    assert page(support.get(f"/jobs/{made}")).select_one("#usage") is None
