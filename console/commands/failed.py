"""`celeriac failed`: which jobs failed, and why."""

from __future__ import annotations

import click

from console import db
from console.commands import output
from console.commands.context import examples, failed_jobs, job_options, require_database
from console.commands.failures import groups_of, head
from console.jobs.queries import JobLine, Page, count_jobs, list_jobs
from console.jobs.rules import REASONS, State

EVERY_GROUP = "*"
HEADS = ("ID", "STATE", "TYPE", "QUEUE", "ATTEMPTS", "FAILED", "ERROR")


@click.command(
    epilog=examples(
        "celeriac failed",
        "celeriac failed --queue emails --limit 10",
        "celeriac failed --filter 'error:Timeout* args.user_id:42 after:2h' --json",
        "celeriac failed --group",
        "celeriac failed --group 9f86d081884c7d65",
    )
)
@job_options
@click.option(
    "--group", "group", is_flag=False, flag_value=EVERY_GROUP, default="", metavar="[FINGERPRINT]",
    help="Failure groups instead of jobs; with a fingerprint, the jobs of that group.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@click.option("--json", "is_json", is_flag=True, help="Print what the API would answer.")
def failed(queue: str, type_: str, text: str, filter_: str, group: str, limit: int, is_json: bool) -> None:
    """List failed jobs, newest first.

    A job that is RETRYABLE can be retried; one that is FAILED was retried already, or its payload was not kept.
    """
    require_database()
    if group == EVERY_GROUP:
        groups_of(type_, text, min(limit, 200), is_json)
        return
    if group:
        head(group, is_json)
    wanted = failed_jobs(queue, type_, text, filter_, group)
    with db.reading() as session:
        page = list_jobs(session, wanted, limit=limit)
        total, is_exact = count_jobs(session, wanted)
    if is_json:
        _print_json(page)
        return
    if not page.jobs:
        output.note("No failed jobs.")
        return
    output.table(HEADS, [_row(job) for job in page.jobs], right=["ATTEMPTS"])
    retryable = sum(job.state is State.RETRYABLE for job in page.jobs)
    output.note(
        f"{output.counted(len(page.jobs))} of {output.number(total)}{'' if is_exact else ' or more'}."
        + (" `celeriac retry ID` runs one again, `celeriac retry failed` all of them." if retryable else "")
    )


def _row(job: JobLine) -> list[object]:
    return [job.id, job.state, job.type, job.queue, job.attempts, output.ago(job.finished_at), _why(job)]


def _why(job: JobLine) -> str:
    if job.error_type or job.error_message:
        return ": ".join(filter(None, (job.error_type, job.error_message)))
    return REASONS.get(job.reason or "", "")


def _print_json(page: Page) -> None:
    from console.jobs.schemas import job_list_answer

    output.as_json(job_list_answer(page).model_dump(mode="json"))
