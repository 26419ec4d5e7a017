"""`celeriac cancel`: keeps jobs from running, or stops them."""

from __future__ import annotations

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, jobs_of, operator, require_database
from console.commands.each import do_to_each
from console.jobs import bulk, service
from console.jobs.filters import JobFilter
from console.jobs.queries import count_jobs
from console.jobs.rules import WAITING


@click.command(
    epilog=examples(
        "celeriac cancel 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f",
        "celeriac cancel --filter 'state:pending type:reports.*' --dry-run",
    )
)
@click.argument("ids", nargs=-1, metavar="ID…")
@click.option("--filter", "filter_", default="", metavar="SEARCH", help="All waiting jobs that match this search.")
@click.option("--dry-run", is_flag=True, help="Say how many would be cancelled, and cancel none. For --filter only.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def cancel(ids: tuple[str, ...], filter_: str, dry_run: bool, is_json: bool) -> None:
    """Cancel jobs. One that waits will not run; one that runs is stopped by its worker.

    With --filter, all waiting jobs that match; those that run are let be.
    """
    if bool(ids) == bool(filter_) or (dry_run and not filter_):
        raise click.UsageError("Name jobs by their ids, or say --filter SEARCH; --dry-run goes with --filter only.")
    require_database()
    broker()  # says so now when none is known
    if filter_:
        _cancel_all(jobs_of("", "", "", filter_), dry_run, is_json)
        return
    do_to_each(
        ids,
        service.cancel_job,
        "was",
        lambda job_id, was: f"{job_id} {'is cancelled' if was in WAITING else 'is being stopped'}",
        is_json,
    )


def _cancel_all(wanted: JobFilter, dry_run: bool, is_json: bool) -> None:
    if dry_run:
        with db.reading() as session:
            meant = bulk.meant(session, bulk.CANCEL, wanted)
            count, is_exact = count_jobs(session, meant) if meant else (0, True)
        text = f"{output.counted(count)}{'' if is_exact else ' or more'} would be cancelled."
    else:
        count, is_exact = bulk.do_to_all(db.writing, bulk.CANCEL, operator(), wanted), True
        text = f"Cancelled {output.counted(count)}."
    if is_json:
        output.as_json({"count": count, "exact": is_exact, "dry_run": dry_run})
    else:
        click.echo(text)
