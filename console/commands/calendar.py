"""`celeriac schedules calendar|heat|spread`: what is to come, and what begins at once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import click

from console import clock, db
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.errors import InvalidInput
from console.schedules import coming, spreading
from console.schedules.agenda import Entry, Hour, agenda
from console.schedules.calendar_schemas import heat_answer, hour_answer, spread_answer
from console.schedules.heat import AT_LEAST
from console.schedules.lists import ScheduleFilter
from console.schedules.recurrence import zone_of
from console.schedules.spread import Way
from console.schedules.spreading import LONGEST_S, SpreadPlan, SpreadRequest

_JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON.")
_ZONE = click.option("--timezone", default="UTC", show_default=True, metavar="ZONE", help="By which clocks.")
_TEXT = click.option("--text", default="", metavar="TEXT", help="Only those with this in name or job type.")
_AT_LEAST = click.option(
    "--at-least", type=click.IntRange(2), default=AT_LEAST, show_default=True, metavar="N",
    help="So many in one second are a collision.",
)  # fmt: skip
SHOWN = 10


@click.command(epilog=examples("celeriac schedules calendar --days 2 --timezone Europe/Berlin"))
@click.option("--from", "start", metavar="TIME", help="The first hour; else the one that is now.")
@click.option("--days", type=click.IntRange(1, 8), default=1, show_default=True, metavar="N", help="How many.")
@_ZONE
@_TEXT
@_JSON
def calendar(start: str | None, days: int, timezone: str, text: str, is_json: bool) -> None:
    """Show what schedules did and will do, hour by hour."""
    require_database()
    zone = zone_of(timezone)
    begin = (_time(start, zone) if start else clock.now()).replace(minute=0, second=0, microsecond=0)
    hours = [begin + timedelta(hours=n) for n in range(days * 24 + 1)]
    with db.reading() as session:
        found = agenda(session, list(pairwise(hours)), ScheduleFilter(text))
    if is_json:
        output.as_json({"data": [hour_answer(one).model_dump(mode="json") for one in found]})
        return
    rows = [row for hour in found for row in _rows(hour, zone)]
    output.table(("WHEN", "RUNS", "SCHEDULE", "OUTCOME"), rows, right=("RUNS",))


@click.command(epilog=examples("celeriac schedules heat --timezone Europe/Berlin --at-least 50"))
@click.option("--hours", type=click.IntRange(1, coming.MAX_HOURS), default=24, show_default=True, metavar="N",
              help="How far.")  # fmt: skip
@_AT_LEAST
@_ZONE
@_TEXT
@_JSON
def heat(hours: int, at_least: int, timezone: str, text: str, is_json: bool) -> None:
    """Count the runs of the coming hours, and name the seconds in which many begin."""
    require_database()
    zone = zone_of(timezone)
    with db.reading() as session:
        start = coming.step_before(clock.now(), 3_600)
        found = coming.heat(session, start, hours, 300, at_least, ScheduleFilter(text))
    if is_json:
        output.as_json(heat_answer(found).model_dump(mode="json"))
        return
    if not found.is_complete:
        output.note(f"Estimated from {found.looked:,} of {found.total:,} schedules.")
    rows = []
    for place in range(0, len(found.buckets), 12):
        steps = found.buckets[place : place + 12]
        rows.append((f"{steps[0].at.astimezone(zone):%a %H:%M}", *(one.runs or "." for one in steps)))
    output.table(("HOUR", *(f":{minute:02}" for minute in range(0, 60, 5))), rows)
    for hit in found.collisions[:SHOWN]:
        names = ", ".join(one.name for one in hit.members[:3])
        click.echo(f"{hit.at.astimezone(zone):%a %H:%M:%S}  {hit.runs:,} in one second: {names}, …")
    if found.crowded > SHOWN:
        click.echo(f"and {found.crowded - SHOWN:,} seconds more with {at_least} or more")


@click.command(
    epilog=examples("celeriac schedules spread", "celeriac schedules spread --way shift --over 1800 --apply")
)
@click.option("--way", type=click.Choice([one.value for one in Way]), default="jitter", show_default=True, help="How.")
@click.option("--over", type=click.IntRange(1, LONGEST_S), metavar="SECONDS", help="Else as long as fits.")
@_AT_LEAST
@click.option("--at", metavar="TIME", help="Only what begins in this second.")
@click.option("--apply", "is_applied", is_flag=True, help="Do it; without, it is only said.")
@_JSON
def spread(way: str, over: int | None, at_least: int, at: str | None, is_applied: bool, is_json: bool) -> None:
    """Spread schedules that begin in the same second, at most 200 at once. Those that a file owns stay."""
    require_database()
    wanted = SpreadRequest(Way(way), over, at_least, _time(at, zone_of("UTC")) if at else None)
    with (db.writing() if is_applied else db.reading()) as session:
        plan = spreading.plan_spread(session, wanted)
        if is_applied:
            spreading.apply_spread(session, operator(), wanted, plan.digest)
    if is_json:
        output.as_json(spread_answer(plan).model_dump(mode="json") | {"applied": is_applied})
    else:
        _tell(plan, is_applied=is_applied)


def _tell(plan: SpreadPlan, *, is_applied: bool) -> None:
    for move in plan.moves:
        said = ", ".join(f"{name}: {old} → {new}" for name, (old, new) in move.changes.items())
        click.echo(f"{move.plan.name}  {said}")
    for one in plan.stays:
        output.note(f"{one.plan.name} stays: {one.why}")
    if not plan.moves:
        click.echo("Nothing to spread.")
        return
    before, after = plan.before.peak, plan.after.peak
    click.echo(f"In one second: {before.second:,} → {after.second:,}")
    click.echo(f"In one minute: {before.minute:,} → {after.minute:,}")
    done = f"Spread {output.counted(len(plan.moves), 'schedule')}."
    click.echo(done if is_applied else "Nothing is done; add --apply.")


def _rows(hour: Hour, zone: ZoneInfo) -> Iterator[tuple[Any, ...]]:
    for one in hour.entries[:SHOWN]:
        yield f"{one.at.astimezone(zone):%a %d %b %H:%M:%S}", one.runs, one.name, _outcome(one)
    rest = hour.runs - sum(one.runs for one in hour.entries[:SHOWN])
    if rest > 0:
        yield f"{hour.start.astimezone(zone):%a %d %b %H}", rest, "others", "" if hour.is_exact else "about"


def _outcome(one: Entry) -> str:
    return ", ".join(f"{n} {outcome.word}" for outcome, n in one.outcomes) or "to come"


def _time(text: str, zone: ZoneInfo) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time; write it like {output.instant(clock.now())}.") from None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(zone_of("UTC"))
