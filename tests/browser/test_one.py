"""One job in a browser: from the list to the retry by keyboard, edited, and looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, StorageState, expect

from tests.browser.conftest import Console

FAILS_WITHIN_MS = 20_000


@pytest.fixture(scope="module")
def failed(console: Console) -> list[str]:
    """Three failures of their own, the newest first."""
    made = [console.run("dispatch", "demo.fail", "--payload", '{"message": "third time"}') for _ in range(3)]
    return made[::-1]


@pytest.fixture
def page(browser: Browser, admin_cookies: StorageState) -> Iterator[Page]:
    context = browser.new_context(storage_state=admin_cookies)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert problems == []


def test_by_keyboard_through_the_list_and_retried(page: Page, console: Console, failed: list[str]) -> None:
    page.goto(f"{console.url}/jobs/{failed[2]}")
    expect(page.locator("#job")).to_contain_text("Retryable", timeout=FAILS_WITHIN_MS)
    page.goto(f"{console.url}/jobs?state=RETRYABLE&text=third")
    page.locator("#job-table tbody td.wide a").first.click()
    page.wait_for_url(re.compile(failed[0]))
    for key, job_id in (("j", failed[1]), ("j", failed[2]), ("k", failed[1])):
        expect(page.locator("#live-state")).to_have_attribute("data-state", "live")  # its scripts are there
        page.keyboard.press(key)
        page.wait_for_url(re.compile(job_id))
    expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    page.keyboard.press("r")
    expect(page.locator(".why-box")).to_contain_text("runs again what was to be done by", timeout=10_000)
    expect(page.locator("#lineage [aria-current]")).to_contain_text("this job")


def test_edited_seen_and_sent(page: Page, console: Console, failed: list[str]) -> None:
    page.goto(f"{console.url}/jobs/{failed[0]}")
    expect(page.locator("#job")).to_contain_text("Retryable", timeout=FAILS_WITHIN_MS)
    page.get_by_role("link", name="Edit and retry").click()
    page.fill("[name='payload.message']", "fourth time")
    page.get_by_role("button", name="See what differs").click()
    expect(page.locator(".diff .added")).to_contain_text("fourth time")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("#payload")).to_contain_text("fourth time")


def test_a_long_text_and_a_name_that_copies(page: Page, console: Console) -> None:
    made = console.run("dispatch", "demo.fail", "--delay", "3600", "--payload", '{"message": "%s"}' % ("ab " * 300))
    page.goto(f"{console.url}/jobs/{made}")
    page.get_by_text("show all").click()
    expect(page.locator("#payload pre")).to_be_visible()
    key = page.locator("#payload button.key").first
    expect(key).to_have_attribute("data-copy", re.compile(r"^args\.\w+:"))
