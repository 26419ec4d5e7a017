"""What each role comes for, in a real browser against everything running."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console


def sign_in(page: Page, console: Console, email: str, password: str) -> None:
    page.goto(f"{console.url}/sign-in")
    page.fill("[name=email]", email)
    page.fill("[name=password]", password)
    page.click("button[type=submit]")


def test_an_admin_sees_a_failed_job_and_retries_it(page: Page, console: Console) -> None:
    job_id = console.run("dispatch", "demo.fail", "--payload", '{"message": "no such customer"}')
    sign_in(page, console, "admin@localhost", console.password)
    expect(page.locator("h1, h2").first).to_contain_text("Overview")
    page.goto(f"{console.url}/jobs/{job_id}")
    expect(page.locator("#job")).to_contain_text("Retryable", timeout=10_000)
    expect(page.locator("#job")).to_contain_text("no such customer")
    page.get_by_role("button", name="Retry").first.click()
    page.goto(f"{console.url}/jobs/{job_id}")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_the_list_shows_a_new_job_without_reloading(page: Page, console: Console) -> None:
    sign_in(page, console, "admin@localhost", console.password)
    page.goto(f"{console.url}/jobs")
    page.wait_for_timeout(1_000)
    job_id = console.run("dispatch", "demo.noop")
    expect(page.locator(f'a[href^="/jobs/{job_id}"]').first).to_be_attached(timeout=5_000)


def test_support_may_look_but_not_flush(page: Page, console: Console) -> None:
    console.run("users", "create", "sue@example.com", "--role", "support", "--password-stdin", stdin="correct horse battery\n")
    sign_in(page, console, "sue@example.com", "correct horse battery")
    page.goto(f"{console.url}/jobs")
    expect(page.locator("#job-list")).to_be_visible()
    answer = page.request.get(f"{console.url}/jobs/flush")
    assert answer.status in (403, 404)


def test_an_end_user_sees_none_of_the_console(page: Page, console: Console) -> None:
    console.run("users", "create", "uma@example.com", "--role", "user", "--password-stdin", stdin="correct horse battery\n")
    sign_in(page, console, "uma@example.com", "correct horse battery")
    expect(page).to_have_url(re.compile("/account"))
    assert page.request.get(f"{console.url}/jobs").status == 403
    expect(page.locator('a[href="/jobs"]')).to_have_count(0)


def test_a_jobs_page_shows_its_progress_move_without_reloading(page: Page, console: Console) -> None:
    sign_in(page, console, "admin@localhost", console.password)
    job_id = console.run("dispatch", "demo.progress", "--payload", '{"chunks": 20, "seconds_each": 0.4}')
    page.goto(f"{console.url}/jobs/{job_id}")
    page.evaluate("window.isTheSamePage = true")
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_be_attached(timeout=15_000)
    seen = set()
    while len(seen) < 4:
        seen.add(bar.get_attribute("value", timeout=10_000))
        page.wait_for_timeout(200)
    expect(page.locator("#job .state-completed")).to_be_visible(timeout=20_000)
    assert page.evaluate("window.isTheSamePage") is True


def test_pictures_are_dispatched_by_the_form_and_their_thumbnails_downloaded(page: Page, console: Console, tmp_path: Path) -> None:
    for name in ("one", "two"):
        Image.new("RGB", (400, 200), "teal").save(tmp_path / f"{name}.png")
    sign_in(page, console, "admin@localhost", console.password)
    page.goto(f"{console.url}/jobs/new")
    page.get_by_role("link", name="heavy.thumbnails").click()
    page.set_input_files("input[type=file]", [tmp_path / "one.png", tmp_path / "two.png"])
    page.get_by_label("Size").fill("40")
    page.get_by_role("button", name="Dispatch").click()
    expect(page.locator("#job .state-completed")).to_be_visible(timeout=30_000)
    with page.expect_download() as started:
        page.get_by_role("link", name="Download all").click()
    with zipfile.ZipFile(started.value.path()) as packed:
        assert packed.namelist() == ["one.png.webp", "two.png.webp"]
        with Image.open(packed.open("one.png.webp")) as small:
            assert small.size == (40, 20)
