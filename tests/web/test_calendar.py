"""The calendar, the map of the coming day, and spreading: what stands there, and that spreading is an edit like any other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import insert, select, update

from console import clock, db
from console.actor import SYSTEM
from console.audit.models import AuditEntry
from console.schedules import service
from console.schedules.definition import Definition, parse_definition
from console.schedules.models import Schedule, ScheduleFire, ScheduleVersion
from tests.web.conftest import Browser, page, said

NOW = datetime(2026, 3, 28, 12, 34, tzinfo=clock.EPOCH.tzinfo)  # the clocks of Berlin change on the 29th


def make(name: str, file: str | None = None, **given: Any) -> str:
    with db.writing() as session:
        definition = parse_definition({"name": name, "type": "elsewhere.task", "kind": "cron", "cron": "0 * * * *"} | given)
        return service.create_schedule(session, SYSTEM, definition, file=file)


def fired(schedule_id: str, at: datetime, state: str = "skipped", slots: int = 1) -> None:
    with db.writing() as session:
        session.execute(insert(ScheduleFire).values(schedule_id=schedule_id, nominal_at=at, trigger="time", state=state, at=at, slots=slots,
                                                    reason="", overdue=False))


def made_together(count: int, **given: Any) -> None:
    for n in range(count):
        make(f"together {n:02}", **given)


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def test_a_week_shows_what_was_and_what_comes_by_the_clocks_of_the_viewer(support: Browser) -> None:
    one = make("nightly <b>", cron="30 2 * * *", timezone="Europe/Berlin")
    fired(one, NOW.replace(day=27, hour=1, minute=30))
    shown = page(support.get("/schedules/calendar?zone=Europe/Berlin"))
    assert "23 Mar – 29 Mar 2026" in shown.get_text()
    friday, sunday = shown.select("#day-2026-03-27")[0].parent, shown.select("#day-2026-03-29")[0].parent
    assert friday is not None and sunday is not None
    assert [cell.get_text(" ", strip=True) for cell in friday.select(".h2 .run")] == ["skipped 02:30 nightly <b>"]
    assert sunday.select(".h2") == []  # there is no such hour on that day
    assert [cell.get_text(" ", strip=True) for cell in sunday.select(".h3 .run")] == ["to come 03:00 nightly <b>"]
    assert {str(link["href"]) for link in friday.select(".run a")} == {f"/schedules/{one}"}
    in_utc = page(support.get("/schedules/calendar")).select("#day-2026-03-27")[0].parent
    assert in_utc is not None and in_utc.select(".h1 .run")


def test_the_zone_that_the_browser_tells_is_taken_and_nonsense_is_not(support: Browser) -> None:
    make("hourly")
    assert "data-zone-wanted" in support.get("/schedules/calendar").text
    support._client.set_cookie("zone", "Asia/Kolkata")
    assert "Times of Asia/Kolkata" in said(support.get("/schedules/calendar"))
    support._client.set_cookie("zone", "../../etc/passwd")
    assert "Times of UTC" in said(support.get("/schedules/calendar?zone=Mars/Base&day=soon&view=x&hour=99&state=none"))


def test_a_busy_hour_is_folded_and_read_run_by_run(support: Browser) -> None:
    made_together(20)
    often = make("often", kind="every", every=30, unit="seconds", cron=None)
    for n in range(70):
        fired(often, NOW.replace(hour=9, minute=0) + timedelta(seconds=30 * n), "missed" if n % 7 == 0 else "skipped")
    fired(often, NOW.replace(hour=4, minute=0), "missed", slots=12)
    shown = page(support.get("/schedules/calendar?view=day"))
    past, coming = shown.select(".h9 .run"), shown.select(".h15 .run")
    assert past[0].get_text(" ", strip=True) == "missed 09:00 often ×70 runs of often 60 skipped, 10 missed"
    assert len(coming) == 13 and "and 128 more" in coming[-1].get_text()
    assert "×12" in shown.select(".h4")[0].get_text()
    week = page(support.get("/schedules/calendar"))
    assert "×60" in week.select(".h9")[5].get_text() and len(week.select(".h15")[5].select(".run")) == 3
    link = coming[-1].select_one("a")
    assert link is not None
    rows = page(support.get(str(link["href"]))).select("tbody tr")
    assert len(rows) == 140 and "together 00" in rows[0].get_text() + rows[1].get_text()
    only = page(support.get(f"{link['href']}&q=together 07")).select("tbody tr")
    assert len(only) == 1 and "To come" in only[0].get_text()
    assert "The clocks skip this hour" in said(support.get("/schedules/calendar?hour=2&day=2026-03-29&zone=Europe/Berlin"))


def test_filters_are_those_of_the_list(support: Browser) -> None:
    paused = make("paused one")
    make("other one")
    fired(paused, NOW.replace(hour=10))
    with db.writing() as session:
        service.pause_schedule(session, SYSTEM, paused, "x", NOW + timedelta(hours=3))
    shown = page(support.get("/schedules/calendar?view=day&state=paused"))
    assert {link.get_text() for link in shown.select(".run .cut")} == {"paused one"}
    assert not shown.select(".h14 .run") and shown.select(".h16 .run"), "it goes on by itself"
    assert "No run of what was searched for" in said(support.get("/schedules/calendar?q=nothing"))
    assert "paused one" in said(support.get("/schedules/calendar?q=paused%00"))
    assert "No run of what was searched for" in said(support.get("/schedules/calendar?state=flagged"))


def test_the_map_marks_collisions_by_queue(support: Browser) -> None:
    made_together(12, queue="heavy")
    make("apart", cron="20 * * * *", queue="light")
    shown = page(support.get("/schedules/heat"))
    assert len(shown.select("td.collides")) == 24 and "12 runs begin in one second" in shown.get_text()
    assert [td.get_text(strip=True) for td in shown.select("tbody tr")[1].select("td")][:5] == ["12with a collision", "", "", "", "1"]
    light = page(support.get("/schedules/heat?queue=light"))
    assert {td.get_text(strip=True).split()[0] for td in light.select(".heat td:not(.heat-0):not(.heat-none)")} == {"1"}
    assert page(support.get("/schedules/heat?at_least=13")).select("td.collides") == []
    assert page(support.get("/schedules/spread?at_least=12")).select(".panel form[method=post]") == []


def test_an_empty_map_and_an_empty_calendar_lead_on(admin: Browser) -> None:
    for path in ("/schedules/heat", "/schedules/calendar"):
        assert [link["href"] for link in page(admin.get(path)).select(".empty a.primary")] == ["/schedules/new"]
    assert "Nothing collides" in said(admin.get("/schedules/spread"))


def posted(shown: Any) -> dict[str, str]:
    return {str(field["name"]): str(field["value"]) for field in shown.select("form[method=post] input[type=hidden]") if field["name"] != "csrf_token"}


def definitions() -> dict[str, Definition]:
    with db.reading() as session:
        return {row.name: Definition.from_json(row.definition) for row in session.scalars(select(Schedule))}


def test_spreading_does_what_its_preview_said_with_versions_and_audit(admin: Browser) -> None:
    made_together(11)
    make("owned", file="shop.yaml")
    shown = page(admin.get("/schedules/spread"))
    assert "the file shop.yaml owns it" in shown.get_text() and "Spread 11 schedules" in shown.get_text()
    now, then = [int(cell.get_text()) for cell in shown.select(".effect tbody tr")[0].select("td")]
    assert now == 12 and then < 6
    assert admin.submit("/schedules/spread", **posted(shown)).headers["Location"] == "/schedules/heat"
    assert {name: one.jitter_s for name, one in definitions().items()} == {f"together {n:02}": 60 for n in range(11)} | {"owned": 0}
    with db.reading() as session:
        assert set(session.scalars(select(ScheduleVersion.why).where(ScheduleVersion.ver == 2))) == {"spread over 60 s"}
        assert len(session.scalars(select(AuditEntry).where(AuditEntry.action == "schedules.edit")).all()) == 11
    again = admin.submit("/schedules/spread", **posted(shown))
    assert again.status_code == 409 and "have changed since this plan was made" in said(again)


def test_what_is_due_in_this_very_moment_is_not_moved_away(admin: Browser) -> None:
    made_together(11)
    shown = page(admin.get("/schedules/spread"))
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.name == "together 05").values(due_at=NOW - timedelta(seconds=1)))
    told = admin.submit("/schedules/spread", **posted(shown))
    assert told.status_code == 409 and "together 05 is due in this very moment" in said(told)
    assert all(one.jitter_s == 0 for one in definitions().values())


def test_two_who_spread_or_edit_at_once_do_not_overwrite_each_other(admin: Browser) -> None:
    made_together(11, kind="every", every=1, unit="hours", cron=None)
    shown = page(admin.get("/schedules/spread?way=shift"))
    changed = definitions()["together 03"].model_copy(update={"note": "hands off"})
    with db.writing() as session:
        found = session.scalar(select(Schedule.id).where(Schedule.name == "together 03"))
        service.edit_schedule(session, SYSTEM, str(found), changed)
    assert admin.submit("/schedules/spread", **posted(shown)).status_code == 409
    assert all(one.anchor is None for one in definitions().values()), "all or nothing"
    fresh = page(admin.get("/schedules/spread?way=shift"))
    assert admin.submit("/schedules/spread", **posted(fresh)).status_code == 303
    assert len({one.anchor for one in definitions().values()}) == 11 and definitions()["together 03"].note == "hands off"


@pytest.mark.parametrize("typed", [{"over_s": "x"}, {"over_s": "999999"}, {"since": "2001-01-01T00:00:00+00:00"}, {"way": "x", "at_least": "-1", "at": "x"}])
def test_nonsense_is_told_or_left_aside(admin: Browser, typed: dict[str, str]) -> None:
    made_together(11)
    assert admin.get("/schedules/spread", query_string=typed).status_code == 200
    assert admin.submit("/schedules/spread", plan="x", **typed).status_code in (409, 422)
    assert admin.get("/schedules/heat", query_string=typed | {"queue": "<b>"}).status_code == 200
