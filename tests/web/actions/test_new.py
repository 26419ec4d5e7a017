"""The page that says what would be done, and begins it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest
from sqlalchemy import func, select

from console import clock, db
from console.actions.models import BulkAction
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.jobs.tally import Tally
from tests.factories.actions import action, work
from tests.web.actions.conftest import form_of
from tests.web.conftest import Browser, page, said

Ask = Callable[..., str]


def states() -> list[str]:
    with db.reading() as session:
        return sorted(session.scalars(select(JobStatus.state)))


def actions() -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(BulkAction)) or 0


def test_it_says_how_many_and_changes_nothing(support: Browser, job: Callable[..., str]) -> None:
    for queue in ("emails", "emails", "default"):
        job(queue=queue)
    job(State.PENDING, queue="emails")
    assert "Retry 2 jobs?" in said(support.get("/actions/new?kind=retry&queue=emails"))
    assert "Retry 0 jobs?" in said(support.get("/actions/new?kind=retry&queue=emails&state=PENDING"))
    assert "Cancel 1 job?" in said(support.get("/actions/new?kind=cancel&queue=emails"))
    assert (actions(), states()) == (0, ["PENDING", "RETRYABLE", "RETRYABLE", "RETRYABLE"])


def test_it_says_honestly_when_the_time_is_not_known(support: Browser, job: Callable[..., str]) -> None:
    with db.writing() as session:
        tally = Tally()
        tally.moved(None, ("tests.greet", "idle", "RETRYABLE"), 5)
        tally.write(session)
    shown = said(support.get("/actions/new?kind=retry&queue=idle"))
    assert "in the last 15 minutes no job of these queues has ended" in shown


def test_it_says_how_long_it_takes_as_things_go(support: Browser, job: Callable[..., str]) -> None:
    with db.writing() as session:
        tally, minute = Tally(), clock.to_ms(clock.now() - timedelta(minutes=2))
        for _ in range(120):
            tally.ended(State.COMPLETED, minute, "tests.greet", "emails", 10, 10)
        tally.moved(None, ("tests.greet", "emails", "RETRYABLE"), 480)
        tally.moved(None, ("tests.greet", "emails", "PENDING"), 240)
        tally.write(session)
    shown = said(support.get("/actions/new?kind=retry&queue=emails"))
    assert "Retry 480 jobs?" in shown
    assert "About 6 min , at the current rate of 2 a second, after 240 that wait before them." in shown  # (240 + 480) / 2
    assert "About 40 min , at 0.2 a second" in said(support.get("/actions/new?kind=retry&queue=emails&rate=12/min"))


def test_it_begins_one_for_all_that_match(support: Browser, job: Callable[..., str], ask: Ask) -> None:
    mails, other = [job(queue="emails") for _ in range(3)], job()
    made = ask(support, "kind=retry&queue=emails&state=FAILED", name="after the mail outage", rate="600/min")
    assert "after the mail outage" in said(support.get(f"/actions/{made}"))
    assert "Waiting" in said(support.get(f"/actions/{made}"))
    work()
    with db.reading() as session:
        assert [session.get_one(JobStatus, one).state for one in (*mails, other)] == [*["FAILED"] * 3, "RETRYABLE"]
    shown = said(support.get(f"/actions/{made}"))
    assert "Retried 3 jobs." in shown
    assert "3 wait for a worker" in shown
    assert action(made).rate == 10


def test_sent_twice_the_form_leads_to_the_same_one(support: Browser, job: Callable[..., str]) -> None:
    job()
    form = form_of(support, "kind=retry")
    first, second = support.submit("/actions", **form), support.submit("/actions", **form)
    assert first.headers["Location"] == second.headers["Location"]
    assert actions() == 1
    assert support.submit("/actions", **(form | {"name": "another"})).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert support.submit("/actions", **(form | {"key": ""})).status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert actions() == 1


def test_it_is_done_to_what_was_counted(support: Browser, job: Callable[..., str], ask: Ask) -> None:
    job()
    form = form_of(support, "kind=retry")
    later = job(enqueued_at=clock.now() + timedelta(milliseconds=50))
    support.submit("/actions", **form)
    work()
    with db.reading() as session:
        assert session.get_one(JobStatus, later).state == State.RETRYABLE


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ({"rate": "fast"}, "Write it like 50/s or 600/min"), ({"rate": "0"}, "Write it like 50/s"),
        ({"rate": "1e5"}, "Write it like 50/s"), ({"trial": "some"}, "Write a whole number."),
        ({"trial": "-3"}, "Write a whole number."), ({"trial": "99999"}, "Try between 1 and 2,000"),
        ({"pass_percent": "0"}, "Use 1 to 100 per cent."), ({"stop_percent": "100"}, "Use 1 to 99 per cent."),
        ({"trial_wait_s": "0"}, "Wait between 1 and"), ({"name": "x" * 201}, "at most 200 characters"),
        ({"rate": "٣"}, "Write it like 50/s"), ({"name": "nul \x00"}, "Use one line"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_beside_its_field(
    support: Browser, job: Callable[..., str], typed: dict[str, str], message: str
) -> None:
    job()
    response = support.submit("/actions", **(form_of(support, "kind=retry&queue=default") | typed))
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert message in said(response)
    [(name, value)] = typed.items()
    field = page(response).select_one(f"#{name}")
    assert field is not None and field["aria-invalid"] == "true"
    if "\x00" not in value:
        assert field["value"] == value, "what was typed is kept"
    assert actions() == 0


@pytest.mark.parametrize("kind", ["flush", "cancel"])
@pytest.mark.parametrize("word", ["", "yes", "flush it"])
def test_without_the_word_nothing_is_done(admin: Browser, job: Callable[..., str], kind: str, word: str) -> None:
    job(), job(State.PENDING)
    response = admin.submit("/actions", **(form_of(admin, f"kind={kind}") | {"confirm": word}))
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f"Nothing was done: type {kind} to confirm." in said(response)
    assert actions() == 0


def test_a_flush_deletes_those_that_failed_and_match_and_can_be_undone(
    admin: Browser, job: Callable[..., str], ask: Ask
) -> None:
    job(queue="emails"), job(State.FAILED, queue="emails", payload=None)
    job(), job(State.COMPLETED, queue="emails"), job(State.PENDING, queue="emails")
    before = states()
    made = ask(admin, "kind=flush&queue=emails", confirm=" Flush ")
    work()
    assert states() == ["COMPLETED", "PENDING", "RETRYABLE"]
    shown = page(admin.get(f"/actions/{made}"))
    assert "Deleted 2 jobs." in shown.get_text()
    assert shown.select_one(f"form[action='/actions/{made}/undo']") is not None
    admin.submit(f"/actions/{made}/undo")
    work()
    assert states() == before
    assert "Undone: 2 of 2 jobs are back." in said(admin.get(f"/actions/{made}"))


def test_support_may_not_flush_and_users_may_nothing(
    support: Browser, admin: Browser, browser_of: Callable[[str], Browser], job: Callable[..., str], ask: Ask
) -> None:
    job()
    assert support.get("/actions/new?kind=flush").status_code == HTTPStatus.FORBIDDEN
    form = form_of(admin, "kind=flush") | {"confirm": "flush"}
    assert support.submit("/actions", **form).status_code == HTTPStatus.FORBIDDEN
    made = ask(admin, "kind=flush", confirm="flush")
    for verb in ("pause", "stop", "resumption", "undo", "rate"):
        assert support.submit(f"/actions/{made}/{verb}").status_code == HTTPStatus.FORBIDDEN
    assert page(support.get(f"/actions/{made}")).select("main form") == []
    assert browser_of("user").get("/actions").status_code == HTTPStatus.FORBIDDEN
    work()
    assert action(made).state == "done"


@pytest.mark.parametrize("address", ["/actions/new", "/actions/new?kind=destroy", "/actions/new?kind=retry&state=NONE"])
def test_nonsense_in_the_address_is_refused(support: Browser, address: str) -> None:
    assert support.get(address).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.parametrize(
    ("role", "state", "links"),
    [
        ("support", "FAILED", {"Retry…": "Retry 51 jobs?"}),
        ("admin", "FAILED", {"Retry…": "Retry 51 jobs?", "Flush…": "Flush 51 jobs?"}),
        ("support", "PENDING", {"Cancel…": "Cancel 51 jobs?"}),
    ],
)
def test_selecting_all_that_match_leads_to_the_action(
    browser_of: Callable[[str], Browser], job: Callable[..., str], role: str, state: str, links: dict[str, str]
) -> None:
    for _ in range(51):
        job(State.RETRYABLE if state == "FAILED" else State.PENDING, queue="emails")
    browser = browser_of(role)
    found = page(browser.get(f"/jobs?state={state}&queue=emails")).select("#bulk [data-pick-matching] a")
    assert [link.get_text() for link in found] == list(links)
    for link in found:
        assert links[link.get_text()] in said(browser.get(str(link["href"])))
