"""Every route says who may use it, and is held to that."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from console import db
from console.access import service
from console.access.rules import GRANTS, Permission, Role
from console.actor import SYSTEM
from console.web.permissions import PUBLIC, SIGNED_IN, declared
from tests.web.conftest import Browser

OPEN = {"/sign-in", "/healthz", "/readyz", "/api/v1/openapi.json", "/static/<path:filename>"}
ROLES = [str(role) for role in Role]


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """(method, address, what the view declares), an id put in where one is needed."""
    found = []
    for rule in app.url_map.iter_rules():
        address = rule.rule.replace("<path:job_id>", "some-id").replace("<path:filename>", "css/app.css")
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            found.append((method, address, declared(app.view_functions[rule.endpoint]) or ""))
    return found


def test_every_route_declares_a_known_permission_or_whom_it_is_for(app: Flask) -> None:
    known = {PUBLIC, SIGNED_IN, *map(str, Permission)}
    assert [route for route in routes(app) if route[2] not in known] == []


def test_only_these_routes_are_open_to_anyone(app: Flask) -> None:
    assert {rule.rule for rule in app.url_map.iter_rules() if declared(app.view_functions[rule.endpoint]) == PUBLIC} == OPEN


def test_a_view_that_declares_nothing_is_for_nobody(app: Flask, open_browser: Callable[[], Browser]) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    browser = open_browser()
    assert browser.get("/forgotten").status_code == 302
    browser.sign_in("admin@example.com")
    assert browser.get("/forgotten").status_code == 403


def test_a_stranger_gets_no_page_and_no_answer(app: Flask, visitor: Browser) -> None:
    for method, address, permission in routes(app):
        if permission == PUBLIC or method != "GET":
            continue
        response = visitor.get(address)
        assert response.status_code == (401 if address.startswith("/api/") else 302), address


@pytest.mark.parametrize("role", ROLES)
def test_a_role_gets_the_pages_it_has_the_permission_for_and_no_other(
    app: Flask, browser_of: Callable[[str], Browser], role: str
) -> None:
    browser = browser_of(role)
    token = browser.token()
    for method, address, permission in routes(app):
        if permission in (PUBLIC, SIGNED_IN) or address.startswith("/api/"):
            continue
        response = browser.client.open(address, method=method, data={"csrf_token": token} if method == "POST" else None)
        is_refused = response.status_code == 403
        assert is_refused == (permission not in map(str, GRANTS[Role(role)])), (method, address, response.status_code)


@pytest.mark.parametrize("role", ROLES)
def test_a_token_opens_what_its_role_has(app: Flask, visitor: Browser, role: str) -> None:
    with db.writing() as session:
        token = service.create_token(session, SYSTEM, "ci", role)
    for method, address, permission in routes(app):
        if not address.startswith("/api/") or permission == PUBLIC:
            continue
        response = visitor.client.open(address, method=method, headers={"Authorization": f"Bearer {token}"})
        is_refused = response.status_code == 403
        assert is_refused == (permission not in map(str, GRANTS[Role(role)])), (method, address, response.status_code)


def test_a_token_opens_no_more_than_its_scopes(app: Flask, visitor: Browser) -> None:
    with db.writing() as session:
        token = service.create_token(session, SYSTEM, "reader", "admin", scopes=[Permission.QUEUES_READ])
    headers = {"Authorization": f"Bearer {token}"}
    assert visitor.get("/api/v1/queues", headers=headers).status_code == 200
    refused = visitor.get("/api/v1/jobs", headers=headers)
    assert (refused.status_code, refused.json["permission"]) == (403, "jobs.read")


def test_a_session_does_not_open_the_api(admin: Browser) -> None:
    assert admin.get("/api/v1/jobs").status_code == 401


def test_a_token_does_not_open_pages(app: Flask, visitor: Browser) -> None:
    with db.writing() as session:
        token = service.create_token(session, SYSTEM, "ci", "admin")
    assert visitor.get("/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 302


def test_a_revoked_token_opens_nothing(app: Flask, visitor: Browser) -> None:
    with db.writing() as session:
        token = service.create_token(session, SYSTEM, "ci", "admin")
        service.revoke_token(session, SYSTEM, "ci")
    assert visitor.get("/api/v1/jobs", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_an_end_user_sees_nothing_of_the_console(end_user: Browser) -> None:
    page = end_user.get("/jobs")
    assert page.status_code == 403
    assert 'href="/jobs"' not in page.text
    account = end_user.get("/account")
    assert account.status_code == 200
    assert 'href="/jobs"' not in account.text


def test_support_is_not_shown_what_it_may_not_do(support: Browser, job: Callable[..., str]) -> None:
    job()
    page = support.get("/jobs?state=FAILED").text
    assert "/jobs/retries/new" in page
    assert "/jobs/flushes/new" not in page
