"""`celeriac deploys`: which version went live when, for the charts."""

from __future__ import annotations

import click

from console import db
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.deploys import queries, service
from console.jobs.filters import parse_time


@click.group(name="deploys")
def deploys() -> None:
    """Mark which version went live when: charts show it, and failures say after which deploy they came first."""


@deploys.command(epilog=examples("celeriac deploys add 1.4.2", "celeriac deploys add 1.4.2 --note 'new card service'"))
@click.argument("version")
@click.option("--at", metavar="TIME", default="", help="When, as 2026-03-01T12:00:00+00:00; now if left out.")
@click.option("--note", default="", metavar="TEXT", help="One line.")
@click.option("--json", "is_json", is_flag=True, help="Print what POST /api/v1/deploys would answer.")
def add(version: str, at: str, note: str, is_json: bool) -> None:
    """Mark that VERSION went live."""
    require_database()
    with db.writing() as session:
        added = service.add_deploy(session, operator(), version, parse_time(at, "--at"), note)
    if is_json:
        from console.deploys.schemas import DeployAnswer

        output.as_json(DeployAnswer.model_validate(added).model_dump(mode="json"))
    else:
        click.echo(f"Marked {added.version} at {output.instant(added.at)}, as {added.id}.")


@deploys.command(name="list", epilog=examples("celeriac deploys list"))
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many at most.")
@click.option("--json", "is_json", is_flag=True, help="Print what GET /api/v1/deploys would answer.")
def list_(limit: int, is_json: bool) -> None:
    """List deploys, newest first."""
    require_database()
    with db.reading() as session:
        found = queries.list_deploys(session, limit=limit)
    if is_json:
        from console.deploys.schemas import DeployAnswer, DeployList

        data = [DeployAnswer.model_validate(one) for one in found]
        output.as_json(DeployList(data=data).model_dump(mode="json"))
        return
    if not found:
        output.note("No deploy is marked. `celeriac deploys add VERSION` marks one.")
        return
    rows = [(one.version, output.instant(one.at), one.added_by, one.note, one.id) for one in found]
    output.table(("VERSION", "WENT LIVE", "ADDED BY", "NOTE", "ID"), rows)


@deploys.command(epilog=examples("celeriac deploys remove 0199c1f0-0000-7000-8000-000000000000"))
@click.argument("deploy_id", metavar="ID")
def remove(deploy_id: str) -> None:
    """Take a mark away that should not be there."""
    require_database()
    with db.writing() as session:
        service.remove_deploy(session, operator(), deploy_id)
    click.echo("The mark is gone.")
