"""Who may open what: every route, every role. The tables are written out, so that a changed declaration fails here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule

from console.access.rules import Permission
from console.web.permissions import PUBLIC, SIGNED_IN, declared
from console.web.problems import API_PREFIX
from tests.web.conftest import OUTSIDER, Browser, add_token, page

ALL = frozenset({"admin", "support", "user", OUTSIDER})
PEOPLE = ALL - {OUTSIDER}
STAFF = frozenset({"admin", "support"})
ADMIN = frozenset({"admin"})

PAGES = {
    "static": ALL, "access.sign_in": ALL, "health.process": ALL, "health.ready": ALL,
    "access.account": PEOPLE, "access.sign_out": PEOPLE, "live.stream": PEOPLE,
    "overview.index": STAFF,
    "jobs.index": STAFF, "jobs.newer_show": STAFF, "jobs.show": STAFF,
    "logs.show": STAFF, "logs.text_show": STAFF,
    "jobs.retry_create": STAFF, "jobs.retries_new": STAFF, "jobs.retries_create": STAFF,
    "jobs.cancellation_create": STAFF, "jobs.cancellations_new": STAFF, "jobs.cancellations_create": STAFF,
    "jobs.flush_new": ADMIN, "jobs.flush_create": ADMIN,
    "dispatch.new": ADMIN, "dispatch.create": ADMIN, "files.index": STAFF,
}
API = {
    "openapi.show": ALL,
    "logs_api.index": STAFF,
    "jobs_api.index": STAFF, "jobs_api.show": STAFF, "jobs_api.types_index": STAFF,
    "jobs_api.retry_create": STAFF, "jobs_api.retries_create": STAFF,
    "jobs_api.cancellation_create": STAFF, "jobs_api.cancellations_create": STAFF,
    "jobs_api.create": ADMIN, "jobs_api.flushes_create": ADMIN, "files_api.create": ADMIN,
    "queues_api.index": STAFF, "queues_api.throughput_show": STAFF, "queues_api.recording_show": STAFF,
    "queues_api.latency_show": STAFF, "observe_api.index": STAFF,
    "workers_api.index": STAFF, "metrics.index": ADMIN,
}
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def routes(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every route with each method it takes and an address that it answers to."""
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:job_id>", "no-such-job").replace("<path:filename>", "css/app.css")
        assert "<" not in path, f"{rule.rule}: say here what stands for its variable"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, method, path


def test_every_route_declares_who_may_use_it(app: Flask) -> None:
    known = {PUBLIC, SIGNED_IN, *map(str, Permission)}
    said = {endpoint: declared(view) for endpoint, view in app.view_functions.items()}
    assert {endpoint: word for endpoint, word in said.items() if word not in known} == {}


def test_the_tables_name_every_route(app: Flask) -> None:
    assert set(app.view_functions) == set(PAGES) | set(API)


@pytest.mark.parametrize("role", sorted(ALL))
def test_pages_open_for_the_right_people(app: Flask, browser_of: Callable[[str], Browser], role: str) -> None:
    browser = browser_of(role)
    wrong = []
    for rule, method, path in sorted(routes(app), key=lambda route: route[2] == "/sign-out"):
        if rule.endpoint in API:
            continue
        response = browser.get(path) if method == "GET" else browser.submit(path)
        is_signing_out = path == "/sign-out" and role != OUTSIDER
        went_to = response.headers.get("Location", "")
        went_elsewhere = (went_to.startswith("/sign-in") and not is_signing_out) or (path == "/" and went_to != "")
        is_open = response.status_code not in REFUSED and not went_elsewhere
        response.close()
        if is_open != (role in PAGES[rule.endpoint]) or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wrong.append(f"{method} {path} answers {response.status_code}")
    assert wrong == []


@pytest.mark.parametrize("role", sorted(ALL))
def test_the_api_opens_for_the_right_tokens(app: Flask, role: str) -> None:
    headers = {} if role == OUTSIDER else {"Authorization": f"Bearer {add_token(role)}"}
    client = app.test_client()
    wrong = []
    for rule, method, path in routes(app):
        if rule.endpoint not in API:
            continue
        response = client.open(path, method=method, headers=headers)
        is_open = response.status_code not in REFUSED
        if is_open != (role in API[rule.endpoint]) or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wrong.append(f"{method} {path} answers {response.status_code}")
    assert wrong == []


def test_a_view_that_declares_nothing_is_refused(app: Flask, browser_of: Callable[[str], Browser]) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    assert browser_of("admin").get("/forgotten").status_code == HTTPStatus.FORBIDDEN
    assert browser_of(OUTSIDER).get("/forgotten").headers["Location"] == "/sign-in?next=/forgotten"


def test_a_token_opens_no_more_than_its_scopes(app: Flask) -> None:
    token = add_token("admin", scopes=["queues.read"])
    client = app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/queues", headers=headers).status_code == HTTPStatus.OK
    refused = client.get("/api/v1/jobs", headers=headers)
    assert (refused.status_code, refused.json["permission"]) == (HTTPStatus.FORBIDDEN, "jobs.read")


def test_a_session_does_not_open_the_api(admin: Browser) -> None:
    assert admin.get("/api/v1/jobs").status_code == HTTPStatus.UNAUTHORIZED


def test_a_token_does_not_open_pages(app: Flask) -> None:
    response = app.test_client().get("/jobs", headers={"Authorization": f"Bearer {add_token('admin')}"})
    assert response.status_code == HTTPStatus.FOUND


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer cel_nonsense", "Basic YWRhOmFkYQ=="])
def test_the_api_says_how_to_come_in(app: Flask, header: str) -> None:
    client: FlaskClient = app.test_client()
    response = client.get(f"{API_PREFIX}v1/jobs", headers={"Authorization": header} if header else {})
    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert response.mimetype == "application/problem+json"
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="celeriac"'


def test_pages_show_only_what_the_role_can_use(
    browser_of: Callable[[str], Browser], job: Callable[..., str]
) -> None:
    job()
    flush = "a[href^='/jobs/flushes/new']"
    retry = "a[href^='/jobs/retries/new']"
    for role, has_flush in (("admin", True), ("support", False)):
        shown = page(browser_of(role).get("/jobs?state=FAILED"))
        assert shown.select_one(retry) is not None
        assert (shown.select_one(flush) is not None) == has_flush


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_the_start_shows_everybody_the_first_page_of_their_navigation(
    browser_of: Callable[[str], Browser], role: str
) -> None:
    browser = browser_of(role)
    assert browser.get("/sign-in").headers["Location"] == "/"
    shown = browser.get("/", follow_redirects=True)
    assert shown.status_code == HTTPStatus.OK
    first = page(shown).select_one("nav.bottom a")
    assert first is not None
    assert (first["href"], first.get("aria-current")) == (shown.request.path, "page")


def test_the_start_leads_a_whole_page_elsewhere_when_a_piece_of_it_was_asked_for(
    browser_of: Callable[[str], Browser]
) -> None:
    """Whoever has lost a role while Overview was open in the browser."""
    assert browser_of("user").fragment("/?part=body").headers["HX-Redirect"] == "/account"
