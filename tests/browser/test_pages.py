"""What only a browser can tell: that pages can be used by everybody, by keyboard, on a phone, and move by themselves."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import FAILS_WITHIN_MS, LAPTOP, PHONE, Console, failing, opened

BUILT_IN = "builtin:celeriac.retention"
AXE = (Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js").read_text()


@pytest.fixture(scope="module")
def an_action(console: Console, failed_job: str) -> str:
    """One that rests, with a long name, and has made a job that failed."""
    begun = ("retry", "failed", "--type", "demo.fail", "--trial", "5", "--name", "unbreakable" * 15, "--json")
    made = str(json.loads(console.run(*begun))["id"])
    while not json.loads(console.run("actions", "show", made, "--json"))["done"]:
        time.sleep(0.2)
    return made


@pytest.fixture(scope="module")
def waiting_job(console: Console) -> str:
    return console.run("dispatch", "demo.noop", "--delay", "3600")


@pytest.fixture(scope="module")
def done_job(console: Console) -> str:
    return console.run("dispatch", "demo.noop")


@pytest.fixture(scope="module")
def logging_job(console: Console) -> str:
    return console.run("dispatch", "demo.log", "--payload", '{"lines": 60, "seconds_each": 0.2}')


@pytest.fixture(scope="module")
def a_calendar(console: Console) -> str:
    """Of blackouts, kept to by a schedule; both with long names."""
    name = "unbreakable" * 7
    console.run("schedules", "create", "unbreakable" * 18, "--type", "demo.noop", "--cron", "0 9 * * *", "--timezone", "Europe/Berlin")
    console.run("blackouts", "set", name, "--date", "2020-12-24..2999-01-01", "--date", "2026-01-02T06:00..2026-01-02T18:00", "--schedule", "unbreakable" * 18)
    return name


def group_of(console: Console) -> str:
    """The group of the job that failed with words nobody can break."""
    groups = json.loads(console.run("failed", "--group", "--json"))["data"]
    return str(next(group["fingerprint"] for group in groups if "unbreakable" in group["pattern"]))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, LAPTOP])
def test_every_page_is_accessible_and_fits(
    browser: Browser, console: Console, signed_in: Any, failed_job: str, an_action: str, waiting_job: str, done_job: str,
    logging_job: str, a_calendar: str, width: int, theme: str,
) -> None:
    addresses = (
        "/", "/jobs", "/jobs?state=FAILED", "/jobs?text=nothing-has-this", "/jobs?q=error:x*+-tag:no+after:2h", "/jobs?q=quue:x",
        "/jobs?columns=id,queue,worker,reason,tags,priority,attempts,runtime,started,finished,enqueued", f"/jobs/{failed_job}", "/account",
        "/actions/new?kind=retry&state=FAILED", "/actions/new?kind=flush&state=FAILED", "/actions", f"/actions/{an_action}", "/nowhere",
        "/failures", "/failures?state=resolved", "/failures?text=nothing-has-this", "/failures/matrix", "/deploys",
        f"/failures/{group_of(console)}", f"/jobs/{failed_job}?of=state%3DFAILED", f"/jobs/{failed_job}/edit", f"/jobs/{failed_job}/edit?as=json",
        f"/jobs/{waiting_job}", f"/jobs/{waiting_job}/schedule", f"/jobs/{done_job}", f"/jobs/{done_job}/again",
        f"/jobs/{logging_job}", f"/jobs/{logging_job}/logs?log_level=WARNING",
        "/schedules", "/schedules?q=nothing-has-this", "/schedules/new", "/schedules/new?type=demo.charge_order", "/jobs/new?type=demo.charge_order",
        f"/schedules/{BUILT_IN}", f"/schedules/{BUILT_IN}/edit",
        f"/schedules/{BUILT_IN}/backfill", "/schedules/calendar", "/schedules/calendar?view=day", "/schedules/calendar?q=nothing-has-this",
        "/schedules/blackouts", "/schedules/blackouts/new", f"/schedules/blackout/{a_calendar}", f"/schedules/blackout/{a_calendar}/edit",
        "/schedules/calendar?hour=5", "/schedules/heat", "/schedules/heat?at_least=1", "/schedules/spread", "/schedules/spread?at_least=2&way=shift",
    )
    context = opened(browser, signed_in, width, theme, bypass_csp=True)
    page = context.new_page()
    wrong = []
    for address in addresses:
        page.goto(console.url + address)
        page.wait_for_load_state()
        page.evaluate(AXE)
        found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
        wrong += [(address, item["id"], item["nodes"][0]["html"][:120]) for item in found]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append((address, "wider than the screen", ""))
    context.close()
    assert wrong == []


def is_in_sight(page: Page, selector: str) -> bool:
    """Whether it lies between the edges of the page, and of the panel that it stands in."""
    script = """(found) => {
      const box = found.getBoundingClientRect();
      const panel = (found.closest(".panel") ?? document.body).getBoundingClientRect();
      return box.width > 0 && box.left >= panel.left && box.right <= Math.min(panel.right, innerWidth);
    }"""
    return bool(page.locator(selector).first.evaluate(script))


def test_menus_and_numbers_of_tables_are_in_sight(browser: Browser, console: Console, signed_in: Any, failed_job: str) -> None:
    for width in (PHONE, 820, 1100, LAPTOP, 1440):
        context = opened(browser, signed_in, width, "light")
        page = context.new_page()
        page.goto(f"{console.url}/jobs")
        for menu in ("More filters", "Saved", "Columns", "Export"):
            page.locator("summary", has_text=menu).click()
            assert is_in_sight(page, "details[open] > .drop-body"), (menu, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (menu, width)
            page.keyboard.press("Escape")
        page.goto(f"{console.url}/failures/matrix")
        assert is_in_sight(page, ".matrix td:not(.blank) a"), width
        page.goto(f"{console.url}/?range=1h")
        assert is_in_sight(page, "[aria-labelledby=failing-title] td:last-child"), width
        context.close()


def test_a_deploy_mark_is_removed_after_a_question(page_of: Page, console: Console) -> None:
    console.run("deploys", "add", "9.9.9")
    page_of.goto(f"{console.url}/deploys")
    row = page_of.locator("tr", has_text="9.9.9")
    row.locator("summary").click()
    expect(row).to_be_visible()
    row.get_by_role("button", name="Remove the mark").click()
    expect(row).to_have_count(0)


def test_lines_of_a_job_appear_while_it_runs_and_can_be_narrowed(page_of: Page, console: Console) -> None:
    made = console.run("dispatch", "demo.log", "--payload", '{"lines": 100, "seconds_each": 0.1}')
    page_of.goto(f"{console.url}/jobs/{made}")
    lines = page_of.locator("#log-lines > li")
    expect(lines.filter(has_text="line 5 of 100")).to_have_count(1, timeout=FAILS_WITHIN_MS)
    seen = lines.count()
    expect(lines.filter(has_text="line 60 of 100")).to_be_visible(timeout=FAILS_WITHIN_MS)
    assert seen < 60
    expect(page_of.locator("#usage")).to_contain_text("MB", timeout=FAILS_WITHIN_MS)
    page_of.get_by_role("link", name="Error").click()
    expect(page_of).to_have_url(f"{console.url}/jobs/{made}?log_level=ERROR#log")
    expect(lines).to_have_count(2, timeout=FAILS_WITHIN_MS)
    expect(page_of.locator("#usage")).to_have_count(0, timeout=FAILS_WITHIN_MS)


def test_the_keyboard_goes_picks_and_searches(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/jobs")
    for key in ("j", "x", "j", "Shift+X"):
        page_of.keyboard.press(key)
    expect(page_of.locator("tr.picked")).to_have_count(2)
    expect(page_of.locator("[data-picked]")).to_have_text("2")
    expect(page_of.locator("#live-state")).to_have_attribute("data-state", "paused")
    page_of.keyboard.press("/")
    expect(page_of.locator("#job-text")).to_be_focused()
    page_of.keyboard.press("Escape")
    page_of.keyboard.press("?")
    expect(page_of.locator("#keys-sheet")).to_be_visible()
    page_of.keyboard.press("Escape")
    for key, address in (("o", "/"), ("a", "/account"), ("j", "/jobs")):
        page_of.keyboard.press("g")
        page_of.keyboard.press(key)
        page_of.wait_for_url(f"{console.url}{address}")  # and until its scripts are there


def test_new_rows_do_not_move_what_is_being_read(page_of: Page, console: Console) -> None:
    console.run("dispatch", "demo.noop", "--count", "60")
    page_of.set_viewport_size({"width": LAPTOP, "height": 500})
    page_of.goto(f"{console.url}/jobs")
    expect(page_of.locator("#live-state")).to_have_attribute("data-state", "live")
    page_of.evaluate("scrollTo(0, 400)")
    first = page_of.locator("#job-table tbody tr").first.get_attribute("id")
    console.run("dispatch", "demo.noop")
    fresh = page_of.locator("#job-fresh")
    expect(fresh).to_contain_text("1 new job")
    assert page_of.locator("#job-table tbody tr").first.get_attribute("id") == first
    fresh.click()
    expect(page_of.locator(f'[id="{first}"]')).to_be_attached()
    assert page_of.locator("#job-table tbody tr").first.get_attribute("id") != first


def test_failures_are_counted_while_one_reads_and_writes(page_of: Page, console: Console) -> None:
    group = group_of(console)
    other = page_of.context.new_page()
    other.goto(f"{console.url}/failures/{group}")
    page_of.goto(f"{console.url}/failures?state=all")
    row = page_of.locator(f'[data-row="{group}"]')
    ever = row.locator("[data-label=ever]")
    before = int(ever.inner_text())
    on_page = other.locator(".facts dd a", has_text="job")
    stored = int(on_page.first.inner_text().split()[0])
    other.fill("#note", "half a th")
    other.locator("#runbook").focus()
    other.get_by_text("Ignore it for a while").click()
    other.fill("[name=more]", "7")
    for page in (page_of, other):
        expect(page.locator("#live-state")).to_have_attribute("data-state", "live")
    places = "(all) => all.map((row) => [row.dataset.row, row.getBoundingClientRect().y])"
    rows = page_of.locator("[data-row]").evaluate_all(places)
    console.run("dispatch", "demo.fail", "--payload", '{"message": "%s"}' % ("unbreakable" * 40))
    console.run("dispatch", "demo.fail", "--payload", '{"message": "never seen in this house"}')
    expect(ever).not_to_have_text(str(before), timeout=FAILS_WITHIN_MS)
    fresh = page_of.locator("#failures-fresh")
    expect(fresh).to_have_text("1 new group — show", timeout=FAILS_WITHIN_MS)
    assert page_of.locator("[data-row]").evaluate_all(places) == rows
    expect(on_page.first).not_to_have_text(f"{stored} jobs", timeout=FAILS_WITHIN_MS)
    expect(other.locator("#note")).to_have_value("half a th")
    expect(other.locator("[name=more]")).to_be_visible()
    expect(other.locator("[name=more]")).to_have_value("7")
    fresh.click()
    expect(page_of.locator("[data-row]").first).to_contain_text("never seen")


def test_a_chosen_theme_and_a_narrow_rail_stay(page_of: Page, console: Console) -> None:
    page_of.goto(console.url)
    page_of.locator("[data-theme-toggle]").click()
    page_of.locator("[data-rail-toggle]").click()
    page_of.reload()
    expect(page_of.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page_of.locator("html")).to_have_attribute("data-rail", "narrow")


def test_the_menu_of_the_person(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/jobs")
    menu = page_of.locator("#person-menu")
    expect(menu).to_be_hidden()
    page_of.get_by_role("button", name="admin@localhost").click()
    expect(menu).to_contain_text("Admin")
    page_of.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    page_of.get_by_role("button", name="admin@localhost").click()
    menu.get_by_role("link", name="Account").click()
    expect(page_of).to_have_url(f"{console.url}/account")


def middle_of(page: Page, expression: str) -> tuple[float, float]:
    """A place on the chart, told by an expression on `chart`, as a place on the page."""
    script = f"""() => {{
      const canvas = document.getElementById("throughput");
      const chart = Chart.getChart(canvas);
      const box = canvas.getBoundingClientRect();
      const place = {expression};
      return [box.x + place.x, box.y + place.y];
    }}"""
    x, y = page.evaluate(script)
    return x, y


def test_the_legend_is_a_filter_that_stays(page_of: Page, console: Console) -> None:
    page_of.goto(f"{console.url}/?range=15m")
    page_of.wait_for_function("window.Chart?.getChart('throughput')")
    shown = "Chart.getChart('throughput').data.datasets.filter((set) => !set.hidden).map((set) => set.key)"
    assert page_of.evaluate(shown) == ["completed", "failed", "retried", "cancelled"]
    in_legend = "(({ left, top, width, height }) => ({ x: left + width / 2, y: top + height / 2 }))(chart.legend.legendHitBoxes[0])"
    page_of.mouse.click(*middle_of(page_of, in_legend))
    expect(page_of).to_have_url(f"{console.url}/?range=15m&hide=completed")
    page_of.get_by_role("link", name="6h").click()
    page_of.wait_for_url(f"{console.url}/?range=6h&hide=completed")
    page_of.wait_for_function("window.Chart?.getChart('throughput')")
    assert page_of.evaluate(shown) == ["failed", "retried", "cancelled"]


def test_a_click_on_the_chart_opens_the_jobs_behind_it(page_of: Page, console: Console) -> None:
    job_id = failing(console)
    page_of.goto(f"{console.url}/jobs/{job_id}")
    expect(page_of.locator("#job")).to_contain_text("Retryable", timeout=FAILS_WITHIN_MS)
    page_of.goto(f"{console.url}/?range=1h")
    page_of.wait_for_function("window.Chart?.getChart('throughput')")
    values = page_of.evaluate("Chart.getChart('throughput').data.datasets[1].data")
    assert values[0] is None, "nobody recorded an hour ago"
    place = max(i for i, value in enumerate(values) if value)
    page_of.mouse.click(*middle_of(page_of, f"chart.getDatasetMeta(1).data[{place}]"))
    page_of.wait_for_url("**/jobs?**")
    expect(page_of.locator(".filters .chip").first).to_contain_text("Enqueued")


def test_a_lost_connection_is_shown_and_mends_itself(browser: Browser, console: Console, signed_in: Any) -> None:
    context = opened(browser, signed_in, PHONE, "light")
    page = context.new_page()
    page.goto(f"{console.url}/jobs")
    state = page.locator("#live-state")
    expect(state).to_have_attribute("data-state", "live")
    context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('pagehide'))")  # what ends the stream; offline alone keeps an open one
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(state).to_have_text("reconnecting")
    context.set_offline(False)
    expect(state).to_have_attribute("data-state", "live", timeout=15_000)
    context.close()


def test_a_first_visit_weighs_less_than_a_quarter_of_a_megabyte(page_of: Page, console: Console) -> None:
    session = page_of.context.new_cdp_session(page_of)
    session.send("Network.enable")
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    page_of.goto(console.url)
    page_of.wait_for_load_state()
    first, sizes[:] = sum(sizes), []
    page_of.goto(f"{console.url}/jobs")
    page_of.wait_for_load_state()
    assert first < 250_000
    assert sum(sizes) < 15_000


def test_without_scripts_a_page_still_works(browser: Browser, console: Console, signed_in: Any) -> None:
    context = opened(browser, signed_in, LAPTOP, "light", java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.url}/jobs?state=FAILED")
    page.locator("#job-table tbody td.wide a").first.click()
    expect(page.locator("#job")).to_contain_text("Retryable")
    context.close()


def test_the_calendar_goes_by_the_clocks_of_whoever_looks(browser: Browser, console: Console, signed_in: Any) -> None:
    context = opened(browser, signed_in, PHONE, "light", timezone_id="Asia/Tokyo")
    page = context.new_page()
    page.goto(f"{console.url}/schedules/calendar")
    expect(page.locator("#calendar")).to_contain_text("Times of Asia/Tokyo")
    page.goto(f"{console.url}/schedules/calendar?zone=UTC")
    expect(page.locator("#calendar")).to_contain_text("Times of UTC")
    shown = page.locator(".calendar time").first
    written = shown.get_attribute("datetime") or ""
    expect(shown).to_have_text(written[11:16])  # the page's script leaves it as the server wrote it
    context.close()
