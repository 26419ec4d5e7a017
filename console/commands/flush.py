"""`celeriac flush`: deletes failed jobs."""

from __future__ import annotations

import sys
from typing import Any

import click

from console import db
from console.actions.rules import Kind
from console.commands import output, planned
from console.commands.context import examples, failed_jobs, job_options, operator, require_database
from console.jobs import bulk
from console.jobs.filters import JobFilter
from console.jobs.queries import count_jobs


@click.command(
    epilog=examples(
        "celeriac flush --background --yes", "celeriac flush --queue emails",
        "celeriac flush --filter 'type:reports.* before:7d'",
    )
)
@job_options
@planned.plan_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def flush(queue: str, type_: str, text: str, filter_: str, yes: bool, is_json: bool, **plan: Any) -> None:
    """Delete failed jobs with all that is known of them.

    They cannot be had back, unless it is done with --background: then for CELERIAC_UNDO_HOURS, by
    `celeriac actions undo ID`.
    """
    require_database()
    wanted = failed_jobs(queue, type_, text, filter_)
    is_planned = planned.is_planned(plan)
    if not yes:
        _ask(*_count(wanted), for_good=not is_planned)
    if is_planned:
        planned.begin(planned.plan_of(Kind.FLUSH, wanted, plan), wait=plan["wait"], is_json=is_json)
        return
    count = bulk.do_to_all(db.writing, bulk.FLUSH, operator(), wanted)
    if is_json:
        output.as_json({"count": count})
    else:
        click.echo(f"Deleted {output.counted(count, 'failed job')}.")


def _count(wanted: JobFilter) -> tuple[int, bool]:
    with db.reading() as session:
        return count_jobs(session, wanted)


def _ask(count: int, is_exact: bool, *, for_good: bool) -> None:
    """Raises `click.Abort` when the answer is no; a script has to say --yes."""
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to confirm it. Add --yes to delete without being asked.")
    number = f"{output.counted(count, 'failed job')}{'' if is_exact else ' or more'}"
    click.confirm(f"Delete {number}{' for good' if for_good else ''}?", abort=True, err=True)
