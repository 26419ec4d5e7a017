"""`celeriac failures`: what is done with failure groups; and how `celeriac failed --group` shows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from console import clock, db
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.errors import InvalidInput
from console.failures import queries, service
from console.failures.queries import GroupFilter, GroupView
from console.failures.rules import GroupState, Ignore, Sort
from console.jobs.filters import parse_time

HEADS = ("FINGERPRINT", "STATE", "TYPE", "24 H", "EVER", "OPEN", "FIRST SEEN", "LAST SEEN", "ERROR")
FIGURES = ("24 H", "EVER", "OPEN")
UNITS = {"m": 60, "h": 3_600, "d": 86_400}


def groups_of(type_: str, text: str, limit: int, is_json: bool, state: str = "open", sort: str = "last") -> None:
    """Prints groups, or what GET /api/v1/failures would answer."""
    wanted = GroupFilter(None if state == "all" else GroupState(state), type_, text=text)
    with db.reading() as session:
        page = queries.list_groups(session, wanted, Sort(sort), limit=limit)
    if is_json:
        from console.failures.schemas import group_list

        output.as_json(group_list(page).model_dump(mode="json"))
        return
    if not page.groups:
        output.note(f"No {'' if state == 'all' else state + ' '}failure group{' matches' if type_ or text else ''}.")
        return
    output.table(HEADS, [_row(group) for group in page.groups], right=FIGURES)
    more = " There are more: raise --limit." if page.more else ""
    n = output.counted(len(page.groups), "group")
    output.note(f"{n}. `celeriac failed --group FINGERPRINT` lists its jobs.{more}")


def head(fingerprint: str, is_json: bool) -> None:
    """Says what a group is before its jobs are listed. Raises `NotFound`."""
    with db.reading() as session:
        group = queries.get_group(session, fingerprint)
    if is_json:
        return
    output.note(f"{group.type}: {_said(group)}" + (f" in {group.frame}" if group.frame else ""))
    why = f", {group.reopened_why}" if group.reopened_why else ""
    mine = f", assigned to {group.assignee}" if group.assignee else ""
    output.note(f"{group.state}{why}{mine}; first seen {output.ago(group.first_seen_at)}, {group.total:,} times.")
    for text in filter(None, (group.note, group.runbook)):
        output.note(text)


@click.group(name="failures")
def failures() -> None:
    """Look after failure groups: failed jobs of one type with the same error in the same place."""


@failures.command(
    name="list", epilog=examples("celeriac failures list", "celeriac failures list --state all --sort count")
)
@click.option(
    "--state", type=click.Choice([*map(str, GroupState), "all"]), default="open", show_default=True,
    help="Only groups that stand so.",
)
@click.option("--type", "type_", default="", metavar="TYPE", help="Only groups of this job type.")
@click.option("--text", default="", metavar="TEXT", help="Only with this in type, error, message, place or note.")
@click.option(
    "--sort", type=click.Choice(list(map(str, Sort))), default="last", show_default=True,
    help="What comes first: last seen, most in 24 h (count), most ever (total), first seen last (new).",
)
@click.option("--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many at most.")
@click.option("--json", "is_json", is_flag=True, help="Print what GET /api/v1/failures would answer.")
def list_(state: str, type_: str, text: str, sort: str, limit: int, is_json: bool) -> None:
    """List failure groups."""
    require_database()
    groups_of(type_, text, limit, is_json, state, sort)


@failures.command(epilog=examples("celeriac failures resolve 9f86d081884c7d65"))
@click.argument("fingerprint")
def resolve(fingerprint: str) -> None:
    """Resolve a group; it opens again by itself when it comes back."""
    _do(service.resolve_group, fingerprint)
    click.echo("Resolved. It opens again by itself if it comes back.")


@failures.command(name="open", epilog=examples("celeriac failures open 9f86d081884c7d65"))
@click.argument("fingerprint")
def open_(fingerprint: str) -> None:
    """Open a resolved or ignored group again."""
    _do(service.reopen_group, fingerprint)
    click.echo("It is open again.")


@failures.command(
    epilog=examples(
        "celeriac failures ignore 9f86d081884c7d65 --for 4h",
        "celeriac failures ignore 9f86d081884c7d65 --more 100",
        "celeriac failures ignore 9f86d081884c7d65 --rate 50",
    )
)
@click.argument("fingerprint")
@click.option("--for", "length", metavar="TIME", help="So long: 30m, 4h, 7d.")
@click.option("--until", metavar="TIME", help="Until then, as 2026-03-01T12:00:00+00:00.")
@click.option("--more", type=int, metavar="N", help="Until so many more failures came.")
@click.option("--rate", type=int, metavar="N", help="Until more than so many come in a clock hour.")
def ignore(fingerprint: str, length: str | None, until: str | None, more: int | None, rate: int | None) -> None:
    """Ignore a group for a while; whichever end comes first holds."""
    ends_at = clock.now() + _length(length) if length else _time(until or "")
    _do(service.ignore_group, fingerprint, Ignore(ends_at, more, rate))
    click.echo("Ignored. It opens again by itself.")


@failures.command(epilog=examples("celeriac failures assign 9f86d081884c7d65 support@localhost"))
@click.argument("fingerprint")
@click.argument("person", default="")
def assign(fingerprint: str, person: str) -> None:
    """Say who looks after a group; without a PERSON, nobody does."""
    _do(service.assign_group, fingerprint, person)
    click.echo(f"{person} looks after it." if person else "Nobody looks after it now.")


@failures.command(epilog=examples("celeriac failures note 9f86d081884c7d65 'The bank is informed.'"))
@click.argument("fingerprint")
@click.argument("text", default="")
def note(fingerprint: str, text: str) -> None:
    """Note what the next one should know; without a TEXT, the note goes."""
    _do(service.note_group, fingerprint, text)
    click.echo("The note is kept." if text else "The note is gone.")


@failures.command(epilog=examples("celeriac failures runbook 9f86d081884c7d65 https://wiki.example.com/cards"))
@click.argument("fingerprint")
@click.argument("address", default="")
def runbook(fingerprint: str, address: str) -> None:
    """Link what is written about a group; without an ADDRESS, the link goes."""
    _do(service.link_runbook, fingerprint, address)
    click.echo("The link is kept." if address else "The link is gone.")


def _do(verb: Callable[..., Any], fingerprint: str, *given: Any) -> None:
    require_database()
    with db.writing() as session:
        verb(session, operator(), fingerprint, *given)


def _length(text: str) -> timedelta:
    """A length of time. Raises `InvalidInput` saying how to write it."""
    number, unit = text[:-1], text[-1:].lower()
    if not (number.isascii() and number.isdigit() and unit in UNITS and len(number) < 6):
        raise InvalidInput(f"{text!r} is no length of time. Write it like 30m, 4h or 7d.")
    return timedelta(seconds=int(number) * UNITS[unit])


def _time(text: str) -> datetime | None:
    return parse_time(text, "--until")


def _row(group: GroupView) -> list[object]:
    opened = f"{group.open.n:,}{'' if group.open.exact else '+'}"
    state = f"{group.state} again" if group.reopened_why else group.state
    figures = (output.number(group.day), output.number(group.total), opened)
    seen = (output.ago(group.first_seen_at), output.ago(group.last_seen_at))
    return [group.fingerprint, state, group.type, *figures, *seen, _said(group)]


def _said(group: GroupView) -> str:
    return ": ".join(filter(None, (group.error_type, group.pattern)))
