"""`celeriac users`"""

from __future__ import annotations

import pytest

from console import db
from console.access import queries, service
from console.audit.models import AuditEntry
from tests.integration.commands.conftest import Celeriac

pytestmark = pytest.mark.usefixtures("database")

PASSWORD = "correct horse battery"
NEW = "another good password"


@pytest.fixture
def ada(celeriac: Celeriac) -> str:
    celeriac("users", "create", "Ada@Example.com", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")
    return "ada@example.com"


def can_sign_in(email: str, password: str = PASSWORD) -> bool:
    with db.writing() as session:
        return service.authenticate(session, email, password) is not None


def test_create_adds_a_person_who_can_sign_in(celeriac: Celeriac, ada: str) -> None:
    assert can_sign_in(ada)
    [found] = celeriac.json("users", "list")["data"]
    assert (found["email"], found["role"], found["active"]) == (ada, "admin", True)
    assert PASSWORD not in str(found)


def test_list_is_a_table(celeriac: Celeriac, ada: str) -> None:
    heads, line = celeriac("users", "list").stdout.splitlines()
    assert heads.split()[:3] == ["EMAIL", "ROLE", "STANDING"]
    assert line.split()[:3] == [ada, "admin", "active"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "exit_code", "said"),
    [
        (["ada@example.com", "--role", "admin"], PASSWORD, 3, "is there already"),
        (["nonsense", "--role", "admin"], PASSWORD, 2, "is no email address"),
        (["eve@example.com", "--role", "admin"], "short", 2, "10 to 256 characters"),
        (["eve@example.com", "--role", "boss"], PASSWORD, 2, "'boss' is not one of"),
        (["eve@example.com"], PASSWORD, 2, "--role"),
    ],
)
def test_create_says_what_does_not_fit(
    celeriac: Celeriac, ada: str, arguments: list[str], stdin: str, exit_code: int, said: str
) -> None:
    result = celeriac("users", "create", *arguments, "--password-stdin", stdin=stdin, exit_code=exit_code)
    assert said in result.stderr
    assert len(celeriac.json("users", "list")["data"]) == 1


def test_a_password_is_never_asked_of_nobody(celeriac: Celeriac) -> None:
    result = celeriac("users", "create", "eve@example.com", "--role", "user", exit_code=2)
    assert "--password-stdin" in result.stderr


def test_role_changes_what_a_person_may_do(celeriac: Celeriac, ada: str) -> None:
    celeriac("users", "create", "bob@example.com", "--role", "user", "--password-stdin", stdin=PASSWORD)
    celeriac("users", "role", "bob@example.com", "support")
    with db.reading() as session:
        assert queries.person_by_email(session, "bob@example.com").role == "support"


def test_password_replaces_the_old_one(celeriac: Celeriac, ada: str) -> None:
    celeriac("users", "password", ada, "--password-stdin", stdin=NEW)
    assert (can_sign_in(ada), can_sign_in(ada, NEW)) == (False, True)


def test_the_last_admin_stays(celeriac: Celeriac, ada: str) -> None:
    assert "only admin" in celeriac("users", "disable", ada, exit_code=3).stderr
    assert "only admin" in celeriac("users", "role", ada, "user", exit_code=3).stderr
    assert can_sign_in(ada)


def test_disable_and_enable(celeriac: Celeriac, ada: str) -> None:
    celeriac("users", "create", "bob@example.com", "--role", "admin", "--password-stdin", stdin=PASSWORD)
    celeriac("users", "disable", ada)
    assert not can_sign_in(ada)
    celeriac("users", "enable", ada)
    assert can_sign_in(ada)
    assert "Nobody has the address" in celeriac("users", "disable", "eve@example.com", exit_code=4).stderr


def test_everything_is_audited_without_the_password(celeriac: Celeriac, ada: str) -> None:
    celeriac("users", "password", ada, "--password-stdin", stdin=NEW)
    with db.reading() as session:
        entries = session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [entry.action for entry in entries] == ["users.create", "users.password"]
    assert all(entry.actor.startswith("cli:") for entry in entries)
    assert all(PASSWORD not in entry.detail and NEW not in entry.detail for entry in entries)
