"""`celeriac reschedule`: another time for a job that waits for one."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from console.actor import Actor
from console.commands import output
from console.commands.context import examples, require_database
from console.commands.each import do_to_each
from console.jobs import waiting
from console.jobs.times import parse_delay, parse_planned


@click.command(
    epilog=examples(
        "celeriac reschedule 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --in 2h",
        "celeriac reschedule 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --at 2026-03-01T12:00:00Z",
        "celeriac reschedule 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --now",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--at", default="", metavar="TIME", help="At this time, such as 2026-03-01T12:00:00Z.")
@click.option("--in", "delay", default="", metavar="DELAY", help="In so long: 90s, 10min, 2h, 3d.")
@click.option("--now", "is_now", is_flag=True, help="At once.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def reschedule(ids: tuple[str, ...], at: str, delay: str, is_now: bool, is_json: bool) -> None:
    """Have SCHEDULED and RETRYING jobs run at another time."""
    if sum((bool(at), bool(delay), is_now)) != 1:
        raise click.UsageError("Give one of --at, --in and --now.")
    time = parse_delay(delay) if delay else parse_planned("now" if is_now else at)
    require_database()

    def verb(session: Session, actor: Actor, job_id: str) -> str:
        return output.instant(waiting.reschedule(session, actor, job_id, time)) or ""

    do_to_each(ids, verb, "due_at", lambda job_id, due_at: f"{job_id} runs at {due_at}", is_json)
