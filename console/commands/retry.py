"""`celeriac retry`: runs failed jobs again."""

from __future__ import annotations

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, failed_jobs, job_options, operator, require_database
from console.errors import CeleriacError
from console.jobs import bulk, service
from console.jobs.filters import JobFilter
from console.jobs.queries import count_jobs
from console.jobs.rules import State

ALL = "failed"


@click.command(
    epilog=examples(
        "celeriac retry 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f",
        "celeriac retry failed",
        "celeriac retry failed --queue emails --text Timeout --dry-run",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID…|failed")
@job_options
@click.option("--dry-run", is_flag=True, help="Say how many would be retried, and retry none. For `failed` only.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def retry(ids: tuple[str, ...], queue: str, type_: str, text: str, dry_run: bool, is_json: bool) -> None:
    """Run failed jobs again: those named, or with `failed` all that failed.

    Each is run as a new job; the old one and the new one name each other. One that was retried already is not
    retried twice. The exit code is 0 when every job named was retried.
    """
    require_database()
    broker()  # says so now when none is known
    if ids == (ALL,):
        _retry_all(failed_jobs(queue, type_, text), dry_run, is_json)
        return
    if ALL in ids or queue or type_ or text or dry_run:
        raise click.UsageError("Name jobs by their ids, or say `failed`; the other options go with `failed` only.")
    _retry_each(ids, is_json)


def _retry_all(wanted: JobFilter, dry_run: bool, is_json: bool) -> None:
    retryable = JobFilter(states=(State.RETRYABLE,), queue=wanted.queue, type=wanted.type, text=wanted.text)
    if dry_run:
        with db.reading() as session:
            count, is_exact = count_jobs(session, retryable)
        text = f"{output.counted(count)}{'' if is_exact else ' or more'} would be retried."
    else:
        count, is_exact = bulk.do_to_all(db.writing, service.retry_matching, operator(), retryable), True
        text = f"Retried {output.counted(count)}."
    if is_json:
        output.as_json({"count": count, "exact": is_exact, "dry_run": dry_run})
    else:
        click.echo(text)


def _retry_each(ids: tuple[str, ...], is_json: bool) -> None:
    """Each in a transaction of its own; what cannot be retried does not keep the others from it."""
    retried, refused = [], []
    code = 0
    for job_id in dict.fromkeys(ids):
        try:
            with db.writing() as session:
                new_id = service.retry_job(session, operator(), job_id)
        except CeleriacError as error:
            code = error.exit_code
            refused.append({"id": job_id, "detail": error.detail})
            output.note(f"{job_id}: {error.detail}")
        else:
            retried.append({"id": job_id, "retried_as": new_id})
            if not is_json:
                click.echo(f"{job_id} runs again as {new_id}")
    if is_json:
        output.as_json({"data": retried, "errors": refused})
    if code:
        raise SystemExit(code)
