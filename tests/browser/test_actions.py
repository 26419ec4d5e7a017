"""From "all that match" in the list to the end of the action, as a person does it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import Console

JOBS = 60
SOON_MS = 20_000


@pytest.fixture
def page(browser: Browser, admin_cookies: StorageState) -> Iterator[Page]:
    with browser.new_context(storage_state=admin_cookies) as context:
        yield context.new_page()


def test_from_all_that_match_to_the_end(page: Page, console: Console) -> None:
    console.run("dispatch", "demo.fail", "--payload", '{"message": "bulk"}', "--queue", "default", "--count", str(JOBS))
    page.goto(f"{console.url}/jobs?state=FAILED&type=demo.fail&text=bulk")
    expect(page.locator(".filters .total")).to_contain_text(f"{JOBS} jobs", timeout=SOON_MS)
    page.reload()
    page.check("[data-pick-all]")
    expect(page.locator("[data-pick-matching]")).to_contain_text(f"All {JOBS} that match")
    page.locator("[data-pick-matching]").get_by_text("Retry…").click()
    expect(page.locator("#action-estimate")).to_contain_text(f"Retry {JOBS} jobs?")
    page.fill("#name", "from the list")
    page.fill("#rate", "0.5/s")
    page.press("#rate", "Tab")
    expect(page.locator("#action-estimate")).to_contain_text("at 0.5 a second")  # asked again by itself
    page.click("#action-form button[type=submit]")
    page.wait_for_url(re.compile(r"/actions/[0-9a-f-]{36}$"))
    expect(page.locator("#action")).to_contain_text("Running", timeout=SOON_MS)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#action .state").first).to_contain_text("Paused")
    page.get_by_role("button", name="Go on").click()
    page.fill("#action-rate", "")
    page.get_by_role("button", name="Set rate").click()
    expect(page.locator("#action")).to_contain_text(f"Retried {JOBS} jobs.", timeout=SOON_MS)  # without a reload
    expect(page.locator("#action")).to_contain_text(f"{JOBS} failed", timeout=SOON_MS)
    page.goto(f"{console.url}/actions")
    expect(page.locator("#action-list")).to_contain_text("from the list")


def test_a_flush_is_confirmed_by_typing_and_undone_by_a_click(page: Page, console: Console) -> None:
    console.run("dispatch", "demo.fail", "--payload", '{"message": "to go"}', "--count", "3")
    page.goto(f"{console.url}/jobs?state=FAILED&text=to+go")
    expect(page.locator(".filters .total")).to_contain_text("3 jobs", timeout=SOON_MS)
    page.reload()
    page.get_by_text("Flush all…").click()
    page.click("#action-form button[type=submit]")
    expect(page.locator("#confirm:invalid")).to_be_visible()  # the browser says what is missing
    page.fill("#confirm", "flush")
    page.click("#action-form button[type=submit]")
    expect(page.locator("#action")).to_contain_text("Deleted 3 jobs.", timeout=SOON_MS)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#action")).to_contain_text("Undone: 3 of 3 jobs are back.", timeout=SOON_MS)
