"""`celeriac tokens`: what programs use the API with."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click

from console import clock, db
from console.access import queries, service
from console.access.queries import TokenView
from console.access.rules import Permission, Role
from console.commands import output
from console.commands.context import examples, operator, require_database
from console.jobs.filters import parse_time

ROLES = click.Choice([str(role) for role in Role])
SCOPES = click.Choice([str(permission) for permission in Permission])


@click.group(
    epilog=examples(
        "celeriac tokens create --name ci --role support",
        "celeriac tokens list",
        "celeriac tokens revoke ci",
    )
)
def tokens() -> None:
    """Make, list and revoke tokens for the REST API."""


@tokens.command(
    epilog=examples(
        "TOKEN=$(celeriac tokens create --name ci --role admin)",
        "celeriac tokens create --name board --role support --scope jobs.read --scope queues.read --expires 90d",
    )
)
@click.option("--name", required=True, help="What it is for; each name is used once.")
@click.option("--role", type=ROLES, required=True, help="It may do what this role may.")
@click.option("--scope", "scopes", multiple=True, type=SCOPES, help="Only this of it; may be given several times.")
@click.option("--expires", default="", metavar="TIME", help="12h, 90d, or a time such as 2026-03-01T12:00:00Z.")
def create(name: str, role: str, scopes: tuple[str, ...], expires: str) -> None:
    """Make a token, and print it alone. It is shown this once only."""
    require_database()
    with db.writing() as session:
        token = service.create_token(session, operator(), name, role, scopes or None, _expiry(expires))
    click.echo(token)


@tokens.command("list", epilog=examples("celeriac tokens list --json"))
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def list_(is_json: bool) -> None:
    """List tokens, by name, those that no longer work included."""
    require_database()
    with db.reading() as session:
        found = queries.list_tokens(session)
    if is_json:
        output.as_json({"data": [_plain(token) for token in found]})
        return
    rows = [
        (
            token.name, token.role, _standing(token), token.created_by, output.ago(token.created_at),
            output.ago(token.used_at),
        )
        for token in found
    ]
    output.table(("NAME", "ROLE", "STANDING", "MADE BY", "MADE", "USED"), rows)


@tokens.command(epilog=examples("celeriac tokens revoke ci"))
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once. Its name stays taken, so that the audit log stays clear."""
    require_database()
    with db.writing() as session:
        service.revoke_token(session, operator(), name)
    click.echo(f"The token {name} no longer works.")


def _expiry(text: str) -> datetime | None:
    """When a token ends. Raises `InvalidInput` saying how to write it."""
    span = re.fullmatch(r"(\d{1,5})([hd])", text)
    if span is None:
        return parse_time(text, "expires")
    amount = int(span[1])
    return clock.now() + (timedelta(hours=amount) if span[2] == "h" else timedelta(days=amount))


def _standing(token: TokenView) -> str:
    if token.usable:
        return "active"
    return "revoked" if token.revoked_at else "expired"


def _plain(token: TokenView) -> dict[str, object]:
    times = ("created_at", "used_at", "expires_at", "revoked_at")
    return {"name": token.name, "role": token.role, "usable": token.usable, "created_by": token.created_by} | {
        name: output.instant(getattr(token, name)) for name in times
    }
