"""`celeriac move`: another queue for a job that waits."""

from __future__ import annotations

import click
from sqlalchemy.orm import Session

from console.actor import Actor
from console.broker.valkey import broker
from console.commands.context import examples, require_database
from console.commands.each import do_to_each
from console.jobs import waiting


@click.command(epilog=examples("celeriac move 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f --queue heavy"))
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--queue", required=True, metavar="QUEUE", help="The queue to run from.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def move(ids: tuple[str, ...], queue: str, is_json: bool) -> None:
    """Have jobs that wait run from another queue. One that a worker has taken stays where it is."""
    require_database()
    broker()  # says so now when none is known

    def verb(session: Session, actor: Actor, job_id: str) -> str:
        return waiting.move(session, actor, job_id, queue)

    do_to_each(ids, verb, "was", lambda job_id, was: f"{job_id} was moved from {was} to {queue}", is_json)
