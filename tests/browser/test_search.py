"""The search of jobs in a browser: box, fields, address, and what is exported of it."""

from __future__ import annotations

import json

from playwright.sync_api import Page, expect

from tests.browser.conftest import FAILS_WITHIN_MS, Console


def test_the_filters_are_in_the_address_and_back_works(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/jobs")
    page_of.get_by_role("link", name="Failed").click()
    expect(page_of).to_have_url(f"{console.url}/jobs?q=state:failed")
    expect(page_of.locator("#job-text")).to_have_value("state:failed")
    page_of.fill("#job-text", "state:failed unbreakable")
    page_of.keyboard.press("Enter")
    expect(page_of).to_have_url(f"{console.url}/jobs?q=state:failed+unbreakable")
    expect(page_of.locator("#job-table tbody tr", has_text="unbreakable").first).to_be_visible()
    expect(page_of.locator("#job-table tbody tr", has_not_text="demo.fail")).to_have_count(0)
    page_of.go_back()
    expect(page_of).to_have_url(f"{console.url}/jobs?q=state:failed")
    expect(page_of.locator("#job-text")).to_have_value("state:failed")


def test_the_search_box_completes_keys_and_values(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/jobs")
    box, options = page_of.get_by_role("combobox", name="Search jobs"), page_of.locator("#search-options [role=option]")
    box.press_sequentially("ty")
    expect(options).to_have_text(["type:Job type."])
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", options.first.get_attribute("id") or "")
    box.press("Enter")
    expect(box).to_have_value("type:")
    box.press_sequentially("fail")
    expect(options).to_have_count(1)
    options.first.click()
    expect(box).to_have_value("type:demo.fail ")
    expect(box).to_be_focused()
    box.press_sequentially("-st")
    expect(options.first).to_contain_text("-state:")
    box.press("Escape")
    expect(page_of.locator("#search-options")).to_be_hidden()
    expect(box).to_be_focused()
    box.press("Tab")
    expect(box).not_to_be_focused()
    box.fill("type:demo.fail args.message:unbreakable*")
    box.press("Enter")
    expect(page_of).to_have_url(f"{console.url}/jobs?q=type:demo.fail+args.message:unbreakable*")
    expect(page_of.locator("#job-table tbody tr", has_text="unbreakable").first).to_be_visible()
    expect(page_of.locator("#job-table tbody tr", has_not_text="demo.fail")).to_have_count(0)


def test_the_fields_say_what_the_box_says(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/jobs?q=state:failed")
    page_of.locator("summary", has_text="More filters").click()
    page_of.get_by_label("Payload field").fill("message")
    page_of.get_by_label("Payload value").fill("unbreakable*")
    page_of.get_by_label("Payload value").press("Enter")
    expect(page_of.locator("#job-text")).to_have_value("state:failed args.message:unbreakable*")
    page_of.get_by_label("Job type", exact=True).select_option("demo.fail")
    expect(page_of.locator("#job-text")).to_have_value("state:failed type:demo.fail args.message:unbreakable*")
    page_of.get_by_role("link", name="Remove args.message").click()
    expect(page_of.locator("#job-text")).to_have_value("state:failed type:demo.fail")


def test_an_export_is_downloaded_from_the_page_of_its_job(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/jobs?q=state:failed+type:demo.fail")
    page_of.locator("summary", has_text="Export").click()
    page_of.get_by_role("button", name="JSON").click()
    expect(page_of.locator("#job")).to_contain_text("Completed", timeout=FAILS_WITHIN_MS)
    page_of.reload()
    with page_of.expect_download() as download:
        page_of.get_by_role("link", name="Download").click()
    found = json.loads(download.value.path().read_text())
    assert {job["type"] for job in found} == {"demo.fail"}
