"""`celeriac logs ID`: what a job logged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import click

from console import db
from console.commands import output
from console.commands.context import examples, require_database
from console.jobs.queries import get_job, state_and_attempts
from console.jobs.rules import is_ended
from console.logs.queries import LEVELS, LogLine, Place, lines_after, parse_level
from console.logs.shown import as_text

PAGE = 500
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
LOOK_EVERY_S = 0.5
AFTER_END_S = 2.0
"""What a job logged last may be stored a moment after its end."""


@click.command(epilog=examples("celeriac logs JOB-ID --level WARNING", "celeriac logs JOB-ID --follow"))
@click.argument("job_id", metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Go on until the job has ended.")
@click.option("--attempt", default="", metavar="N.RUN", help='Only of one attempt, as in "2.0".')
@click.option("--level", type=click.Choice(list(LEVELS), case_sensitive=False), help="Least level that is shown.")
@click.option("--json", "is_json", is_flag=True, help="Print each line as one JSON object, as the API gives it.")
def logs(job_id: str, follow: bool, attempt: str, level: str | None, is_json: bool) -> None:
    """Show what a job logged, oldest first."""
    require_database()
    of, least = Place.decode(attempt), parse_level(level or "")
    with db.reading() as session:
        get_job(session, job_id)
    shown = 0
    for line in _lines(job_id, of, least, follow=follow):
        click.echo(_as_json(line) if is_json else _printable(as_text(line)))
        shown += 1
    if not shown:
        output.note("It logged nothing" + (f" of level {level.upper()} or above." if level else "."))


def _lines(job_id: str, of: Place | None, least: int, *, follow: bool) -> Iterator[LogLine]:
    """All lines that there are; with `follow` those to come, until the job has ended and a moment has passed."""
    after: Place | None = None
    silent_s = 0.0
    while True:
        with db.reading() as session:
            page = lines_after(session, job_id, after, of=of, level=least, limit=PAGE)
            known = state_and_attempts(session, job_id)
        yield from page.lines
        after = page.read_to
        if not page.is_last:
            continue
        silent_s = silent_s + LOOK_EVERY_S if known is None or is_ended(known[0]) else 0.0
        if not follow or silent_s > AFTER_END_S:
            return
        time.sleep(LOOK_EVERY_S)


def _printable(text: str) -> str:
    """Nothing that a terminal would obey: what jobs log comes from outside."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else _UNPRINTABLE for letter in text)


def _as_json(line: LogLine) -> str:
    from console.logs.schemas import line_answer

    return json.dumps(line_answer(line).model_dump(mode="json"), ensure_ascii=False)
