"""`celeriac blackouts`: calendars of times at which no schedule fires that keeps to them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from sqlalchemy.orm import Session

from console import db
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.errors import InvalidInput, NotFound
from console.schedules import blackout_calendars as calendars
from console.schedules import queries
from console.schedules.falling import Change, change_of, list_views
from console.schedules.schemas import CalendarAnswer, CalendarEffect

_JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON.")
_NAME = click.argument("name", metavar="NAME")


@click.group(
    epilog=examples(
        "celeriac blackouts set holidays --date 2026-12-24..2026-12-26 --schedule 'Nightly report'",
        "celeriac blackouts set holidays holidays.ics --dry-run",
    )
)
def blackouts() -> None:
    """Keep calendars of times at which nothing fires."""


@blackouts.command("list", epilog=examples("celeriac blackouts list"))
@_JSON
def list_(is_json: bool) -> None:
    """List the calendars, by name."""
    require_database()
    with db.reading() as session:
        found = list_views(session)
    spans = {one.name: [output.instant(at) for at in one.span] if one.span else None for one in found}
    if is_json:
        names = ("name", "ahead", "users", "changed_by")
        shown = [{name: getattr(one, name) for name in names} | {"next": spans[one.name]} for one in found]
        output.as_json({"data": shown})
    elif not found:
        click.echo("There is no calendar of blackouts.")
    else:
        rows = [(one.name, one.users, one.ahead, *(spans[one.name] or ("", ""))) for one in found]
        output.table(("NAME", "SCHEDULES", "AHEAD", "FROM", "UNTIL"), rows, right=("SCHEDULES", "AHEAD"))


@blackouts.command(epilog=examples("celeriac blackouts show holidays > holidays.txt"))
@_NAME
@_JSON
def show(name: str, is_json: bool) -> None:
    """Print a calendar as it was given; which schedules keep to it, on standard error."""
    require_database()
    with db.reading() as session:
        row = queries.get_calendar(session, name)
        change = change_of(session, row.name, row.text)
        answer = CalendarAnswer.model_validate(row).model_dump(mode="json")
    if is_json:
        output.as_json(answer | {"effect": CalendarEffect.model_validate(change).model_dump(mode="json")})
        return
    click.echo(answer["text"])
    for one in change.affected:
        output.note(f"{one.name} leaves out {output.counted(one.gone, 'run')} of the coming year")


@blackouts.command("set", epilog=examples("celeriac blackouts set inventory --date 2027-01-02T06:00..2027-01-02T18:00"))
@_NAME
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--date", "dates", multiple=True, metavar="DATE", help="A date or a span; as often as needed.")
@click.option("--schedule", "names", multiple=True, metavar="SCHEDULE", help="It keeps to the calendar from now on.")
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
@_JSON
def set_(
    name: str, file: Path | None, dates: tuple[str, ...], names: tuple[str, ...], dry_run: bool, is_json: bool
) -> None:
    """Keep a calendar: of dates, or of an iCalendar file. It takes the place of the one of that name."""
    if (file is None) == (not dates):
        raise click.UsageError("Give a file (- for standard input), or --date.")
    require_database()
    text = "\n".join(dates) if file is None else _read(file)
    with (db.reading() if dry_run else db.writing()) as session:
        change = change_of(session, name, text, names, before=_before(session, name))
        if not dry_run:
            calendars.save_calendar(session, operator(), name, text, add=names)
    if is_json:
        output.as_json(CalendarEffect.model_validate(change).model_dump(mode="json") | {"kept": not dry_run})
    else:
        _tell(change, "would" if dry_run else "now")


@blackouts.command(epilog=examples("celeriac blackouts delete holidays --detach"))
@_NAME
@click.option("--detach", is_flag=True, help="Take it out of the schedules that keep to it first.")
def delete(name: str, detach: bool) -> None:
    """Delete a calendar. Without --detach it cannot go while a schedule keeps to it."""
    require_database()
    with db.writing() as session:
        calendars.delete_calendar(session, operator(), name, detach=detach)
    click.echo(f"Deleted {name}.")


def _before(session: Session, name: str) -> str | None:
    try:
        return queries.get_calendar(session, name).text
    except NotFound:
        return None


def _read(path: Path) -> str:
    try:
        said: Any = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    return str(said)


def _tell(change: Change, word: str) -> None:
    click.echo(f"{output.counted(change.ahead, 'blackout')} in the coming year; {word}, of {change.users:,} schedules:")
    least = "" if change.is_exact else "at least "
    click.echo(f"  {least}{output.counted(change.gone, 'run')} fall away, {least}{change.back:,} come back")
    for one in change.affected:
        if one.gone or one.back:
            click.echo(f"  {one.name}: -{one.gone:,} +{one.back:,}, first {output.instant(one.first)}")
