"""`celeriac searches`: searches that are kept under a name."""

from __future__ import annotations

import click

from console import db
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.jobs.search.saved import delete_saved, find_saved, list_saved, save_search


@click.group()
def searches() -> None:
    """List, keep and delete saved searches."""


@searches.command(name="list", epilog=examples("celeriac searches list --json"))
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def list_(is_json: bool) -> None:
    """List the shared searches, and those of this account."""
    require_database()
    with db.reading() as session:
        found = list_saved(session, operator())
    if is_json:
        output.as_json(
            [{"id": one.id, "name": one.name, "q": one.q, "shared": one.shared, "owner": one.owner} for one in found]
        )
    elif found:
        rows = [[one.name, one.q, "everybody" if one.shared else "owner", one.owner] for one in found]
        output.table(("NAME", "SEARCH", "FOR", "OWNER"), rows)
    else:
        output.note("No saved searches.")


@searches.command(epilog=examples("celeriac searches save 'failed mails' 'state:failed queue:emails after:24h'"))
@click.argument("name")
@click.argument("search")
@click.option("--private", is_flag=True, help="For this account only; otherwise for everybody.")
def save(name: str, search: str, private: bool) -> None:
    """Keep a search under a name, in place of the one of that name that this account has."""
    require_database()
    with db.writing() as session:
        saved, is_new = save_search(session, operator(), name, search, not private)
    click.echo(f"{'Saved' if is_new else 'Replaced'} {saved.name}: {saved.q}")


@searches.command(epilog=examples("celeriac searches delete 'failed mails'"))
@click.argument("name")
def delete(name: str) -> None:
    """Delete a saved search, by its name or its id."""
    require_database()
    with db.writing() as session:
        gone = delete_saved(session, operator(), find_saved(session, operator(), name).id)
    click.echo(f"Deleted {gone}.")
