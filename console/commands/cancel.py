"""`celeriac cancel`: keeps jobs from running, or stops them."""

from __future__ import annotations

import click

from console.broker.valkey import broker
from console.commands.context import examples, require_database
from console.commands.each import do_to_each
from console.jobs import service
from console.jobs.rules import WAITING


@click.command(epilog=examples("celeriac cancel 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f"))
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def cancel(ids: tuple[str, ...], is_json: bool) -> None:
    """Cancel jobs. One that waits will not run; one that runs is stopped by its worker."""
    require_database()
    broker()  # says so now when none is known
    do_to_each(
        ids,
        service.cancel_job,
        "was",
        lambda job_id, was: f"{job_id} {'is cancelled' if was in WAITING else 'is being stopped'}",
        is_json,
    )
