"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import pytest
from sqlalchemy import Engine, select

from console import db
from console.access import service
from console.access.models import User
from console.actor import SYSTEM
from console.app import create_app
from console.audit.models import AuditEntry
from console.web import database as web_database
from tests.web.conftest import Browser, add_person, address, said

WRONG = "That address and password do not belong together."


@pytest.mark.parametrize("typed", [address("support"), "  Support@Example.com "])
def test_the_right_password_opens_the_console(outsider: Browser, typed: str) -> None:
    add_person("support")
    response = outsider.sign_in(typed)
    assert (response.status_code, response.headers["Location"]) == (HTTPStatus.FOUND, "/")
    assert outsider.is_signed_in()


def test_it_is_written_down(outsider: Browser) -> None:
    add_person("support")
    outsider.sign_in(address("support"))
    with db.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "users.sign_in")).one()
        person = session.scalars(select(User)).one()
    assert (entry.actor, entry.target_id) == (address("support"), address("support"))
    assert person.signed_in_at is not None


@pytest.mark.parametrize(
    ("email", "password"), [(address("support"), "wrong horse battery"), ("nobody@example.com", "correct horse battery")]
)
def test_a_wrong_password_and_an_unknown_address_sound_the_same(outsider: Browser, email: str, password: str) -> None:
    add_person("support")
    response = outsider.sign_in(email, password)
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert WRONG in said(response)
    assert not outsider.is_signed_in()


def test_the_typed_password_does_not_come_back(outsider: Browser) -> None:
    response = outsider.sign_in("ada@example.com", "a secret that is wrong")
    assert "ada@example.com" in response.text
    assert "a secret that is wrong" not in response.text


def test_an_inactive_person_stays_outside(outsider: Browser) -> None:
    add_person("support")
    with db.writing() as session:
        session.scalars(select(User)).one().active = False
    assert WRONG in said(outsider.sign_in(address("support")))


def test_who_is_deactivated_is_outside_at_once(support: Browser) -> None:
    with db.writing() as session:
        session.scalars(select(User)).one().active = False
    assert not support.is_signed_in()


def test_one_comes_back_to_where_one_wanted_to_go(outsider: Browser) -> None:
    add_person("support")
    sent = outsider.get("/jobs?state=FAILED&queue=emails").headers["Location"]
    assert sent == "/sign-in?next=/jobs?state%3DFAILED%26queue%3Demails"
    assert 'value="/jobs?state=FAILED&amp;queue=emails"' in outsider.get(sent).text
    response = outsider.sign_in(address("support"), next="/jobs?state=FAILED&queue=emails")
    assert response.headers["Location"] == "/jobs?state=FAILED&queue=emails"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
        "/jobs\\@evil.example", "/\tevil.example", "jobs", "",
    ],
)
def test_a_link_does_not_lead_elsewhere(outsider: Browser, target: str) -> None:
    add_person("support")
    assert outsider.sign_in(address("support"), next=target).headers["Location"] == "/"


def test_who_is_signed_in_is_not_asked_again(support: Browser) -> None:
    assert support.get("/sign-in?next=/jobs").headers["Location"] == "/jobs"


def test_a_fragment_leads_the_whole_page_to_the_form(outsider: Browser) -> None:
    response = outsider.fragment("/jobs")
    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert response.headers["HX-Redirect"] == "/sign-in?next=/jobs"


def test_signing_out_ends_the_session(support: Browser) -> None:
    assert support.submit("/sign-out").headers["Location"] == "/sign-in"
    assert not support.is_signed_in()


def test_a_link_cannot_sign_anybody_out(support: Browser) -> None:
    assert support.get("/sign-out").status_code == HTTPStatus.METHOD_NOT_ALLOWED
    assert support.is_signed_in()


def test_guessing_is_slowed_down(outsider: Browser) -> None:
    statuses = [outsider.submit("/sign-in", email="ada@example.com").status_code for _ in range(21)]
    allowed = statuses.index(HTTPStatus.TOO_MANY_REQUESTS)
    assert 10 <= allowed <= 20, "ten a minute, and the test may have seen two minutes begin"
    assert "Too many attempts" in outsider.submit("/sign-in", email="ada@example.com").text


def test_signing_in_works_and_is_limited_while_the_broker_is_away(
    sqlite_database: Engine, setting: Callable[[str, str], None]
) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    app = create_app()
    add_person("support")
    browser = Browser(app.test_client())
    assert browser.sign_in(address("support")).status_code == HTTPStatus.FOUND
    statuses = {browser.submit("/sign-in", email="ada@example.com").status_code for _ in range(21)}
    assert HTTPStatus.TOO_MANY_REQUESTS in statuses
    with app.app_context():
        web_database.engine().dispose()


def test_the_first_admin_signs_in_with_the_printed_password(outsider: Browser) -> None:
    with db.writing() as session:
        password = service.ensure_admin(session)
    assert password is not None
    with db.writing() as session:
        assert service.ensure_admin(session) is None
    outsider.sign_in("admin@localhost", password)
    assert "the password that Celeriac made at its first start" in said(outsider.get("/"))


def test_a_new_password_ends_sessions_elsewhere(support: Browser) -> None:
    with db.writing() as session:
        service.set_password(session, SYSTEM, address("support"), "another horse battery")
    assert not support.is_signed_in()
