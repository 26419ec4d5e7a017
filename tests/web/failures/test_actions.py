"""What is done with a failure group from its page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
import redis
from sqlalchemy import select

from console import clock, db
from console.audit.models import AuditEntry
from console.jobs.models import FailureGroup
from tests.web.conftest import Browser, address, page, said


def group(fingerprint: str) -> FailureGroup:
    with db.reading() as session:
        return session.get_one(FailureGroup, fingerprint)


def version(browser: Browser, fingerprint: str) -> str:
    """What a form of the page carries."""
    return str(page(browser.get(f"/failures/{fingerprint}")).select_one("input[name=version]")["value"])  # type: ignore[index]


def test_resolving_and_coming_back(support: Browser, fail: Callable[..., str]) -> None:
    known = fail()
    response = support.submit(f"/failures/{known}/resolution", version=version(support, known))
    assert (response.status_code, response.headers["Location"]) == (HTTPStatus.SEE_OTHER, f"/failures/{known}")
    shown = said(support.get(f"/failures/{known}"))
    assert f"Resolved by {address('support')}" in shown
    assert "No failure group is open." in said(support.get("/failures"))
    fail(at=clock.now() + timedelta(hours=2, minutes=1))
    assert "It came back after 2 hours" in said(support.get(f"/failures/{known}"))
    assert "came back after 2 hours" in said(support.get("/failures"))


def test_opening_again_by_hand(support: Browser, fail: Callable[..., str]) -> None:
    known = fail()
    support.submit(f"/failures/{known}/resolution")
    support.submit(f"/failures/{known}/reopening")
    assert group(known).state == "open"
    assert group(known).reopened_why is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"way": "until", "hours": "4"}, "until 2"), ({"way": "more", "more": "100"}, "for 100 more failures"),
        ({"way": "rate", "rate": "50"}, "while there are no more than 50 an hour"),
    ],
)
def test_ignoring(support: Browser, fail: Callable[..., str], fields: dict[str, str], words: str) -> None:
    known = fail()
    support.submit(f"/failures/{known}/ignoring", version=version(support, known), **fields)
    assert words in said(support.get(f"/failures/{known}"))
    assert words in said(support.get("/failures?state=ignored"))


@pytest.mark.parametrize(
    "fields",
    [{}, {"way": "until"}, {"way": "until", "until": "nonsense"}, {"way": "more", "more": "-1"}, {"way": "more", "more": "x"},
     {"way": "rate", "rate": ""}, {"way": "rate", "rate": "9" * 30}, {"way": "until", "until": "2001-01-01T00:00:00+00:00"}],
)
def test_nonsense_is_told_beside_the_field(support: Browser, fail: Callable[..., str], fields: dict[str, str]) -> None:
    known = fail()
    response = support.submit(f"/failures/{known}/ignoring", **fields)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert page(response).select_one("details[open] .field-error") is not None
    assert group(known).state == "open"


def test_a_note_a_runbook_and_a_person(support: Browser, fail: Callable[..., str]) -> None:
    known = fail()
    support.submit(f"/failures/{known}/note", note="Tell the bank. <b>Now</b>")
    support.submit(f"/failures/{known}/runbook", runbook="https://wiki.example.com/cards?a=1&b=2")
    support.submit(f"/failures/{known}/assignee", assignee=address("support"))
    shown = page(support.get(f"/failures/{known}"))
    assert shown.select_one("textarea").get_text() == "Tell the bank. <b>Now</b>"  # type: ignore[union-attr]
    link = shown.select_one("a[href='https://wiki.example.com/cards?a=1&b=2']")
    assert link is not None
    assert link["rel"] == ["noopener", "noreferrer"]
    assert address("support") in said(support.get("/failures?assignee=" + address("support")))
    with db.reading() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.target_kind == "failure_group")).all()
    assert {(entry.action, entry.actor, entry.target_id) for entry in entries} == {
        (action, address("support"), known) for action in ("failures.note", "failures.runbook", "failures.assign")
    }


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("runbook", {"runbook": "javascript:alert(1)"}), ("note", {"note": "x" * 10_001}),
        ("assignee", {"assignee": "user@example.com"}),
    ],
)
def test_what_does_not_fit_stays_to_be_put_right(
    support: Browser, fail: Callable[..., str], what: str, fields: dict[str, str]
) -> None:
    known = fail()
    response = support.submit(f"/failures/{known}/{what}", **fields)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert page(response).select_one(f"#{what}-error") is not None
    if what != "assignee":
        assert fields[what] in response.text
    assert (group(known).runbook, group(known).note, group(known).assignee) == (None, None, None)


def test_two_who_look_at_the_same_page(support: Browser, admin: Browser, fail: Callable[..., str]) -> None:
    known = fail()
    seen = version(support, known)
    admin.submit(f"/failures/{known}/note", version=seen, note="mine")
    refused = support.submit(f"/failures/{known}/note", version=seen, note="theirs")
    assert refused.status_code == HTTPStatus.CONFLICT
    assert "It was changed meanwhile" in said(refused) and "Kept now: mine" in said(refused)
    assert page(refused).select_one("#note").get_text() == "theirs", "what was written is not lost"  # type: ignore[union-attr]
    assert group(known).note == "mine"


def test_a_user_is_refused(browser_of: Callable[[str], Browser], fail: Callable[..., str]) -> None:
    known = fail()
    user = browser_of("user")
    for what in ("resolution", "reopening", "ignoring", "note", "runbook", "assignee"):
        assert user.submit(f"/failures/{known}/{what}").status_code == HTTPStatus.FORBIDDEN
    assert user.get("/failures").status_code == HTTPStatus.FORBIDDEN
    assert group(known).ver == 0


def test_deploys_are_marked_and_unmarked(admin: Browser, support: Browser) -> None:
    assert "No deploy is marked yet" in said(support.get("/deploys"))
    assert page(support.get("/deploys")).select_one("main form") is None
    admin.submit("/deploys", version="1.4.2", note="cards")
    shown = page(support.get("/deploys"))
    assert "1.4.2" in shown.get_text()
    refused = admin.submit("/deploys", version="", note="kept")
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert page(refused).select_one("[name=note]")["value"] == "kept"  # type: ignore[index]
    form = page(admin.get("/deploys")).select_one("form[action$=removal]")
    assert form is not None
    admin.submit(str(form["action"]))
    assert "No deploy is marked yet" in said(support.get("/deploys"))


@pytest.mark.parametrize(
    ("what", "form"), [("resolution", {}), ("ignoring", {"way": "more", "more": "5"}), ("note", {"note": "known"}), ("assignee", {"assignee": ""})]
)
def test_open_pages_hear_of_it(
    support: Browser, fail: Callable[..., str], broker: redis.Redis, what: str, form: dict[str, str]
) -> None:
    known = fail()
    with broker.pubsub() as told:
        told.subscribe("celeriac:live")
        told.get_message(timeout=1)
        support.submit(f"/failures/{known}/{what}", version=version(support, known), **form)
        message = told.get_message(timeout=1)
    assert message is not None and json.loads(message["data"])["topics"] == ["failures"]
