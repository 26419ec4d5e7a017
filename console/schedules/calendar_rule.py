"""Calendar rules: RRULE of RFC 5545, evaluated by dateutil on the wall clock of a time zone. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, HOURLY, MINUTELY, MONTHLY, WEEKLY, YEARLY, rrule, rrulestr

from console.schedules.recurrence import instant_of, wrong

MAX_LENGTH = 500
AGES = 7_600
"""Years that are added before dateutil looks, a multiple of the calendar's 400: it gives up in the year 9999, and so
after 370 years and not after 8,000. A rule that never fires is found out in a second."""
FAR = timedelta(days=366 * 50)
NEAR = timedelta(hours=3)
"""More than clocks are ever changed by at once."""
_FREQUENCIES = {
    "YEARLY": YEARLY, "MONTHLY": MONTHLY, "WEEKLY": WEEKLY, "DAILY": DAILY, "HOURLY": HOURLY, "MINUTELY": MINUTELY,
}  # fmt: skip
_PARTS = {
    "FREQ", "INTERVAL", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYHOUR",
    "BYMINUTE", "BYSECOND", "BYSETPOS",
}  # fmt: skip
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_RANGES = {
    "BYMONTH": (1, 12, False), "BYMONTHDAY": (1, 31, True), "BYYEARDAY": (1, 366, True), "BYWEEKNO": (1, 53, True),
    "BYHOUR": (0, 23, False), "BYMINUTE": (0, 59, False), "BYSECOND": (0, 59, False), "BYSETPOS": (1, 366, True),
}  # fmt: skip
"""Least, most, and whether a minus may stand before it."""
_NOT_WITH = {
    "BYMONTHDAY": ("WEEKLY",), "BYYEARDAY": ("DAILY", "WEEKLY", "MONTHLY"),
    "BYWEEKNO": ("MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"),
}  # fmt: skip
_STEPS = {WEEKLY: timedelta(weeks=1), DAILY: timedelta(days=1), HOURLY: timedelta(hours=1), MINUTELY: timedelta(0, 60)}


class CalendarRule:
    """A rule from its first day on: the anchor, by whose wall clock it takes what the rule leaves open."""

    def __init__(self, text: str, zone: ZoneInfo, anchor: datetime) -> None:
        self.parts = parts_of(text)
        self._zone = zone
        self._frequency = _FREQUENCIES[self.parts["FREQ"]]
        self._interval = _interval(self.parts.get("INTERVAL", "1"))
        self._anchor = anchor.astimezone(zone).replace(tzinfo=None, microsecond=0)
        self._from = anchor.astimezone(UTC).replace(microsecond=0)
        self._until = _until(self.parts.get("UNTIL"), zone)
        self._text = ";".join(f"{name}={value}" for name, value in self._completed().items())
        self._rule(self._anchor)

    def after(self, at: datetime) -> datetime | None:
        """Of a fixed time the first instant; sub-daily rules run in both passes of a repeated hour, and not in a gap.

        Those that the clocks' change could reorder are all looked at.
        """
        at = max(at, self._from - timedelta(milliseconds=1))
        best: datetime | None = None
        for local in self._locals(at):
            if best is not None and local > best.astimezone(self._zone).replace(tzinfo=None) + NEAR:
                break
            later = [instant for instant in self._instants(local) if instant > at]
            best = min([*later, best] if best else later, default=None)
            if best is not None and self._is_calm(at, best):
                break
        return best if best is not None and (self._until is None or best <= self._until) else None

    def _is_calm(self, at: datetime, best: datetime) -> bool:
        """Whether the clocks are not changed around there, so that the order of the wall clock is the real one."""
        early, late = at - NEAR, best + NEAR
        return early.astimezone(self._zone).utcoffset() == late.astimezone(self._zone).utcoffset() and best - at < FAR

    def _locals(self, at: datetime) -> Iterator[datetime]:
        """Wall-clock times from a little before an instant on."""
        start = at.astimezone(self._zone).replace(tzinfo=None) - NEAR
        try:
            for found in self._rule(start).xafter(_aged(start), inc=True):
                local = found.replace(year=found.year - AGES)
                if local - start > FAR:
                    return
                yield local
        except (OverflowError, ValueError):  # the end of the calendar
            return

    def _instants(self, local: datetime) -> list[datetime]:
        if self._frequency not in (HOURLY, MINUTELY):
            return [instant_of(local, self._zone)]
        both = {local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        return [one for one in both if one.astimezone(self._zone).replace(tzinfo=None) == local]

    def _completed(self) -> dict[str, str]:
        """With what the anchor says, so that the rule may begin anywhere."""
        parts = {name: value for name, value in self.parts.items() if name != "UNTIL"}
        days = {"BYDAY", "BYMONTHDAY", "BYYEARDAY"} & parts.keys()
        if not days and (self._frequency == WEEKLY or "BYWEEKNO" in parts):
            parts["BYDAY"] = _WEEKDAYS[self._anchor.weekday()]
        elif not days and self._frequency in (YEARLY, MONTHLY):
            parts["BYMONTHDAY"] = str(self._anchor.day)
            if self._frequency == YEARLY:
                parts.setdefault("BYMONTH", str(self._anchor.month))
        if self._frequency not in (HOURLY, MINUTELY):
            parts.setdefault("BYHOUR", str(self._anchor.hour))
        if self._frequency != MINUTELY:
            parts.setdefault("BYMINUTE", str(self._anchor.minute))
        return parts | {"BYSECOND": parts.get("BYSECOND", str(self._anchor.second))}

    def _rule(self, start: datetime) -> rrule:
        try:
            made = rrulestr(self._text, dtstart=_aged(self._moved(start)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise wrong("rrule", f"It cannot be used: {error}.") from None
        if not isinstance(made, rrule):
            raise wrong("rrule", "Give one rule.")
        return made

    def _moved(self, at: datetime) -> datetime:
        """A beginning just before that time, in step with the anchor: dateutil would walk all the way from there."""
        begun, n = self._anchor, self._interval
        if self._frequency == YEARLY:
            years = max(0, (at.year - begun.year - 1) // n * n)
            return begun.replace(year=begun.year + years, month=1, day=1)
        if self._frequency == MONTHLY:
            months = (at.year - begun.year) * 12 + at.month - begun.month - 1
            month = begun.month - 1 + max(0, months // n * n)
            return begun.replace(year=begun.year + month // 12, month=month % 12 + 1, day=1)
        step = _STEPS[self._frequency] * n
        return begun + max(0, (at - begun) // step - 1) * step


def _check(parts: Mapping[str, str]) -> None:
    """Raises `InvalidInput` for what the RFC forbids: taken for something else it would fire at times nobody meant."""
    frequency = parts["FREQ"]
    for name in _RANGES.keys() & parts.keys():
        _check_numbers(name, parts[name])
    for name, others in _NOT_WITH.items():
        if name in parts and frequency in others:
            raise wrong("rrule", f"{name} does not go with FREQ={frequency}.")
    if "BYSETPOS" in parts and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
        raise wrong("rrule", "BYSETPOS chooses among what another part names; add one, like BYDAY.")
    if parts.get("WKST", "MO") not in _WEEKDAYS:
        raise wrong("rrule", f"WKST must be one of {', '.join(_WEEKDAYS)}.")
    for term in parts.get("BYDAY", "MO").split(","):
        _check_day(term, parts)


def _check_numbers(name: str, value: str) -> None:
    least, most, is_signed = _RANGES[name]
    for term in value.split(","):
        if not _is_number(term, least, most, is_signed=is_signed):
            raise wrong("rrule", f"{name} has {term[:20]!r}; it goes from {least} to {most}.")


def _check_day(term: str, parts: Mapping[str, str]) -> None:
    number, day = term[:-2], term[-2:]
    if day not in _WEEKDAYS:
        raise wrong("rrule", f"BYDAY has {term[:20]!r}; write days like MO, 2TU or -1FR.")
    if not number:
        return
    if parts["FREQ"] not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts:
        raise wrong("rrule", f"BYDAY={term[:20]}: a number goes with FREQ=MONTHLY or YEARLY, not with BYWEEKNO.")
    most = 53 if parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts else 5
    if not _is_number(number, 1, most, is_signed=True):
        raise wrong("rrule", f"BYDAY has {term[:20]!r}; the number goes from 1 to {most}, from the end with a minus.")


def _is_number(text: str, least: int, most: int, *, is_signed: bool) -> bool:
    digits = text.removeprefix("-").removeprefix("+") if is_signed else text
    return digits.isascii() and digits.isdigit() and len(digits) < 4 and least <= int(digits) <= most


def parts_of(text: str) -> dict[str, str]:
    """The parts of a rule, names in capitals. Raises `InvalidInput`."""
    body = text.strip().upper().removeprefix("RRULE:")
    if not body or len(body) > MAX_LENGTH or not body.isprintable() or not body.isascii():
        raise wrong("rrule", "Write a rule like FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1.")
    parts: dict[str, str] = {}
    for part in body.strip(";").split(";"):
        name, _, value = part.partition("=")
        if name == "COUNT":
            raise wrong("rrule", "Leave out COUNT; set the largest number of runs instead.")
        if name not in _PARTS or not value or name in parts:
            raise wrong("rrule", f"{part[:60]!r} is not a part that can be used here.")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise wrong("rrule", f"FREQ must be one of {', '.join(_FREQUENCIES)}.")
    _check(parts)
    return parts


def _interval(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise wrong("rrule", "INTERVAL must be from 1 to 10,000.")
    return int(text)


def _until(text: str | None, zone: ZoneInfo) -> datetime | None:
    if text is None:
        return None
    for form in ("%Y%m%dT%H%M%SZ", "%Y%m%dT%H%M%S", "%Y%m%d"):
        try:
            found = datetime.strptime(text, form)  # noqa: DTZ007  its zone comes next
        except ValueError:
            continue
        if "T" not in form:
            found += timedelta(days=1, seconds=-1)
        return found.replace(tzinfo=UTC) if form.endswith("Z") else instant_of(found, zone)
    raise wrong("rrule", "UNTIL must be like 20271231 or 20271231T170000Z.")


def _aged(at: datetime) -> datetime:
    return at.replace(year=at.year + AGES)
