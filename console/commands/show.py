"""`celeriac show`: everything known of one job."""

from __future__ import annotations

import click

from console import db
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.jobs import one
from console.jobs.one import Seen


@click.command(
    epilog=examples(
        "celeriac show 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f",
        "celeriac show 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --json",
    )
)
@click.argument("job_id", metavar="ID")
@click.option("--reveal", is_flag=True, help="With what is sensitive; the audit log says that you looked.")
@click.option("--json", "is_json", is_flag=True, help="Print what GET /api/v1/jobs/ID would answer.")
def show(job_id: str, reveal: bool, is_json: bool) -> None:
    """Show one job: its state, its moments, its payload and result, and why it failed.

    Passwords and the like read [hidden].
    """
    import tasks  # noqa: F401  (registers the job types, which say what is sensitive)

    require_database()
    if reveal:
        with db.writing() as session:
            seen = Seen(one.disclose(session, operator(), job_id), [])
    else:
        with db.reading() as session:
            seen = one.see(session, job_id)
    if is_json:
        from console.jobs.schemas import job_detail_answer

        output.as_json(job_detail_answer(seen.job, seen.hidden).model_dump(mode="json"))
    else:
        _print(seen)


def _print(seen: Seen) -> None:
    job, line = seen.job, seen.job.line
    facts = {
        "id": line.id, "type": line.type, "queue": line.queue, "state": line.state, "attempts": line.attempts,
        "enqueued": output.ago(line.enqueued_at), "due": line.due_at and output.instant(line.due_at),
        "run time": None if line.runtime_ms is None else output.duration(line.runtime_ms), "worker": line.worker,
        "retry of": line.retry_of, "retried as": line.retried_as,
        "error": ": ".join(filter(None, (line.error_type, line.error_message))),
    }  # fmt: skip
    for name, value in facts.items():
        if value not in (None, ""):
            click.echo(f"{name:<11} {output.plain(str(value))}")
    for moment in job.timeline:
        click.echo(f"  {output.instant(moment.at)}  {moment.kind} {output.plain(moment.note)}".rstrip())
    for name, value in (("payload", job.payload), ("result", job.result)):
        if value is not None:
            click.echo(f"{name}:\n{output.plain(one.as_text(value))}")
    if job.arguments:
        click.echo(f"arguments:\n{output.plain(job.arguments)}")
    if job.traceback:
        click.echo(f"traceback:\n{output.plain(job.traceback)}")
