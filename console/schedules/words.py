"""A schedule in words. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim

from console.schedules.calendar_rule import parts_of
from console.schedules.definition import CronDays, Definition, Kind
from console.schedules.recurrence import Cron, zone_of

_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
         "SU": "Sunday"}  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_PLACES = {"1": "first", "2": "second", "3": "third", "4": "fourth", "5": "fifth", "-1": "last", "-2": "last but one"}
_NOUNS = {"YEARLY": "year", "MONTHLY": "month", "WEEKLY": "week", "DAILY": "day", "HOURLY": "hour",
          "MINUTELY": "minute"}  # fmt: skip


def explain(definition: Definition) -> str:
    """When it fires, as a sentence without its full stop. Raises `InvalidInput`."""
    said = {Kind.CRON: _cron, Kind.EVERY: _every, Kind.RRULE: _rrule, Kind.ONCE: _once}[definition.kind](definition)
    zone = "" if definition.kind is Kind.EVERY else f" ({definition.timezone})"
    bounds = [
        f"from {_time(definition.starts_at, definition)}" if definition.starts_at else "",
        f"until {_time(definition.ends_at, definition)}" if definition.ends_at else "",
        f"at most {definition.max_runs:,} times" if definition.max_runs else "",
        f"up to {definition.jitter_s} s later by chance" if definition.jitter_s else "",
        f"not in {', '.join(definition.blackouts)}" if definition.blackouts else "",
    ]
    return ", ".join([said + zone, *filter(None, bounds)])


def _cron(definition: Definition) -> str:
    text, zone = definition.cron or "", zone_of(definition.timezone)
    is_and = definition.cron_days is CronDays.AND
    fields = Cron(text, zone, is_and=is_and).fields
    both = not fields[3].startswith("*") and not fields[5].startswith("*")
    start = datetime(2000, 1, 1, tzinfo=UTC)
    parts = fields if len(text.split()) == 6 else fields[1:]
    if is_and and both:
        days = str(CronSim(f"0 0 * * {fields[5]}", start).explain()).removeprefix("At 00:00 ")
        said = CronSim(" ".join([*parts[:-1], "*"]), start).explain()
        return f"{said}, but only {days}"
    said = str(CronSim(" ".join(parts), start).explain())
    return said.replace(" and on ", " or on ") if both else said


def _every(definition: Definition) -> str:
    n = definition.every or 0
    said = f"Every {definition.unit[:-1]}" if n == 1 else f"Every {n:,} {definition.unit}"
    anchor = definition.anchor or definition.starts_at
    return f"{said}, counted from {_time(anchor, definition)}" if anchor else said


def _once(definition: Definition) -> str:
    return f"Once, on {_time(definition.at, definition)}"


def _rrule(definition: Definition) -> str:
    parts = parts_of(definition.rrule or "")
    n, noun = parts.get("INTERVAL", "1"), _NOUNS[parts["FREQ"]]
    said = [f"Every {noun}" if n == "1" else f"Every {n} {noun}s"]
    place = parts.get("BYSETPOS", "")
    days = parts.get("BYDAY", "")
    if days:
        said.append(f"on {_place(place)}{_days(days, singular=bool(place))}")
    if "BYMONTHDAY" in parts:
        said.append(f"on day {_listed(parts['BYMONTHDAY'].replace('-1', 'last'))} of the month")
    if "BYMONTH" in parts:
        said.append(f"in {_listed(','.join(_MONTHS[int(m) - 1] for m in parts['BYMONTH'].split(',')))}")
    if "BYHOUR" in parts:
        said.append(f"at {_listed(','.join(_clock(h, parts) for h in parts['BYHOUR'].split(',')))}")
    elif (anchor := definition.anchor or definition.starts_at) and noun not in ("hour", "minute"):
        said.append(f"at {anchor.astimezone(zone_of(definition.timezone)):%H:%M}")
    rest = [f"{name}={parts[name]}" for name in ("BYYEARDAY", "BYWEEKNO", "UNTIL") if name in parts]
    return " ".join(said + [f"[{', '.join(rest)}]"] * bool(rest))


def _clock(hour: str, parts: dict[str, str]) -> str:
    return f"{int(hour):02}:{int(parts.get('BYMINUTE', '0').split(',')[0]):02}"


def _place(place: str) -> str:
    return f"the {_PLACES.get(place, place + '.')} " if place else ""


def _days(days: str, *, singular: bool) -> str:
    codes = days.split(",")
    if set(codes) == set(list(_DAYS)[:5]):
        return "weekday" if singular else "weekdays"
    return _listed(",".join(f"{_place(code[:-2].lstrip('+'))}{_DAYS.get(code[-2:], code)}" for code in codes))


def _listed(text: str) -> str:
    *head, last = text.split(",")
    return f"{', '.join(head)} and {last}" if head else last


def _time(at: datetime | None, definition: Definition) -> str:
    return "" if at is None else f"{at.astimezone(zone_of(definition.timezone)):%a %d %b %Y %H:%M}"
