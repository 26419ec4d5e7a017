"""Who may use which route, and what an error looks like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from console import clock, db
from console.access import service
from console.access.models import ApiToken
from console.access.rules import GRANTS, Permission, Role
from console.actor import SYSTEM
from console.web import database as web_database
from tests.api.conftest import Program, problem

ROUTES = {
    ("GET", "/jobs"): Permission.JOBS_READ,
    ("GET", "/jobs/some-id"): Permission.JOBS_READ,
    ("POST", "/jobs"): Permission.JOBS_DISPATCH,
    ("POST", "/jobs/some-id/retry"): Permission.JOBS_RETRY,
    ("POST", "/jobs/some-id/cancellation"): Permission.JOBS_CANCEL,
    ("POST", "/jobs/retries"): Permission.JOBS_RETRY,
    ("POST", "/jobs/cancellations"): Permission.JOBS_CANCEL,
    ("POST", "/jobs/flushes"): Permission.JOBS_FLUSH,
    ("GET", "/actions"): Permission.JOBS_READ,
    ("POST", "/actions"): Permission.JOBS_READ,
    ("POST", "/actions/estimates"): Permission.JOBS_READ,
    ("GET", "/actions/some-id"): Permission.JOBS_READ,
    ("POST", "/actions/some-id/stop"): Permission.JOBS_READ,
    ("GET", "/job-types"): Permission.JOBS_READ,
    ("GET", "/queues"): Permission.QUEUES_READ,
    ("GET", "/workers"): Permission.QUEUES_READ,
    ("GET", "/sources"): Permission.QUEUES_READ,
    ("GET", "/metrics/throughput"): Permission.OVERVIEW_READ,
    ("GET", "/metrics/latency"): Permission.OVERVIEW_READ,
    ("GET", "/metrics/recording"): Permission.OVERVIEW_READ,
}


@pytest.mark.parametrize("role", list(Role))
def test_a_role_opens_what_it_has_and_nothing_else(program: Callable[..., Program], role: Role) -> None:
    caller = program(role)
    for (method, path), permission in ROUTES.items():
        response = caller(method, path, json={} if method == "POST" else None)
        if permission in GRANTS[role]:
            assert response.status_code in (200, 404, 422), (method, path, response.text)
        else:
            said = problem(response, 403)
            assert said["permission"] == permission
            assert permission in said["detail"]


def test_scopes_narrow_the_role(program: Callable[..., Program]) -> None:
    caller = program(Role.ADMIN, scopes=[Permission.QUEUES_READ])
    for (method, path), permission in ROUTES.items():
        response = caller(method, path, json={} if method == "POST" else None)
        assert (response.status_code == 403) == (permission is not Permission.QUEUES_READ)


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "GET"])
@pytest.mark.parametrize("authorization", [None, "Bearer nonsense", "Basic YTpi", "Bearer", "Bearer \x01", "bearer  "])
def test_without_a_good_token_nothing_opens(app: Flask, path: str, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    response = app.test_client().get(f"/api/v1{path}", headers=headers)
    problem(response, 401)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_revoked_and_expired_tokens_open_nothing(admin: Program, program: Callable[..., Program]) -> None:
    late = program("admin", name="late", expires_at=clock.now() + timedelta(hours=1))
    assert late.get("/jobs").status_code == 200
    with db.writing() as session:
        session.query(ApiToken).filter_by(name="late").one().expires_at = clock.now() - timedelta(seconds=1)
        service.revoke_token(session, SYSTEM, "of-admin")
    problem(admin.get("/jobs"), 401)
    problem(late.get("/jobs"), 401)


def test_an_unknown_address_is_a_problem(admin: Program) -> None:
    assert "openapi.json" in problem(admin.get("/nothing"), 404)["detail"]


def test_a_method_that_is_not_taken_is_told_which_are(admin: Program) -> None:
    response = admin("DELETE", "/jobs")
    assert "POST" in problem(response, 405)["detail"]
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


def test_a_database_that_is_away_is_503(admin: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    admin.get("/jobs")

    def away() -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection refused"))

    monkeypatch.setattr(web_database, "session", away)
    response = admin.get("/jobs")
    problem(response, 503)
    assert int(response.headers["Retry-After"]) > 0


def test_an_error_of_ours_tells_no_secrets(admin: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr("console.jobs.api.database.session", broken)
    assert "hunter2" not in admin.get("/jobs").text
    problem(admin.get("/jobs"), 500)
