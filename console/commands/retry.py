"""`celeriac retry`: runs failed jobs again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from console import db
from console.actions.rules import Kind
from console.actions.service import Plan
from console.broker.valkey import broker
from console.commands import output, planned
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
        "celeriac retry --filter 'queue:emails error:Timeout*' --dry-run",
        "celeriac retry --filter 'group:9f86d081884c7d65' --trial 20 --rate 50/s --wait",
    )
)
@click.argument("ids", nargs=-1, metavar="ID…|failed")
@job_options
@planned.plan_options
@planned.trial_options
@click.option("--dry-run", is_flag=True, help="Say how many would be retried, and retry none. For `failed` only.")
@click.option("--payload", default="", metavar="JSON", help="Of one job: use this; @FILE reads a file, - input.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def retry(
    ids: tuple[str, ...], queue: str, type_: str, text: str, filter_: str, dry_run: bool, payload: str, is_json: bool,
    **plan: Any,
) -> None:  # fmt: skip
    """Run failed jobs again: those named, or with `failed` or --filter all that match.

    Each is run as a new job; the old one and the new one name each other. One that was retried already is not
    retried twice. The exit code is 0 when every job named was retried.
    """
    require_database()
    broker()  # says so now when none is known
    narrowed = bool(queue or type_ or text or filter_ or dry_run or planned.is_planned(plan))
    if payload and (narrowed or ids == (ALL,) or len(ids) != 1):
        raise click.UsageError("--payload goes with the id of one job.")
    if ids == (ALL,) or (filter_ and not ids):
        wanted = failed_jobs(queue, type_, text, filter_)
        if planned.is_planned(plan):
            _plan_all(planned.plan_of(Kind.RETRY, wanted, plan), dry_run, is_json, wait=plan["wait"])
        else:
            _retry_all(wanted, dry_run, is_json)
        return
    if not ids or ALL in ids or narrowed:
        raise click.UsageError("Name jobs by their ids, or say `failed` or --filter; the rest goes with these two.")
    verb = _with_payload(payload) if payload else service.retry_job
    do_to_each(ids, verb, "retried_as", lambda job_id, new_id: f"{job_id} runs again as {new_id}", is_json)


def _with_payload(text: str) -> Verb:
    """Retries a job with the payload: its named values, or `{"args": […], "kwargs": {…}}` as the page has it."""
    import tasks  # noqa: F401  (registers the job types, whose schemas the payload has to fit)

    given = payload_of(text)
    whole = given if given.keys() <= {"args", "kwargs"} and given else {"kwargs": given}
    return lambda session, actor, job_id: again.retry_with(session, actor, job_id, whole)


def _plan_all(plan: Plan, dry_run: bool, is_json: bool, *, wait: bool) -> None:
    if dry_run:
        planned.show_estimate(plan, is_json=is_json)
    else:
        planned.begin(plan, wait=wait, is_json=is_json)


def _retry_all(wanted: JobFilter, dry_run: bool, is_json: bool) -> None:
    retryable = replace(wanted, states=(State.RETRYABLE,), ours=True)
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
