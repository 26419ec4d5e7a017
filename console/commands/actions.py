"""`celeriac actions`: bulk actions that beat works on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click
from sqlalchemy.orm import Session

from console import db
from console.actions import service
from console.actions.queries import list_actions
from console.actions.rules import DESTRUCTIVE, Kind, parse_rate
from console.actions.schemas import action_answer
from console.actor import Actor
from console.commands import output, planned
from console.commands.context import examples, job_options, jobs_of, operator, require_database

Verb = Callable[[Session, Actor, str], Any]


@click.group(
    epilog=examples(
        "celeriac actions list",
        "celeriac actions show 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --wait",
        "celeriac actions undo 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f",
    )
)
def actions() -> None:
    """Follow, pause, stop and undo what is done to many jobs in the background."""


@actions.command(
    epilog=examples(
        "celeriac actions start cancel --queue emails --dry-run",
        "celeriac actions start cancel --queue emails --rate 100/s --yes --wait",
    )
)
@click.argument("kind", type=click.Choice([str(kind) for kind in Kind]))
@job_options
@planned.plan_options
@planned.trial_options
@click.option("--yes", is_flag=True, help="That it is meant: for cancel and flush, which change many jobs at once.")
@click.option("--dry-run", is_flag=True, help="Say how many jobs and how long, and do nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def start(
    kind: str, queue: str, type_: str, text: str, filter_: str, *, yes: bool, dry_run: bool, is_json: bool, **given: Any
) -> None:
    """Begin an action: retry or flush failed jobs, or cancel waiting ones. Without options it means them all."""
    require_database()
    plan = planned.plan_of(Kind(kind), jobs_of(queue, type_, text, filter_), given)
    if dry_run:
        planned.show_estimate(plan, is_json=is_json)
    elif plan.kind in DESTRUCTIVE and not yes:
        raise click.UsageError(f"A {kind} changes many jobs at once. Look with --dry-run, then say --yes.")
    else:
        planned.begin(plan, wait=given["wait"], is_json=is_json)


@actions.command("list", epilog=examples("celeriac actions list --json"))
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, metavar="N", help="How many.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def list_(limit: int, *, is_json: bool) -> None:
    """List actions, newest first."""
    require_database()
    with db.reading() as session:
        found, _ = list_actions(session, None, limit)
    if is_json:
        output.as_json({"data": [action_answer(one).model_dump(mode="json") for one in found]})
    elif not found:
        click.echo("There is no action yet. `celeriac retry failed --background` begins one.")
    else:
        rows = [
            (one.id, one.kind, one.state, f"{one.done:,}/{one.estimate:,}", one.actor, output.ago(one.created_at),
             ", ".join(filter(None, (one.name, *one.words))), one.outcome)
            for one in found
        ]  # fmt: skip
        output.table(("ID", "WHAT", "STATE", "DONE", "BY", "ASKED", "WHICH", "OUTCOME"), rows, right=("DONE",))


@actions.command(epilog=examples("celeriac actions show 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --wait"))
@click.argument("id_", metavar="ID")
@click.option("--wait", is_flag=True, help="Wait until it is over, or needs a person; exit code 1 if not all was done.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def show(id_: str, *, wait: bool, is_json: bool) -> None:
    """Say how an action stands."""
    require_database()
    if wait:
        planned.follow(id_, is_json=is_json)
    else:
        planned.tell(planned.look(id_), is_json=is_json)


@actions.command(epilog=examples("celeriac actions rate 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f 20/s"))
@click.argument("id_", metavar="ID")
@click.argument("rate_", metavar="RATE")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def rate(id_: str, rate_: str, *, is_json: bool) -> None:
    """Change how many jobs an action takes: 50/s, 600/min; `none` is as fast as it goes."""
    given = None if rate_ == "none" else parse_rate(rate_)
    _ask(id_, partial(service.set_rate, rate=given), is_json=is_json)


def _ask(action_id: str, verb: Verb, *, is_json: bool) -> None:
    require_database()
    with db.writing() as session:
        verb(session, operator(), action_id)
    planned.tell(planned.look(action_id), is_json=is_json)


def _add(name: str, purpose: str, verb: Verb) -> None:
    """A command that asks one thing of an action."""
    example = f"celeriac actions {name} 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f"

    @actions.command(name, help=purpose, epilog=examples(example))
    @click.argument("id_", metavar="ID")
    @click.option("--json", "is_json", is_flag=True, help="Print JSON.")
    def ask(id_: str, *, is_json: bool) -> None:
        _ask(id_, verb, is_json=is_json)


_add("pause", "Pause an action. Nothing more is done until it is resumed.", service.pause_action)
_add("resume", "Go on with an action that is paused, failed, or whose trial is undecided.", service.resume_action)
_add("stop", "Stop an action for good. What was done stays done.", service.stop_action)
_add("undo", "Undo a flush: the jobs come back as they were.", service.undo_action)
