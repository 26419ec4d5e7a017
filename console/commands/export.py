"""`celeriac export`: jobs into a file, by a job."""

from __future__ import annotations

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, job_options, jobs_of, operator, require_database
from console.jobs.search.export import FORMATS, start_export


@click.command(
    epilog=examples("celeriac export --filter 'state:failed after:7d'", "celeriac export --format json --json")
)
@job_options
@click.option("--format", "format_", type=click.Choice(FORMATS), default="csv", show_default=True, help="Of the file.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def export(queue: str, type_: str, text: str, filter_: str, format_: str, is_json: bool) -> None:
    """Write all jobs that match into a file. A job does it, with progress; its page offers the file."""
    import tasks  # noqa: F401  # registers the job types

    require_database()
    broker()  # says so now when none is known
    wanted = jobs_of(queue, type_, text, filter_)
    with db.writing() as session:
        job_id = start_export(session, operator(), wanted, format_)
    if is_json:
        output.as_json({"id": job_id})
    else:
        click.echo(job_id)
