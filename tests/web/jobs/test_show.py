"""The page of one job."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from console import db
from console.actor import Actor
from console.audit.queries import entries_of
from console.jobs import lineage
from console.jobs.filters import JobFilter
from console.jobs.rules import State
from tests.factories.actions import begin, work
from tests.web.conftest import Browser, address, page, said


@pytest.mark.parametrize("state", list(State))
def test_each_state_has_its_page(support: Browser, job: Callable[..., str], state: State) -> None:
    made = job(state)
    response = support.get(f"/jobs/{made}")
    assert response.status_code == 200
    assert made in response.text


def test_it_says_why_it_failed(support: Browser, job: Callable[..., str]) -> None:
    shown = said(support.get(f"/jobs/{job()}"))
    assert "ValueError" in shown
    assert "no such name" in shown


def test_ids_of_other_applications(support: Browser, job: Callable[..., str]) -> None:
    job(id="order:2026/11/24 Ä?#1")
    assert support.get("/jobs/order:2026/11/24%20%C3%84%3F%231").status_code == 200


def test_a_payload_is_no_markup(support: Browser, job: Callable[..., str]) -> None:
    made = job(payload=json.dumps({"args": ["<img src=x onerror=alert(1)>"], "kwargs": {}}))
    assert page(support.get(f"/jobs/{made}")).select("img[onerror]") == []


def test_htmx_gets_the_job_alone(support: Browser, job: Callable[..., str]) -> None:
    response = support.fragment(f"/jobs/{job()}")
    assert response.status_code == 200
    assert page(response).select_one("html") is None


def test_it_says_who_did_something(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.PENDING)
    support.submit(f"/jobs/{made}/cancellation")
    audit = page(support.fragment(f"/jobs/{made}")).get_text(" ")
    assert address("support") in audit


def test_it_leads_to_what_started_it_and_what_it_started(support: Browser, job: Callable[..., str]) -> None:
    first = job(State.COMPLETED, id="first")
    parent = job(State.COMPLETED, id="parent", parent_id="first", root_id="first")
    children = [job(State.PENDING, id=f"child-{n}", parent_id=parent, root_id=first) for n in range(2)]
    job(State.COMPLETED, id="other")
    shown = page(support.get(f"/jobs/{parent}"))
    links = [str(link["href"]) for link in shown.select("#lineage a")]
    assert links == ["/jobs/first", *(f"/jobs/{child}" for child in children)]
    links = [str(link["href"]) for link in page(support.get("/jobs/child-0")).select("#lineage a")]
    assert links == ["/jobs/first", "/jobs/parent"]
    assert page(support.get("/jobs/other")).select("#lineage") == []


def test_a_group_says_how_many_it_has_and_what_it_leads_to(support: Browser, job: Callable[..., str]) -> None:
    body = job(State.PENDING, id="body")
    for number in range(3):
        job(State.COMPLETED, id=f"member-{number}", group_id="group", chord_id=body)
    member = page(support.get("/jobs/member-0")).select_one("#lineage")
    assert member is not None
    assert [str(link["href"]) for link in member.select("a")] == ["/jobs/body"]
    assert "3 jobs; when all are done, the job above runs" in member.get_text()
    awaiting = page(support.get("/jobs/body")).select_one("#lineage")
    assert awaiting is not None
    assert "a group of 3 jobs: it runs when all are done" in awaiting.get_text()


def test_a_parent_that_is_not_stored_is_named(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.COMPLETED, parent_id="0199c2f1-gone")
    lineage = page(support.get(f"/jobs/{made}")).select_one("#lineage")
    assert lineage is not None
    assert lineage.select("a") == []
    assert "0199c2f1-gone" in lineage.get_text()


def test_more_children_than_are_shown(support: Browser, job: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "SHOWN", 2)
    parent = job(State.COMPLETED)
    for _ in range(3):
        job(State.COMPLETED, parent_id=parent)
    found = page(support.get(f"/jobs/{parent}")).select_one("#lineage")
    assert found is not None
    assert len(found.select("a")) == 2
    assert "and more" in found.get_text()


def test_the_original_and_its_retry_lead_to_each_other(support: Browser, job: Callable[..., str]) -> None:
    old = job()
    new = support.submit(f"/jobs/{old}/retry").headers["Location"].removeprefix("/jobs/")
    for shown, other in ((old, new), (new, old)):
        links = [str(link["href"]) for link in page(support.get(f"/jobs/{shown}")).select("#lineage a")]
        assert links == [f"/jobs/{other}"]


def test_it_says_who_did_something_to_many_at_once(support: Browser, job: Callable[..., str]) -> None:
    made = [job(queue="emails"), job(queue="emails"), job()]
    begin(wanted=JobFilter(queue="emails"), actor=Actor(address("support"), "support"))
    work()
    for job_id in made[:2]:
        audit = " ".join(page(support.get(f"/jobs/{job_id}")).select("section[aria-labelledby=audit-title]")[0].get_text(" ").split())
        assert f"Retried {address('support')}, along with 1 other" in audit
    assert page(support.get(f"/jobs/{made[2]}")).select("section[aria-labelledby=audit-title]") == []
    with db.reading() as session:
        [entry] = entries_of(session, "job", made[0])
    assert entry.detail["count"] == 2
    assert entry.detail["filter"].items() >= {"state": ["RETRYABLE"], "queue": "emails"}.items()
