"""`celeriac cancel`: keeps jobs from running, or stops them."""

from __future__ import annotations

import click

from console import db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.errors import CeleriacError
from console.jobs import service
from console.jobs.rules import WAITING


@click.command(epilog=examples("celeriac cancel 0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f"))
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def cancel(ids: tuple[str, ...], is_json: bool) -> None:
    """Cancel jobs. One that waits will not run; one that runs is stopped by its worker."""
    require_database()
    broker()  # says so now when none is known
    cancelled, refused = [], []
    code = 0
    for job_id in dict.fromkeys(ids):
        try:
            with db.writing() as session:
                was = service.cancel_job(session, operator(), job_id)
        except CeleriacError as error:
            code = error.exit_code
            refused.append({"id": job_id, "detail": error.detail})
            output.note(f"{job_id}: {error.detail}")
        else:
            cancelled.append({"id": job_id, "was": was})
            if not is_json:
                click.echo(f"{job_id} {'is cancelled' if was in WAITING else 'is being stopped'}")
    if is_json:
        output.as_json({"data": cancelled, "errors": refused})
    if code:
        raise SystemExit(code)
