"""The pages of actions: all of them, and one with what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import redis

from console import db
from console.actions.rules import Kind
from console.jobs.rules import State
from console.presence import Presence
from tests.factories.actions import action, begin, work
from tests.web.conftest import Browser, page, said

Ask = Callable[..., str]


def test_an_empty_list_says_how_to_come_by_one(support: Browser) -> None:
    assert "No bulk action yet" in said(support.get("/actions"))


def test_the_list_says_who_what_which_and_how_it_went(support: Browser, job: Callable[..., str], ask: Ask) -> None:
    job(queue="emails")
    ask(support, "kind=retry&queue=emails&text=no+such", name="one of them")
    work()
    [row] = page(support.get("/actions")).select("tbody tr")
    shown = " ".join(row.get_text(" ").split())
    for words in ("Done", "one of them", "retry", "queue emails", "contains “no such”", "support@example.com", "Retried 1 job."):
        assert words in shown


def test_the_list_is_paged(support: Browser, app: object) -> None:
    made = [begin(name=f"number {n}") for n in range(53)]
    first = page(support.get("/actions"))
    assert len(first.select("tbody tr")) == 50
    [older] = [link for link in first.select("a") if "Older" in link.get_text()]
    second = page(support.get(str(older["href"])))
    shown = [str(row["id"]).removeprefix("action-") for row in (*first.select("tbody tr"), *second.select("tbody tr"))]
    assert shown == made[::-1]


def test_pause_go_on_and_stop(support: Browser, job: Callable[..., str]) -> None:
    job()
    made = begin(rate=0.5)
    for verb, state in (("pause", "paused"), ("resumption", "waiting"), ("stop", "stopped")):
        response = support.submit(f"/actions/{made}/{verb}")
        assert response.headers["Location"] == f"/actions/{made}"
        assert action(made).state == state
    shown = said(support.get(f"/actions/{made}"))
    assert "support@example.com stopped it." in shown
    support.submit(f"/actions/{made}/pause")
    assert "no longer allows to pause it" in said(support.get(f"/actions/{made}"))


def test_the_rate_changes_and_nonsense_does_not_change_it(support: Browser, job: Callable[..., str]) -> None:
    job()
    made = begin(rate=1)
    support.submit(f"/actions/{made}/rate", rate="90/min")
    assert action(made).rate == 1.5
    support.submit(f"/actions/{made}/rate", rate="as you like")
    assert "Write it like 50/s" in said(support.get(f"/actions/{made}"))
    assert action(made).rate == 1.5
    support.submit(f"/actions/{made}/rate", rate="")
    assert action(made).rate is None


def test_it_says_when_no_beat_lives(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    job()
    made = begin()
    assert "No beat runs" in said(support.get(f"/actions/{made}"))
    Presence("beat").say()
    assert "No beat runs" not in said(support.get(f"/actions/{made}"))


def test_failed_ones_of_its_jobs_come_first(support: Browser, app: object, job: Callable[..., str]) -> None:
    made = begin()
    for n in range(25):
        job(State.COMPLETED, action_id=made, id=f"good-{n}")
    job(action_id=made, id="bad", error_message="<script>alert(1)</script>")
    rows = page(support.get(f"/actions/{made}")).select("tr[id^=made-]")
    assert len(rows) == 20
    assert rows[0]["id"] == "made-bad"
    assert "25 completed" in said(support.get(f"/actions/{made}"))
    assert "<script>alert" not in support.get(f"/actions/{made}").text


def test_htmx_gets_the_part_that_changes(support: Browser, app: object) -> None:
    made = begin(Kind.RETRY)
    for address, root in ((f"/actions/{made}", "action"), ("/actions", "action-list")):
        shown = page(support.fragment(address))
        assert shown.select_one("html") is None
        assert shown.select_one(f"#{root}") is not None
        assert page(support.get(address)).select_one(f"[data-live] > #{root}") is not None


def test_one_that_is_not_there(support: Browser) -> None:
    assert support.get("/actions/nothing").status_code == HTTPStatus.NOT_FOUND
    assert support.submit("/actions/nothing/stop").status_code == HTTPStatus.NOT_FOUND


def test_a_page_learns_of_a_change(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    job()
    made = begin()
    with broker.pubsub() as told:
        told.subscribe("celeriac:live")
        told.get_message(timeout=1)
        work()
        message = told.get_message(timeout=1)
    assert message is not None and b'"actions"' in message["data"]
    with db.reading():
        assert action(made).state == "done"


def test_an_action_and_the_jobs_it_made_lead_to_each_other(support: Browser, job: Callable[..., str]) -> None:
    job()
    made = begin()
    work()
    [link] = page(support.get(f"/actions/{made}")).select("a[href*='action:']")
    [row] = page(support.get(str(link["href"]))).select("tr[id^=job-]")
    shown = page(support.get(f"/jobs/{str(row['id']).removeprefix('job-')}"))
    assert len(shown.select(f"dd a[href='/actions/{made}']")) == 1
