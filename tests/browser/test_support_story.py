"""From a complaint to a fix: "Customer 4711 did not get the mail", among 100,000 jobs with 3,000 failures of twelve kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from console import clock, ids
from console.tracking.events import Event, Kind
from tests.browser.conftest import Console, started
from tests.factories.failures import failure_events, store_events

JOBS, FAILURES = 100_000, 3_000
KINDS = [
    ("mail.send", "SMTPServerDisconnected", "Connection unexpectedly closed ({n})", "deliver"),
    ("mail.send", "TimeoutError", "mail.example.com did not answer in {n} s", "connect"),
    ("mail.send", "UnicodeEncodeError", "'ascii' codec can't encode character at {n}", "encode"),
    ("shop.charge", "ValueError", "card of order {n} was declined", "charge"),
    ("shop.charge", "ConnectionError", "https://pay.example.com/{n} refused", "charge"),
    ("shop.charge", "KeyError", "'amount'", "total"),
    ("shop.invoice", "FileNotFoundError", "[Errno 2] No such file or directory: '/srv/{n}.pdf'", "attach"),
    ("shop.invoice", "ZeroDivisionError", "division by zero", "share"),
    ("shop.sync", "AttributeError", "'NoneType' object has no attribute 'name'", "merge"),
    ("shop.sync", "LookupError", "no customer {n}", "find"),
    ("shop.index", "OSError", "[Errno 28] No space left on device", "write"),
    ("shop.index", "MemoryError", "", "load"),
]
CLICKS_AT_MOST = 5
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def story_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with started(tmp_path_factory.mktemp("story")) as running:
        yield running


@pytest.fixture
def support(story_data: Console, setting: Callable[[str, str], None]) -> Console:
    """The workload is there, stored as the recorder does, and somebody of the support."""
    setting("DATABASE_URL", f"sqlite:///{story_data.data / 'celeriac.db'}")
    begin = clock.now_ms() - 6 * 3_600_000
    for start in range(0, JOBS - FAILURES, 5_000):
        store_events([event for n in range(start, min(start + 5_000, JOBS - FAILURES)) for event in _well(begin + n * 200)])
    for kind, (job_type, error, message, function) in enumerate(KINDS):
        events = []
        for n in range(FAILURES // len(KINDS)):
            payload = {"customer_id": 4711 if (kind, n) == (1, 77) else 5_000 + n, "version": "2.4.1"}
            said = message.format(n=10_000 + n)
            events += failure_events(
                ids.new_id(), begin + n * 60_000 + kind, job_type=job_type, error=error, message=said, function=function, payload=payload,
                queue="emails" if job_type == "mail.send" else "default",
            )
        store_events(events)
    story_data.run("users", "create", "help@example.com", "--role", "support", "--password-stdin", stdin=f"{PASSWORD}\n")
    return story_data


def _well(at_ms: int) -> list[Event]:
    job_id = ids.new_id()
    data = {"type": "shop.sync", "queue": "default", "payload": '{"args":[],"kwargs":{}}'}
    return [Event(Kind.PUBLISHED, job_id, at_ms, data=data), Event(Kind.SUCCEEDED, job_id, at_ms + 20, data={"runtime_ms": 9})]


@pytest.mark.slow
def test_from_a_complaint_to_the_retry_of_all_like_it(support: Console, page: Page) -> None:
    console = support
    page.goto(f"{console.url}/sign-in")
    page.fill("[name=email]", "help@example.com")
    page.fill("[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "sign-in" not in url)  # and until its scripts are there
    clicks = 0

    page.keyboard.press("/")
    page.keyboard.type("state:failed args.customer_id:4711")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs?q=*")
    rows = page.locator("#job-table tbody tr")
    expect(rows).to_have_count(1)
    rows.first.locator("a").first.click()
    clicks += 1
    expect(page.locator("#job")).to_contain_text("mail.example.com did not answer in 10077 s")

    page.get_by_role("link", name="Like 249 others").click()
    clicks += 1
    expect(page.locator("main")).to_contain_text("did not answer in")

    page.locator("[data-key=retry]").click()
    clicks += 1
    expect(page.locator("#action-form")).to_contain_text("Retry 250 jobs?")
    page.get_by_role("button", name="Retry 250").click()
    clicks += 1

    expect(page.locator("main")).to_contain_text("Retried 250 jobs.", timeout=20_000)
    assert clicks <= CLICKS_AT_MOST
    assert console.run("failed", "--filter", "state:retryable", "--limit", "1", "--json").find("mail") != -1
