"""What several commands need: who runs them, a database that is ready, and the options that name jobs."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import click
from sqlalchemy import inspect
from sqlalchemy.engine import make_url

from console import clock, db
from console.actor import Actor
from console.config import settings, without_password
from console.errors import InvalidInput, NotConfigured
from console.jobs.filters import Condition, JobFilter
from console.jobs.rules import State
from console.jobs.search.language import combined, to_filter

FAILED_STATES = (State.RETRYABLE, State.FAILED)

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    """The examples below a command's help, as they were written: click would fill them into a paragraph."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def operator() -> Actor:
    """Whoever can run commands on this data may do everything; the audit log says which account it was."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's account without an entry
        name = str(uid)
    return Actor(f"cli:{name}", "admin")


def refuse_others(mode: str, *allowed: str) -> None:
    """Raises `click.UsageError` when options were given that do not go with the one that sets the mode."""
    context = click.get_current_context()
    for option in context.command.params:
        name = option.opts[0].lstrip("-")
        given = option.name and context.get_parameter_source(option.name) is click.core.ParameterSource.COMMANDLINE
        if isinstance(option, click.Option) and given and name not in (mode, *allowed, "data"):
            raise click.UsageError(f"--{name} does not go with --{mode}.")


def require_database() -> None:
    """Raises `NotConfigured`, and creates nothing, when the database is not there or has no tables of ours."""
    url = make_url(settings().database)
    if url.get_backend_name() == "sqlite" and url.database and not os.path.exists(url.database):  # noqa: PTH110
        raise NotConfigured(
            f"There is no database at {url.database}. Start `celeriac up` first, or name its directory with --data."
        )
    if not inspect(db.engine()).has_table("job_status"):
        raise NotConfigured(
            f"The database {without_password(settings().database)} has no tables yet. Run `celeriac migrate` first."
        )


def job_options(command: CommandT) -> CommandT:
    """Adds the options that say which jobs are meant."""
    options = (
        click.option(
            "--filter",
            "filter_",
            default="",
            metavar="SEARCH",
            help="A search as on the Jobs page: 'error:Timeout* args.user_id:42 after:2h'.",
        ),
        click.option(
            "--text",
            default="",
            metavar="TEXT",
            help="Only jobs with this in id, type, error or payload; of the newest 20,000 that fit the rest.",
        ),
        click.option("--type", "type_", default="", metavar="TYPE", help="Only jobs of this type."),
        click.option("--queue", default="", metavar="QUEUE", help="Only jobs of this queue."),
    )
    for option in options:
        command = option(command)
    return command


def failed_jobs(queue: str, type_: str, text: str, filter_: str = "", group: str = "") -> JobFilter:
    """The failed jobs that the options name; `group`: the fingerprint of theirs. Raises `InvalidInput`."""
    wanted = jobs_of(queue, type_, text, filter_)
    states = tuple(state for state in FAILED_STATES if not wanted.states or state in wanted.states)
    if not states:
        raise InvalidInput("This command is for failed jobs. Leave state: out of --filter, or say state:failed.")
    of_group = (Condition("group", group),) if group else ()
    return replace(wanted, states=states, conditions=(*wanted.conditions, *of_group))


def jobs_of(queue: str, type_: str, text: str, filter_: str) -> JobFilter:
    """The jobs that the options name. Raises `InvalidInput`."""
    return to_filter(combined(filter_, {"queue": [queue], "type": [type_], "text": [text]}), clock.now())
