"""What is typed on the pages of schedules."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy.orm import Session

from console import clock
from console.errors import InvalidInput
from console.jobs.payload_form import KIND, PREFIX, PayloadForm, form_again, read_payload, typed_form, wrong_in
from console.schedules import planning, queries
from console.schedules.definition import Definition, Overlap, parse_definition
from console.schedules.lists import ScheduleFilter
from console.schedules.queries import Backfill, Coming, ScheduleView
from console.schedules.recurrence import instant_of, wrong, zone_of
from console.schedules.rules import Run
from console.schedules.usual import Usual, usual_run
from console.schedules.words import explain
from console.web.filters import duration_ms

AHEAD = timedelta(days=366 * 5)
COMING = 10
FIELDS = frozenset(Definition.model_fields)
TIMES = ("anchor", "at", "starts_at", "ends_at")
WORDS = ("blackouts", "tags")
ARGS = "args"
OF_KIND = {
    "cron": ("cron", "cron_days"), "every": ("every", "unit", "anchor"), "rrule": ("rrule", "anchor"), "once": ("at",),
}  # fmt: skip
THEN = {
    Overlap.SKIP: "the second time is skipped", Overlap.QUEUE: "one waits for the one before",
    Overlap.ALLOW: "both run", Overlap.CANCEL: "the one before is cancelled",
}  # fmt: skip
BACKFILL = ("start", "end", "spacing_s")
_SPECIAL = (*TIMES, *WORDS, PREFIX, ARGS)


def filter_of(given: Mapping[str, str]) -> ScheduleFilter:
    """Which schedules the list shows; a state that does not exist is none."""
    state = given.get("state", "")
    text = "".join(letter for letter in given.get("q", "").strip()[:200] if letter.isprintable())
    return ScheduleFilter(
        text, state if state in planning.STATES else "", "", given.get("flagged") == "1"
    )


def local_time(given: Mapping[str, str], name: str, zone: str) -> datetime | None:
    """What a field for a local time holds, as an instant; None: nothing. Raises `InvalidInput`."""
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise wrong(name, "Write a time like 2026-03-29T02:30.") from None
    if not 1970 <= local.year <= 2_300:
        raise wrong(name, "Use a time from 1970 to 2300.")
    return (local if local.tzinfo else instant_of(local, zone_of(zone))).astimezone(UTC)


def rev_of(given: Mapping[str, str]) -> int | None:
    """What the form saw of the schedule; None: it does not say."""
    text = given.get("rev", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def backfill_of(typed: Mapping[str, str], zone: str) -> Backfill:
    """The span that was typed. Raises `InvalidInput`."""
    start, end = (local_time(typed, name, zone) for name in ("start", "end"))
    if start is None or end is None:
        raise wrong("start" if start is None else "end", "Say when.")
    try:
        spacing = float(typed.get("spacing_s", "").strip() or 0)
    except ValueError:
        raise wrong("spacing_s", "Type a number of seconds.") from None
    return Backfill(start, end, typed.get("all") != "1", spacing)


def coming(session: Session, schedule: ScheduleView) -> list[Coming]:
    """Its next runs; none when it rests or cannot fire."""
    now = clock.now()
    try:
        return queries.coming_runs(session, now, now + AHEAD, schedule.id, COMING).runs
    except InvalidInput:
        return []


def blank(name: str = "", kind: str = "") -> dict[str, str]:
    """What an empty form holds."""
    return {
        "name": name, "type": kind, "args": "[]", "kind": "cron", "cron": "0 9 * * 1-5", "every": "15",
        "unit": "minutes", "timezone": "UTC", "overlap": "skip", "catch_up": "last", "cron_days": "or",
    }  # fmt: skip


def typed_of(definition: Definition) -> dict[str, str]:
    """A definition as if it had been typed."""
    zone = zone_of(definition.timezone)
    said = definition.model_dump(mode="json")
    typed = {name: "" if value is None else str(value) for name, value in said.items() if name not in _SPECIAL}
    for name in TIMES:
        at = getattr(definition, name)
        typed[name] = at.astimezone(zone).replace(tzinfo=None).isoformat() if at else ""
    for name in WORDS:
        typed[name] = ", ".join(said[name])
    return typed | {ARGS: json.dumps(said[ARGS], indent=2, ensure_ascii=False)}


def definition_of(typed: Mapping[str, str]) -> Definition:
    """What was typed, as a definition. Raises `InvalidInput` with every field that does not fit."""
    given, problems = _given(typed)
    form = typed_form(given.get("type", ""), typed)
    if not form.is_json and typed.get(KIND, form.kind) != form.kind:
        problems.append({"field": "type", "message": "Its fields are shown below now: fill them in."})
    else:
        given[PREFIX], unread = read_payload(form)
        problems += unread
    return _parsed(given, problems)


def shown_again(
    typed: Mapping[str, str], error: InvalidInput | None = None
) -> tuple[PayloadForm, dict[str, list[str]]]:
    """The payload as it was typed, changed as somebody asked, and what is wrong with the whole form."""
    form, wrong = form_again(typed.get("type", "").strip(), typed)
    return form, wrong_of(error, payload=form) if error else wrong


def wrong_of(
    error: InvalidInput, names: Collection[str] = FIELDS, payload: PayloadForm | None = None
) -> dict[str, list[str]]:
    """What is wrong, by field of the form."""
    found: dict[str, list[str]] = {}
    for one in error.errors or [{"field": "form", "message": error.detail}]:
        name, _, inner = one["field"].partition(".")
        if name == PREFIX and payload is not None:
            for at, messages in wrong_in(payload, [one]).items():
                found.setdefault(at, []).extend(messages)
            continue
        said = one["message"].removeprefix("Value error, ")
        found.setdefault(name if name in names else "form", []).append(f"{inner}: {said}" if inner else said)
    return found


@dataclass(frozen=True, slots=True)
class Preview:
    """What was typed, in words, with its next runs. `warning`: they come closer than they usually take."""

    words: str = ""
    runs: Sequence[Run] = ()
    warning: str = ""
    wrong: Mapping[str, list[str]] = field(default_factory=dict)


def preview_of(session: Session, typed: Mapping[str, str]) -> Preview:
    """What a form means so far; what does not matter for its times may be missing."""
    told = {name: value for name, value in typed.items() if name != ARGS}
    told |= {name: typed.get(name, "").strip() or "-" for name in ("name", "type")}
    try:
        definition = _parsed(*_given(told))
        runs = queries.preview(session, definition, COMING)
        words = explain(definition)
    except InvalidInput as error:
        return Preview(wrong=wrong_of(error))
    usual = usual_run(session, definition.type, typed.get("of", "")[:36])
    return Preview(words, runs, _crowded(runs, usual, definition.overlap))


def _crowded(runs: Sequence[Run], usual: Usual | None, overlap: Overlap) -> str:
    """A warning, when the next run often comes before the one before has ended; empty: it does not."""
    gaps = [(after.due_at - before.due_at).total_seconds() * 1_000 for before, after in pairwise(runs)]
    if usual is None or not gaps or min(gaps) > usual.p95_ms:
        return ""
    takes, apart = usual.median_ms, duration_ms(min(gaps))
    if min(gaps) <= takes:
        said = f"Runs come {apart} apart and usually take {duration_ms(takes)}: they overlap"
    else:
        said = f"Runs come {apart} apart and some take {duration_ms(usual.p95_ms)}: now and then they overlap"
    return f"{said}; then {THEN[overlap]}."


def _given(typed: Mapping[str, str]) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The fields that are filled in and that the kind has, each as its own type, and what cannot be read."""
    problems: list[dict[str, str]] = []
    kind = typed.get("kind", "")
    others = {name for one, names in OF_KIND.items() if one != kind for name in names} - set(OF_KIND.get(kind, ()))
    zone = typed.get("timezone", "").strip() or "UTC"
    given: dict[str, Any] = {}
    for name in FIELDS - others - {PREFIX}:
        text = typed.get(name, "").strip()
        if not text:
            continue
        try:
            given[name] = _read(name, text, zone)
        except InvalidInput as error:
            problems += error.errors
    return given | {"timezone": zone}, problems


def _parsed(given: dict[str, Any], problems: list[dict[str, str]]) -> Definition:
    try:
        definition = parse_definition(given)
    except InvalidInput as error:
        problems += [one for one in error.errors if one["field"] not in {known["field"] for known in problems}]
    if problems:
        raise InvalidInput("Something does not fit.", problems)
    return definition


def _read(name: str, text: str, zone: str) -> Any:
    if name in TIMES:
        return local_time({name: text}, name, zone)
    if name in WORDS:
        return [word for part in text.split(",") if (word := part.strip())]
    if name != ARGS:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise wrong(name, f"This is not JSON: {error}.") from None


def zones() -> list[str]:
    """The names of time zones, to choose from."""
    return sorted(available_timezones())
