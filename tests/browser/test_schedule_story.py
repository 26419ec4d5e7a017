"""A schedule from its form to its first job, and all that one does with it after."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import Page, expect

from console import clock
from tests.browser.conftest import FAILS_WITHIN_MS, Console


def test_a_schedule_is_made_runs_rests_is_changed_caught_up_and_put_back(page_of: Page, console: Console) -> None:
    page = page_of
    page.goto(f"{console.url}/schedules/new")
    page.get_by_label("Name").fill("Story")
    page.get_by_label("Job type").fill("demo.charge_order")
    page.keyboard.press("Tab")
    page.get_by_label("Order id").fill("4")
    page.get_by_role("button", name="Add one to Notes").click()
    page.get_by_label("Notes 1").fill("by hand")
    page.get_by_role("button", name="Type it as JSON").click()
    expect(page.locator("#payload")).to_have_value(re.compile('"order_id": 4,\\s+"notes": \\[\\s+"by hand"'))
    page.get_by_role("button", name="Use the fields").click()
    expect(page.get_by_label("Notes 1")).to_have_value("by hand")
    preview = page.locator("#preview")
    page.get_by_label("Every so often").check()
    expect(preview).to_contain_text("Every 15 minutes")
    page.get_by_label("Unit").select_option("seconds")
    expect(preview).to_contain_text("Every 15 seconds")
    page.get_by_label("Every", exact=True).fill("3")
    expect(preview).to_contain_text("Every 3 seconds")
    expect(preview.locator("li")).to_have_count(10)
    page.get_by_role("button", name="Create schedule").click()

    ran = page.locator("[aria-labelledby=runs-title] tbody tr", has_text="Completed").last
    expect(ran).to_be_visible(timeout=FAILS_WITHIN_MS)
    address = page.url
    page.get_by_text("Pause…").click()
    page.get_by_label("Reason").fill("inventory")
    page.get_by_role("button", name="Pause it").click()
    expect(page.locator("#schedule")).to_contain_text(re.compile("Paused by admin@localhost.*: inventory", re.DOTALL))
    ran.get_by_role("link").click()
    expect(page.locator("#job .state-completed")).to_be_visible()
    expect(page.locator("#job")).to_contain_text("by hand")

    page.goto(f"{address}/edit")
    page.get_by_label("Unit").select_option("hours")
    expect(preview).to_contain_text("Every 3 hours")
    page.get_by_label("Every", exact=True).fill("1")
    expect(preview).to_contain_text("Every hour")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#schedule")).to_contain_text("Every hour")

    end = clock.now().replace(minute=0, second=0, microsecond=0, tzinfo=None) - timedelta(hours=1)
    page.get_by_role("link", name="Backfill…").click()
    page.get_by_label("From").fill((end - timedelta(hours=3)).isoformat())
    page.get_by_label("Until, not included").fill(end.isoformat())
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#estimate")).to_contain_text("This makes 3 jobs")
    page.get_by_role("button", name="Run 3 times").click()
    expect(page.locator("[aria-labelledby=runs-title] tr", has_text="backfilled by admin@localhost")).to_have_count(3)

    page.get_by_role("button", name="Restore version 1").click()
    expect(page.locator("#schedule")).to_contain_text("Every 3 seconds")
    page.get_by_role("button", name="Duplicate").click()
    expect(page.locator("h1")).to_have_text("Story (copy)")
    page.get_by_role("button", name="Run now").click()
    expect(page.locator("[aria-labelledby=runs-title] tbody tr", has_text="run by admin@localhost")).to_have_count(1)
