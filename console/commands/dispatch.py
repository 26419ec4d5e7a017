"""`celeriac dispatch`: gives workers something to do."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, operator, refuse_others, require_database
from console.commands.payloads import payload_of
from console.files import service as files
from console.jobs import again, registry, service
from console.jobs.filters import parse_time

PRINTED_IDS = 1
"""With more jobs than this, people are told the number; --json gives every id."""


def _type_or_model(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """One of the two is needed; which of them, nobody but this command knows."""
    if not value and not context.params.get("model"):
        raise click.MissingParameter("Give a TYPE, or the id of a job with --like.", context, parameter)
    return value


@click.command(
    epilog=examples(
        "celeriac dispatch demo.noop --count 2000",
        """celeriac dispatch demo.sleep --payload '{"seconds": 5}' --delay 60""",
        "celeriac dispatch --like 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f",
        "celeriac dispatch heavy.thumbnails --upload one.jpg --upload two.png",
        "celeriac dispatch demo.noop --at 2026-03-01T12:00:00+01:00 --tag nightly --json",
    )
)
@click.argument("type_", metavar="[TYPE]", default="", callback=_type_or_model)
@click.option(
    "--like", "model", default="", metavar="ID", is_eager=True,
    help="Instead of TYPE: what this job was, which has ended.",
)
@click.option("--payload", default="", metavar="JSON", help="A JSON object; @FILE reads it from a file, - from input.")
@click.option(
    "--upload", "uploads", type=click.Path(exists=True, dir_okay=False, path_type=Path), multiple=True, metavar="FILE",
    help="A picture for the job, as its payload's `upload`; may be given several times.",
)
@click.option("--count", type=click.IntRange(1, 100_000), default=1, show_default=True, help="How many equal jobs.")
@click.option("--queue", metavar="QUEUE", help="Queue to use instead of the type's own.")
@click.option("--delay", type=click.FloatRange(0), metavar="SECONDS", help="Wait before running it.")
@click.option("--at", default="", metavar="TIME", help="When to run it, such as 2026-03-01T12:00:00Z.")
@click.option("--priority", type=click.IntRange(0, 9), help="0 (first) to 9 (last).")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="Marks the job; may be given several times.")
@click.option("--unique-key", metavar="KEY", help="If a job with this key has not ended yet, give its id instead.")
@click.option("--json", "is_json", is_flag=True, help="Print the ids as JSON.")
def dispatch(
    type_: str,
    model: str,
    payload: str,
    uploads: tuple[Path, ...],
    count: int,
    queue: str | None,
    delay: float | None,
    at: str,
    priority: int | None,
    tags: tuple[str, ...],
    unique_key: str | None,
    is_json: bool,
) -> None:
    """Dispatch a job of TYPE, or one like another with --like, and print its id.

    It runs as soon as a worker is free, unless --delay or --at says later.
    """
    import tasks  # noqa: F401  (registers the job types)

    if type_ and model:
        raise click.UsageError("Give a TYPE, or the id of a job with --like, not both.")
    if model:
        refuse_others("like", "payload", "json")
        _dispatch_like(model, payload, is_json)
        return
    kind = registry.job_type(type_)
    options = service.DispatchOptions(
        queue=queue,
        priority=priority,
        delay_s=delay,
        at=parse_time(at, "at"),
        unique_key=unique_key,
        tags=tags,
    )
    given = payload_of(payload or "{}")
    require_database()
    broker()  # says so now when none is known
    if uploads:
        given["upload"] = _upload(uploads)
    with db.writing() as session:
        ids = service.dispatch(session, operator(), kind, given, options, count)
    if is_json:
        output.as_json({"ids": ids})
    elif len(ids) > PRINTED_IDS:
        click.echo(f"Dispatched {output.counted(len(ids))} of type {kind.name}.")
    else:
        click.echo(ids[0])


def _dispatch_like(job_id: str, payload: str, is_json: bool) -> None:
    """One new job that does what this one did, or was to do."""
    require_database()
    broker()  # says so now when none is known
    given = payload_of(payload) if payload else None
    whole = given if given is None or (given and given.keys() <= {"args", "kwargs"}) else {"kwargs": given}
    with db.writing() as session:
        new_id = again.run_again(session, operator(), job_id, whole)
    if is_json:
        output.as_json({"ids": [new_id]})
    else:
        click.echo(new_id)


def _upload(paths: tuple[Path, ...]) -> str:
    """Keeps the files where the workers that share our data find them; the upload's id."""
    with ExitStack() as opened:
        given = [files.Given(path.name, opened.enter_context(path.open("rb"))) for path in paths]
        return files.keep_pictures(db.writing, operator(), given).id
