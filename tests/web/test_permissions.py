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
from tests.web.conftest import OUTSIDER, Browser, add_person, add_token, page

ALL = frozenset({"admin", "support", "user", OUTSIDER})
PEOPLE = ALL - {OUTSIDER}
STAFF = frozenset({"admin", "support"})
ADMIN = frozenset({"admin"})

PAGES = {
    "static": ALL, "access.sign_in": ALL, "health.process": ALL, "health.ready": ALL,
    "access.account": PEOPLE, "access.sign_out": PEOPLE, "live.stream": PEOPLE,
    "overview.index": STAFF,
    "search.completions_show": STAFF, "search.saved_create": STAFF, "search.saved_destroy": STAFF,
    "search.columns_update": STAFF, "search.export_create": STAFF,
    "jobs.index": STAFF, "jobs.newer_show": STAFF, "jobs.show": STAFF,
    "logs.show": STAFF, "logs.text_show": STAFF,
    "jobs.retry_create": STAFF, "jobs.retries_create": STAFF,
    "jobs.cancellation_create": STAFF, "jobs.cancellations_create": STAFF,
    "jobs.payload_show": STAFF, "jobs.result_show": STAFF, "jobs.traceback_show": STAFF, "jobs.disclosure_create": ADMIN,
    "jobs.again_new": STAFF, "jobs.again_create": STAFF, "jobs.schedule_edit": STAFF, "jobs.schedule_update": STAFF,
    "jobs.queue_update": STAFF, "dispatch.edit": STAFF, "dispatch.update": STAFF,
    "failures.index": STAFF, "failures.matrix_show": STAFF, "failures.show": STAFF,
    "failures.resolution_create": STAFF, "failures.reopening_create": STAFF, "failures.ignoring_create": STAFF,
    "failures.assignee_update": STAFF, "failures.note_update": STAFF, "failures.runbook_update": STAFF,
    "deploys.index": STAFF, "deploys.create": ADMIN, "deploys.destroy": ADMIN,
    # What each kind of action needs beside, tests/web/actions says.
    "actions.index": STAFF, "actions.new": STAFF, "actions.create": STAFF, "actions.show": STAFF,
    "actions.pause_create": STAFF, "actions.resumption_create": STAFF, "actions.stop_create": STAFF,
    "actions.undo_create": STAFF, "actions.rate_update": STAFF,
    "schedules.index": STAFF, "schedules.show": STAFF, "schedules.preview_create": STAFF,
    "schedules.new": ADMIN, "schedules.create": ADMIN, "schedules.edit": ADMIN, "schedules.update": ADMIN,
    "schedules.pause_create": ADMIN, "schedules.resumption_create": ADMIN, "schedules.runs_create": ADMIN,
    "schedules.duplicates_create": ADMIN, "schedules.destroy": ADMIN, "schedules.restoration_create": ADMIN,
    "schedules.backfill_new": ADMIN, "schedules.backfill_create": ADMIN,
    "calendar.index": STAFF, "calendar.heat_show": STAFF, "calendar.spread_new": STAFF, "calendar.spread_create": ADMIN,
    "blackouts.index": STAFF, "blackouts.show": STAFF, "blackouts.new": ADMIN, "blackouts.create": ADMIN, "blackouts.edit": ADMIN,
    "blackouts.update": ADMIN, "blackouts.destroy": ADMIN, "blackouts.preview_create": ADMIN,
    "dispatch.new": ADMIN, "dispatch.create": ADMIN, "files.index": STAFF,
}
API = {
    "openapi.show": ALL,
    "searches_api.index": STAFF, "searches_api.create": STAFF, "searches_api.destroy": STAFF,
    "jobs_api.exports_create": STAFF,
    "logs_api.index": STAFF,
    "jobs_api.index": STAFF, "jobs_api.show": STAFF, "jobs_api.types_index": STAFF,
    "jobs_api.retry_create": STAFF, "jobs_api.retries_create": STAFF,
    "jobs_api.cancellation_create": STAFF, "jobs_api.cancellations_create": STAFF,
    "jobs_api.attempts_index": STAFF, "jobs_api.disclosure_create": ADMIN, "jobs_api.edited_retry_create": STAFF,
    "jobs_api.again_create": STAFF, "jobs_api.schedule_update": STAFF, "jobs_api.queue_update": STAFF,
    "jobs_api.create": ADMIN, "jobs_api.flushes_create": ADMIN, "files_api.create": ADMIN,
    "queues_api.index": STAFF, "queues_api.throughput_show": STAFF, "queues_api.recording_show": STAFF,
    "queues_api.latency_show": STAFF, "observe_api.index": STAFF,
    "failures_api.index": STAFF, "failures_api.matrix_show": STAFF, "failures_api.show": STAFF,
    "failures_api.resolution_create": STAFF, "failures_api.reopening_create": STAFF,
    "failures_api.ignoring_create": STAFF, "failures_api.assignee_update": STAFF, "failures_api.note_update": STAFF,
    "failures_api.runbook_update": STAFF,
    "deploys_api.index": STAFF, "deploys_api.create": ADMIN, "deploys_api.destroy": ADMIN,
    "schedules_api.index": STAFF, "schedules_api.show": STAFF, "schedules_api.preview": STAFF,
    "schedules_api.coming": STAFF, "schedules_api.runs_index": STAFF, "schedules_api.versions_index": STAFF,
    "schedules_api.create": ADMIN, "schedules_api.update": ADMIN, "schedules_api.destroy": ADMIN,
    "schedules_api.pause_create": ADMIN, "schedules_api.resumption_create": ADMIN, "schedules_api.runs_create": ADMIN,
    "schedules_api.backfills_estimate": ADMIN, "schedules_api.backfills_create": ADMIN,
    "schedules_api.duplicates_create": ADMIN, "schedules_api.restoration_create": ADMIN,
    "blackouts_api.index": STAFF, "blackouts_api.show": STAFF, "blackouts_api.estimate": STAFF, "blackouts_api.update": ADMIN,
    "blackouts_api.destroy": ADMIN,
    "calendar_api.index": STAFF, "calendar_api.heat_show": STAFF, "calendar_api.spread_estimate": STAFF,
    "calendar_api.spread_create": ADMIN,
    "workers_api.index": STAFF, "metrics.index": ADMIN,
    "actions_api.index": STAFF, "actions_api.create": STAFF, "actions_api.estimates_create": STAFF,
    "actions_api.show": STAFF, "actions_api.pause_create": STAFF, "actions_api.resumption_create": STAFF,
    "actions_api.stop_create": STAFF, "actions_api.undo_create": STAFF, "actions_api.rate_update": STAFF,
}
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


def routes(app: Flask) -> Iterator[tuple[Rule, str, str]]:
    """Every route with each method it takes and an address that it answers to."""
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:job_id>", "no-such-job").replace("<path:filename>", "css/app.css")
        path = path.replace("<search_id>", "no-such-search").replace("<fingerprint>", "0" * 16).replace("<place>", "0.1")
        path = path.replace("<deploy_id>", "no-such-deploy").replace("<action_id>", "no-such-action")
        path = path.replace("<schedule_id>", "no-such-schedule").replace("<ver>", "1").replace("<name>", "no-such-name").replace("<path:name>", "no-such-name")
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


def test_a_view_that_declares_nothing_is_refused(own_app: Flask) -> None:
    own_app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    browser = Browser(own_app.test_client())
    assert browser.get("/forgotten").headers["Location"] == "/sign-in?next=/forgotten"
    browser.become(add_person("admin"))
    assert browser.get("/forgotten").status_code == HTTPStatus.FORBIDDEN


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
    flush = "a[href^='/actions/new?kind=flush']"
    retry = "a[href^='/actions/new?kind=retry']"
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
