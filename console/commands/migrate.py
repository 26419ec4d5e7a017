"""`celeriac migrate`."""

from __future__ import annotations

import json

import click

from console import db, revisions, schema
from console.access import service as access
from console.access.rules import FIRST_ADMIN
from console.config import settings, without_password


@click.command()
@click.option("--first-admin", is_flag=True, help="Make the first admin, if there is none, and print the password.")
@click.option("--demo-people", is_flag=True, help="Add the people of the demo, and print their passwords.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def migrate(first_admin: bool, demo_people: bool, as_json: bool) -> None:
    """Bring the database to the schema of this version.

    Any number may run at once; a database that is up to date is left alone.
    """
    settings().data.mkdir(parents=True, exist_ok=True, mode=0o700)
    changed = schema.upgrade()
    password = _first_admin() if first_admin else None
    added = _demo_people() if demo_people else {}
    if as_json:
        said = {"changed": changed, "revision": revisions.head(), "admin_password": password, "demo_people": added}
        click.echo(json.dumps(said))
        return
    done = "brought to" if changed else "already has"
    click.echo(f"{without_password(settings().database)}: {done} schema {revisions.head()}.")
    if password:
        click.echo(f"The first admin is {FIRST_ADMIN} with the password {password}")
    for email, secret in added.items():
        click.echo(f"The demo has {email} with the password {secret}")


def _first_admin() -> str | None:
    with db.writing() as session:
        return access.ensure_admin(session)


def _demo_people() -> dict[str, str]:
    with db.writing() as session:
        return access.ensure_demo_people(session)
