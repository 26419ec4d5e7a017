"""`celeriac users`: the people who can sign in."""

from __future__ import annotations

import sys

import click

from console import db
from console.access import queries, service
from console.access.queries import Person
from console.access.rules import Role
from console.commands import output
from console.commands.context import examples, operator, require_database

ROLES = click.Choice([str(role) for role in Role])
PASSWORD_STDIN = click.option("--password-stdin", "from_stdin", is_flag=True, help="Read it from standard input.")


@click.group(
    epilog=examples(
        "celeriac users list",
        "celeriac users create ada@example.com --role support --password-stdin < password.txt",
        "celeriac users role ada@example.com admin",
    )
)
def users() -> None:
    """List, add and change the people who can sign in.

    Roles: admin may do everything; support finds, retries and cancels jobs; user sees none of that.
    """


@users.command("list", epilog=examples("celeriac users list --json"))
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def list_(is_json: bool) -> None:
    """List everybody, by address."""
    require_database()
    with db.reading() as session:
        people = queries.list_people(session)
    if is_json:
        output.as_json({"data": [_plain(person) for person in people]})
        return
    rows = [
        (person.email, person.role, _standing(person), output.ago(person.created_at), output.ago(person.signed_in_at))
        for person in people
    ]
    output.table(("EMAIL", "ROLE", "STANDING", "ADDED", "SIGNED IN"), rows)


@users.command(
    epilog=examples('printf %s "$PASSWORD" | celeriac users create ada@example.com --role support --password-stdin')
)
@click.argument("email")
@click.option("--role", type=ROLES, required=True, help="What the person may do.")
@PASSWORD_STDIN
def create(email: str, role: str, from_stdin: bool) -> None:
    """Add a person."""
    require_database()
    password = _password(from_stdin)
    with db.writing() as session:
        service.create_user(session, operator(), email, role, password)
    click.echo(f"Added {email.strip().lower()} as {role}.")


@users.command("role", epilog=examples("celeriac users role ada@example.com admin"))
@click.argument("email")
@click.argument("role", type=ROLES)
def role_(email: str, role: str) -> None:
    """Give a person another role. It counts from the next request on."""
    require_database()
    with db.writing() as session:
        service.set_role(session, operator(), email, role)
    click.echo(f"{email} is now {role}.")


@users.command("password", epilog=examples("celeriac users password ada@example.com"))
@click.argument("email")
@PASSWORD_STDIN
def password_(email: str, from_stdin: bool) -> None:
    """Give a person a new password, and sign them out everywhere."""
    require_database()
    password = _password(from_stdin)
    with db.writing() as session:
        service.set_password(session, operator(), email, password)
    click.echo(f"{email} has a new password.")


@users.command(epilog=examples("celeriac users disable ada@example.com"))
@click.argument("email")
def disable(email: str) -> None:
    """Sign a person out everywhere, and let them in no more."""
    require_database()
    with db.writing() as session:
        service.set_active(session, operator(), email, active=False)
    click.echo(f"{email} can no longer sign in. `celeriac users enable {email}` undoes it.")


@users.command(epilog=examples("celeriac users enable ada@example.com"))
@click.argument("email")
def enable(email: str) -> None:
    """Let a person who was disabled sign in again."""
    require_database()
    with db.writing() as session:
        service.set_active(session, operator(), email, active=True)
    click.echo(f"{email} can sign in again.")


def _password(from_stdin: bool) -> str:
    """Asks for it twice; never an argument, which other accounts of the machine could read."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody is there to type a password. Pass it on standard input with --password-stdin.")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _standing(person: Person) -> str:
    if not person.active:
        return "disabled"
    return "first password" if person.password_is_initial else "active"


def _plain(person: Person) -> dict[str, object]:
    return {
        "email": person.email, "role": person.role, "active": person.active,
        "password_is_initial": person.password_is_initial, "created_at": output.instant(person.created_at),
        "signed_in_at": output.instant(person.signed_in_at),
    }
