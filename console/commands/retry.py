"""`celeriac retry`: runs failed jobs again."""

from __future__ import annotations

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, failed_jobs, job_options, operator, require_database
from console.commands.each import Verb, do_to_each
from console.commands.payloads import payload_of
from console.jobs import again, bulk, service
from console.jobs.filters import JobFilter
from console.jobs.queries import count_jobs
from console.jobs.rules import State

ALL = "failed"


@click.command(
    epilog=examples(
        "celeriac retry 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f",
        """celeriac retry 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --payload '{"seconds": 5}'""",
        "celeriac retry failed",
        "celeriac retry failed --queue emails --text Timeout --dry-run",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID…|failed")
@job_options
@click.option("--dry-run", is_flag=True, help="Say how many would be retried, and retry none. For `failed` only.")
@click.option("--payload", default="", metavar="JSON", help="Of one job: use this; @FILE reads a file, - input.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def retry(ids: tuple[str, ...], queue: str, type_: str, text: str, dry_run: bool, payload: str, is_json: bool) -> None:
    """Run failed jobs again: those named, or with `failed` all that failed.

    Each is run as a new job; the old one and the new one name each other. One that was retried already is not
    retried twice. The exit code is 0 when every job named was retried.
    """
    require_database()
    broker()  # says so now when none is known
    if ids == (ALL,) and not payload:
        _retry_all(failed_jobs(queue, type_, text), dry_run, is_json)
        return
    if ids == (ALL,) and payload:
        raise click.UsageError("--payload goes with the id of one job.")
    if ALL in ids or queue or type_ or text or dry_run:
        raise click.UsageError("Name jobs by their ids, or say `failed`; the other options go with `failed` only.")
    verb = service.retry_job if not payload else _with_payload(ids, payload)
    do_to_each(ids, verb, "retried_as", lambda job_id, new_id: f"{job_id} runs again as {new_id}", is_json)


def _with_payload(ids: tuple[str, ...], text: str) -> Verb:
    """Retries a job with the payload: its named values, or `{"args": […], "kwargs": {…}}` as the page has it."""
    import tasks  # noqa: F401  (registers the job types, whose schemas the payload has to fit)

    if len(ids) > 1:
        raise click.UsageError("--payload goes with the id of one job.")
    given = payload_of(text)
    whole = given if given.keys() <= {"args", "kwargs"} and given else {"kwargs": given}
    return lambda session, actor, job_id: again.retry_with(session, actor, job_id, whole)


def _retry_all(wanted: JobFilter, dry_run: bool, is_json: bool) -> None:
    retryable = JobFilter((State.RETRYABLE,), queue=wanted.queue, type=wanted.type, text=wanted.text, ours=True)
    if dry_run:
        with db.reading() as session:
            count, is_exact = count_jobs(session, retryable)
        text = f"{output.counted(count)}{'' if is_exact else ' or more'} would be retried."
    else:
        count, is_exact = bulk.do_to_all(db.writing, bulk.RETRY, operator(), retryable), True
        text = f"Retried {output.counted(count)}."
    if is_json:
        output.as_json({"count": count, "exact": is_exact, "dry_run": dry_run})
    else:
        click.echo(text)
