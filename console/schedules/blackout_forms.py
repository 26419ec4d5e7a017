"""What is typed or uploaded on the pages of blackout calendars."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy.orm import Session

from console.errors import InvalidInput
from console.schedules.blackout_calendars import NEW
from console.schedules.blackouts import MAX_TEXT
from console.schedules.falling import Change, change_of
from console.schedules.forms import rev_of, wrong_of
from console.schedules.recurrence import wrong

_DATE = "%a %d %b %Y"
FIELDS = ("name", "text", "file", "schedules")


def typed_of(form: Mapping[str, str], files: Mapping[str, Any]) -> dict[str, str]:
    """What was typed; the text of an uploaded file stands in the place of the typed one. Raises `InvalidInput`."""
    typed = {name: form.get(name, "") for name in ("name", "text", "schedules", "rev")}
    file = files.get("file")
    if file is not None and file.filename:
        read = file.stream.read(4 * MAX_TEXT + 1)
        try:
            typed["text"] = read.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise wrong("file", "The file is not text in UTF-8. Export the calendar as iCalendar (.ics).") from None
    return typed


def names_of(typed: Mapping[str, str]) -> list[str]:
    """The schedules that are to keep to it: one name a line."""
    return [name for line in typed.get("schedules", "").splitlines() if (name := line.strip())]


def seen_of(typed: Mapping[str, str]) -> int:
    """What the form saw of the calendar; without it, there was none."""
    rev = rev_of(typed)
    return NEW if rev is None else rev


def preview_of(
    session: Session, typed: Mapping[str, str], before: str | None, name: str
) -> tuple[Change | None, dict[str, list[str]]]:
    """What saving it would do, or what is wrong with it."""
    try:
        if not typed.get("text", "").strip():
            raise wrong("text", "Give dates, or choose an iCalendar file.")
        return change_of(session, name, typed["text"], names_of(typed), before=before), {}
    except InvalidInput as error:
        return None, wrong_of(error, FIELDS)


def span_words(span: tuple[datetime, datetime]) -> str:
    """A blackout as it was written, read in UTC: dates alone when it is made of whole days."""
    start, end = span
    if start.time() == end.time() == time.min and start < end:
        last = end - timedelta(days=1)
        return f"{start:{_DATE}}" if last == start else f"{start:{_DATE}} – {last:{_DATE}}"
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:{_DATE} %H:%M}"
    return f"{start:{_DATE} %H:%M} – {until}"
