"""Calendars of blackouts on pages: first what would happen, then that it does."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from console import clock, db
from console.actor import SYSTEM
from console.schedules import service
from console.schedules.definition import Definition, parse_definition
from console.schedules.models import BlackoutCalendar, Schedule, ScheduleVersion
from tests.web.conftest import Browser, page, said

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=clock.EPOCH.tzinfo)
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20261201
RRULE:FREQ=DAILY;COUNT=5
EXDATE;VALUE=DATE:20261203
END:VEVENT
END:VCALENDAR
"""


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def make(name: str, file: str | None = None, **given: Any) -> str:
    with db.writing() as session:
        definition = parse_definition({"name": name, "type": "elsewhere.task", "kind": "cron", "cron": "0 9 * * *"} | given)
        return service.create_schedule(session, SYSTEM, definition, file=file)


def kept_to(name: str) -> list[str]:
    with db.reading() as session:
        return Definition.from_json(str(session.scalar(select(Schedule.definition).where(Schedule.name == name)))).blackouts


def texts() -> dict[str, str]:
    with db.reading() as session:
        return {row.name: row.text for row in session.scalars(select(BlackoutCalendar))}


def test_an_uploaded_calendar_is_previewed_kept_edited_and_deleted_with_what_it_affects(admin: Browser, support: Browser) -> None:
    assert [link["href"] for link in page(admin.get("/schedules/blackouts")).select(".empty a.primary")] == ["/schedules/blackouts/new"]
    one = make("nightly <b>")
    typed: dict[str, Any] = {"name": "holidays", "text": "", "schedules": " nightly <b> \n\n"}
    shown = admin.submit("/schedules/blackouts/preview", **typed, file=(BytesIO(b"\xef\xbb\xbf" + ICS.encode()), "h.ics"))
    assert "2 blackouts . Of 1 schedule, 4 coming runs would fall away" in said(shown)
    assert "Tue 01 Dec 2026 – Wed 02 Dec 2026" in said(shown) and texts() == {}
    text = page(shown).select("#text")[0].get_text()
    assert text.strip() == ICS.strip(), "what was uploaded can be saved without another upload"
    made = admin.submit("/schedules/blackouts", **(typed | {"text": text}))
    assert made.headers["Location"] == "/schedules/blackout/holidays" and kept_to("nightly <b>") == ["holidays"]
    with db.reading() as session:
        assert session.scalar(select(ScheduleVersion.why).where(ScheduleVersion.ver == 2)) == "keeps to the blackouts holidays"
    assert "4 runs of the coming year left out" in said(support.get("/schedules/blackout/holidays"))
    assert page(support.get("/schedules/blackout/holidays")).select(".panel form, .danger") == []
    change = {"is": "holidays", "rev": "0", "text": "2026-12-02..2026-12-03"}
    assert "1 coming run would fall away and 3 come back" in said(admin.submit("/schedules/blackouts/preview", **change))
    assert admin.submit("/schedules/blackout/holidays/edit", **change).status_code == 303
    late = admin.submit("/schedules/blackout/holidays/edit", **(change | {"text": "2026-12-31"}))
    assert late.status_code == 409 and "has changed this calendar meanwhile" in said(late) and "2026-12-31" in late.text
    assert "2 runs of the coming year take place then" in said(admin.get("/schedules/blackout/holidays"))
    admin.submit("/schedules/blackout/holidays/removal")
    assert texts(), "without a word about the schedules it stays"
    assert admin.submit("/schedules/blackout/holidays/removal", detach="1").headers["Location"] == "/schedules/blackouts"
    assert kept_to("nightly <b>") == [] and texts() == {}
    assert admin.get(f"/schedules/{one}").status_code == 200


@pytest.mark.parametrize(("typed", "field", "words"), [
    ({"text": "tomorrow"}, "text", "Line 1: write dates like"), ({"text": ICS.replace("END:VCALENDAR", "")}, "text", "breaks off"),
    ({"name": " "}, "name", "printable"), ({"name": "taken"}, "name", "already"), ({"schedules": "nobody"}, "schedules", "There is no schedule"),
    ({"file": (BytesIO(b"\xff\xfe\x00x"), "x.ics")}, "file", "not text in UTF-8"), ({"text": "2026-01-01\n" * 5_001}, "text", "5,000 dates"),
])  # fmt: skip
def test_what_does_not_fit_is_said_at_its_field_and_nothing_is_stored(admin: Browser, typed: dict[str, Any], field: str, words: str) -> None:
    assert admin.submit("/schedules/blackouts", name="taken", text="2026-12-25").status_code == 303
    shown = admin.submit("/schedules/blackouts", **({"name": "holidays", "text": "2026-12-26"} | typed))
    assert shown.status_code == 422 and words in page(shown).select(f"#{field}-wrong")[0].get_text()
    assert texts() == {"taken": "2026-12-25"}


def test_what_a_file_owns_is_neither_given_a_calendar_nor_freed_of_one(admin: Browser) -> None:
    admin.submit("/schedules/blackouts", name="a/b ?", text="2026-12-25")
    make("owned", file="shop.yaml", blackouts=["a/b ?"])
    shown = admin.submit("/schedules/blackouts", name="other", text="2026-12-26", schedules="owned")
    assert shown.status_code == 409 and "shop.yaml owns this schedule" in said(shown) and list(texts()) == ["a/b ?"]
    [link] = [a["href"] for a in page(admin.get("/schedules/blackouts")).select("td a")]
    assert "It cannot go yet: the file shop.yaml owns owned" in said(admin.get(str(link)))
    told = admin.submit(f"{link}/removal", detach="1")
    assert told.headers["Location"] == link and "owns this schedule" in said(admin.get(str(link))) and texts()
