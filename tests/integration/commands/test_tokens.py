"""`celeriac tokens`"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from console import clock, db
from console.access import service
from console.access.rules import GRANTS, Role
from tests.integration.commands.conftest import Celeriac

pytestmark = pytest.mark.usefixtures("database")


def opens(token: str) -> frozenset[str]:
    with db.reading() as session:
        holder = service.actor_for_token(session, token)
    return frozenset() if holder is None else holder.grants


def test_create_prints_the_token_alone(celeriac: Celeriac) -> None:
    result = celeriac("tokens", "create", "--name", "ci", "--role", "support")
    assert result.stderr == ""
    assert len(result.stdout.split()) == 1
    assert opens(result.stdout.strip()) == set(map(str, GRANTS[Role.SUPPORT]))


def test_scopes_narrow_it(celeriac: Celeriac) -> None:
    options = ("--name", "board", "--role", "admin", "--scope", "jobs.read", "--scope", "queues.read")
    token = celeriac("tokens", "create", *options).stdout.strip()
    assert opens(token) == {"jobs.read", "queues.read"}


@pytest.mark.parametrize(("expires", "hours"), [("12h", 12), ("90d", 2_160)])
def test_it_may_expire(celeriac: Celeriac, expires: str, hours: int) -> None:
    celeriac("tokens", "create", "--name", "ci", "--role", "user", "--expires", expires)
    [found] = celeriac.json("tokens", "list")["data"]
    left = datetime.fromisoformat(found["expires_at"]) - clock.now()
    assert timedelta(hours=hours) - timedelta(minutes=1) < left <= timedelta(hours=hours)


@pytest.mark.parametrize(
    ("options", "exit_code", "said"),
    [
        (["--name", "ci", "--role", "admin"], 3, "There is a token 'ci' already"),
        (["--name", "x", "--role", "boss"], 2, "'boss' is not one of"),
        (["--name", "x", "--role", "user", "--scope", "jobs.read"], 2, "user has no permission 'jobs.read'"),
        (["--name", "x", "--role", "user", "--scope", "jobs.fly"], 2, "'jobs.fly' is not one of"),
        (["--name", "x", "--role", "user", "--expires", "soon"], 2, "Write it like"),
        (["--name", "x", "--role", "user", "--expires", "2020-01-01T00:00:00Z"], 2, "Must lie ahead"),
        (["--role", "user"], 2, "--name"),
    ],
)
def test_create_says_what_does_not_fit(celeriac: Celeriac, options: list[str], exit_code: int, said: str) -> None:
    celeriac("tokens", "create", "--name", "ci", "--role", "user")
    result = celeriac("tokens", "create", *options, exit_code=exit_code)
    assert said in result.stderr
    assert result.stdout == ""


def test_revoke_ends_it_at_once(celeriac: Celeriac) -> None:
    token = celeriac("tokens", "create", "--name", "ci", "--role", "admin").stdout.strip()
    celeriac("tokens", "revoke", "ci")
    assert opens(token) == frozenset()
    heads, line = celeriac("tokens", "list").stdout.splitlines()
    assert heads.split()[:3] == ["NAME", "ROLE", "STANDING"]
    assert line.split()[:3] == ["ci", "admin", "revoked"]
    assert token not in line
    assert "There is no token" in celeriac("tokens", "revoke", "x", exit_code=4).stderr
