"""Signing in and out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from console import db
from console.access import queries, service
from console.access.forms import safe_next
from console.actor import SYSTEM
from tests.web.conftest import PASSWORD, Browser


def test_a_page_asks_to_sign_in_and_comes_back_afterwards(visitor: Browser) -> None:
    asked = visitor.get("/jobs?state=FAILED")
    assert asked.location == "/sign-in?next=/jobs?state%3DFAILED"
    form = visitor.get(asked.location)
    assert 'value="/jobs?state=FAILED"' in form.text
    done = visitor.sign_in("support@example.com", next="/jobs?state=FAILED")
    assert (done.status_code, done.location) == (302, "/jobs?state=FAILED")
    assert visitor.get(done.location).status_code == 200


@pytest.mark.parametrize(("role", "first"), [("admin", "/"), ("support", "/"), ("user", "/account")])
def test_each_role_begins_at_its_own_page(visitor: Browser, role: str, first: str) -> None:
    assert visitor.sign_in(f"{role}@example.com").location == first


def test_the_address_may_be_typed_in_any_case(visitor: Browser) -> None:
    assert visitor.sign_in(" Admin@Example.com ").status_code == 302


@pytest.mark.parametrize(("email", "password"), [("admin@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_what_does_not_fit_is_refused_in_the_same_words(visitor: Browser, email: str, password: str) -> None:
    page = visitor.sign_in(email, password)
    assert page.status_code == 422
    assert "do not belong together" in page.text
    assert f'value="{email}"' in page.text
    assert password not in page.text


def test_a_person_who_was_shut_out_cannot_sign_in_and_is_signed_out(admin: Browser, visitor: Browser) -> None:
    with db.writing() as session:
        queries.person_by_email(session, "admin@example.com").active = False  # type: ignore[union-attr]
    assert admin.get("/jobs").status_code == 302
    assert visitor.sign_in("admin@example.com").status_code == 422


def test_guessing_is_slowed_down(visitor: Browser) -> None:
    answers = [visitor.sign_in("admin@example.com", "wrong").status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert "Too many attempts" in visitor.sign_in("admin@example.com", "wrong").text


def test_guessing_one_address_from_many_machines_is_slowed_down(app: Flask) -> None:
    answers = []
    for number in range(21):
        browser = Browser(app.test_client())
        browser.client.environ_base["REMOTE_ADDR"] = f"10.0.0.{number}"
        answers.append(browser.sign_in("admin@example.com", "wrong").status_code)
    assert answers == [422] * 20 + [429]


def test_limits_hold_without_a_broker(
    sqlite_database: object, setting: Callable[[str, str], None], app: Flask
) -> None:
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    from console.app import create_app

    browser = Browser(create_app().test_client())
    answers = [browser.sign_in("admin@example.com", "wrong").status_code for _ in range(11)]
    assert answers[-1] == 429


def test_signing_out_ends_the_session_and_is_no_link(admin: Browser) -> None:
    assert admin.get("/sign-out").status_code == 405
    assert admin.post("/sign-out").location == "/sign-in"
    assert admin.get("/jobs").status_code == 302


def test_a_new_password_signs_out_everywhere_else(
    open_browser: Callable[[], Browser], admin: Browser
) -> None:
    elsewhere = open_browser()
    elsewhere.sign_in("admin@example.com")
    new = "another long password"
    done = admin.post("/account", {"current_password": PASSWORD, "new_password": new, "repeat_password": new})
    assert done.status_code == 302
    assert admin.get(done.location).status_code == 200
    assert elsewhere.get("/jobs").status_code == 302
    assert elsewhere.sign_in("admin@example.com").status_code == 422
    assert elsewhere.sign_in("admin@example.com", new).status_code == 302


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"current_password": "wrong"}, "not your present password"),
        ({"new_password": "short", "repeat_password": "short"}, "10 to 256 characters"),
        ({"repeat_password": "something else"}, "differ"),
    ],
)
def test_a_password_that_cannot_be_changed_is_explained(admin: Browser, typed: dict[str, str], said: str) -> None:
    good = {"current_password": PASSWORD, "new_password": "another long one", "repeat_password": "another long one"}
    page = admin.post("/account", good | typed)
    assert page.status_code == 422
    assert said in page.text


def test_the_first_password_is_asked_to_be_replaced_until_it_is(
    sqlite_database: object, visitor: Browser
) -> None:
    with db.writing() as session:
        for email in ("admin", "support", "user"):
            session.delete(queries.person_by_email(session, f"{email}@example.com"))
    with db.writing() as session:
        first = service.ensure_admin(session)
    with db.writing() as session:
        assert service.ensure_admin(session) is None
    assert first is not None
    visitor.sign_in("admin@localhost", first)
    assert "first start" in visitor.get("/jobs").text
    new = "another long password"
    visitor.post("/account", {"current_password": first, "new_password": new, "repeat_password": new})
    assert "first start" not in visitor.get("/jobs").text


def test_a_form_without_its_token_is_refused(visitor: Browser, admin: Browser) -> None:
    assert visitor.client.post("/sign-in", data={"email": "admin@example.com", "password": PASSWORD}).status_code == 400
    assert admin.client.post("/sign-out").status_code == 400
    assert admin.get("/jobs").status_code == 200


@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/jobs?state=FAILED", "/jobs?state=FAILED"), ("", "/"), ("jobs", "/"), ("https://evil.example", "/"),
        ("//evil.example", "/"), ("/\\evil.example", "/"), ("/\t/evil.example", "/"), ("javascript:alert(1)", "/"),
        ("/jobs\\..\\evil", "/"), (" //evil.example", "/"),
    ],
)
def test_next_leads_nowhere_else(target: str, leads_to: str) -> None:
    assert safe_next(target) == leads_to


def test_create_user_says_what_does_not_fit(app: Flask) -> None:
    from console.errors import Conflict, InvalidInput

    with db.writing() as session:
        with pytest.raises(InvalidInput) as caught:
            service.create_user(session, SYSTEM, "no address", "king", "short")
        assert [problem["field"] for problem in caught.value.errors] == ["email", "role", "password"]
        with pytest.raises(Conflict):
            service.create_user(session, SYSTEM, "ADMIN@example.com", "admin", PASSWORD)
