"""Beginning an action from the command line, and waiting for it: what `retry`, `flush` and `actions` share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click
import redis

from console import db
from console.actions import service
from console.actions.estimate import estimate
from console.actions.queries import ActionView, get_action
from console.actions.rules import ActionState, Kind, parse_rate
from console.actions.schemas import action_answer, estimate_answer
from console.actions.service import PASS_PERCENT, TRIAL_WAIT_S, Plan
from console.commands import output
from console.commands.context import operator
from console.errors import NotConfigured
from console.jobs.filters import JobFilter
from console.presence import alive

POLL_S = 0.5
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def plan_options(command: CommandT) -> CommandT:
    """Adds the options of an action in the background."""
    options = (
        click.option(
            "--background", is_flag=True, help="As a named action on which beat works; implied by the next ones."
        ),
        click.option("--name", default="", metavar="TEXT", help="What to call it, or why it is done."),
        click.option("--rate", default="", metavar="RATE", help="So many at most: 50/s, 600/min."),
        click.option(
            "--wait", is_flag=True, help="Wait until it is over, or needs a person; exit code 1 if not all was done."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def trial_options(command: CommandT) -> CommandT:
    """Adds the options that watch how the new jobs end."""
    options = (
        click.option(
            "--trial", type=int, default=0, metavar="N", help="N jobs first; the rest only if enough of them succeed."
        ),
        click.option(
            "--pass",
            "pass_percent",
            type=int,
            default=PASS_PERCENT,
            show_default=True,
            metavar="PERCENT",
            help="Of the trial, so many must succeed.",
        ),
        click.option(
            "--trial-wait",
            "trial_wait_s",
            type=int,
            default=TRIAL_WAIT_S,
            show_default=True,
            metavar="SECONDS",
            help="How long to wait for that before a person is asked.",
        ),
        click.option("--stop-at", "stop_percent", type=int, metavar="PERCENT", help="Stop when more of its jobs fail."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def is_planned(given: dict[str, Any]) -> bool:
    """Whether the options ask for an action in the background."""
    return any(given.get(name) for name in ("background", "name", "rate", "wait", "trial", "stop_percent"))


def plan_of(kind: Kind, wanted: JobFilter, given: dict[str, Any]) -> Plan:
    """The options as the service takes them. Raises `InvalidInput`."""
    more = {name: given[name] for name in ("trial", "pass_percent", "trial_wait_s", "stop_percent") if name in given}
    plan = Plan(kind, wanted, name=given["name"], rate=parse_rate(given["rate"]), **more)
    service.check_plan(plan)
    return plan


def show_estimate(plan: Plan, *, is_json: bool) -> None:
    """The dry run."""
    with db.reading() as session:
        expected = estimate(session, plan.kind, plan.wanted, plan.rate)
    if is_json:
        output.as_json(estimate_answer(expected).model_dump() | {"dry_run": True})
        return
    number = f"{output.counted(expected.total)}{'' if expected.is_exact else ' or more'}"
    time_said = "time" if expected.seconds is None else f"about {output.duration(expected.seconds * 1000)}"
    click.echo(f"{number}, {time_said} {expected.basis}." if expected.total else f"{number}.")


def begin(plan: Plan, *, wait: bool, is_json: bool) -> None:
    """Begins it, and tells how to follow it or waits for its end."""
    with db.writing() as session:
        action_id = service.create_action(session, operator(), plan)
    if wait:
        follow(action_id, is_json=is_json)
        return
    tell(look(action_id), is_json=is_json, more=f"Follow it with `celeriac actions show {action_id} --wait`.")
    _warn_without_beat()


def follow(action_id: str, *, is_json: bool) -> None:
    """Waits until it is over, or needs a person; ends the command with 1 unless all was done."""
    _warn_without_beat()
    shown, found = "", look(action_id)
    while found.is_open and found.state not in (ActionState.UNDECIDED, ActionState.PAUSED):
        if (line := f"{found.state}: {found.done:,} of {found.estimate:,}") != shown and not is_json:
            output.note(shown := line)
        time.sleep(POLL_S)
        found = look(action_id)
    tell(found, is_json=is_json)
    if found.state not in (ActionState.DONE, ActionState.UNDONE):
        raise SystemExit(1)


def look(action_id: str) -> ActionView:
    """How it stands. Raises `NotFound`."""
    with db.reading() as session:
        return get_action(session, action_id)


def tell(action: ActionView, *, is_json: bool, more: str = "") -> None:
    """One action in a line, or as JSON."""
    if is_json:
        output.as_json(action_answer(action).model_dump(mode="json"))
        return
    said = action.outcome or f"{action.done:,} of {action.estimate:,} done."
    click.echo(f"{action.id} is {action.state}. {said}{' ' + more if more else ''}")


def _warn_without_beat() -> None:
    try:
        if alive("beat"):
            return
    except (redis.RedisError, NotConfigured):
        pass
    output.note("No beat runs: it waits until one does. Start `celeriac beat`.")
