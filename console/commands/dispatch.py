"""`celeriac dispatch`: gives workers something to do."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.errors import InvalidInput
from console.files import service as files
from console.jobs import registry, service
from console.jobs.filters import parse_time

PRINTED_IDS = 1
"""With more jobs than this, people are told the number; --json gives every id."""


@click.command(
    epilog=examples(
        "celeriac dispatch demo.noop --count 2000",
        """celeriac dispatch demo.sleep --payload '{"seconds": 5}' --delay 60""",
        "celeriac dispatch heavy.thumbnails --upload one.jpg --upload two.png",
        "celeriac dispatch demo.noop --at 2026-03-01T12:00:00+01:00 --tag nightly --json",
    )
)
@click.argument("type_", metavar="TYPE")
@click.option("--payload", default="{}", metavar="JSON", help="A JSON object; - reads it from standard input.")
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
    """Dispatch a job of TYPE, and print its id.

    It runs as soon as a worker is free, unless --delay or --at says later.
    """
    import tasks  # noqa: F401  (registers the job types)

    kind = registry.job_type(type_)
    options = service.DispatchOptions(
        queue=queue,
        priority=priority,
        delay_s=delay,
        at=parse_time(at, "at"),
        unique_key=unique_key,
        tags=tags,
    )
    given = _payload(payload)
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


def _upload(paths: tuple[Path, ...]) -> str:
    """Keeps the files where the workers that share our data find them; the upload's id."""
    with ExitStack() as opened:
        given = [files.Given(path.name, opened.enter_context(path.open("rb"))) for path in paths]
        return files.keep_pictures(db.writing, operator(), given).id


def _payload(text: str) -> dict[str, Any]:
    """The payload. Raises `InvalidInput` when it is no JSON object."""
    if text == "-":
        text = sys.stdin.read()
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--payload is not JSON: {error}. Quote it for the shell: '{{\"seconds\": 1}}'.") from None
    if not isinstance(given, dict):
        raise InvalidInput("--payload must be a JSON object, such as '{\"seconds\": 1}'.")
    return given
