"""What is shown when something is not there, not allowed or broken: a page for people, problem details for programs."""

from __future__ import annotations

import socket
from collections.abc import Callable
from http import HTTPStatus

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from console import clock, db
from console.app import create_app
from console.web import database as web_database
from tests.web.conftest import Browser, add_token, page, said


@pytest.mark.parametrize("path", ["/nowhere", "/jobs/no-such-job", "/jobs/a/b/c", "/static/nothing.js"])
def test_what_is_not_there_has_a_page(support: Browser, path: str) -> None:
    response = support.get(path)
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert response.mimetype == "text/html"
    assert "Not found" in said(response).replace("Found", "found")
    response.close()


def test_the_way_back_is_in_the_frame(support: Browser) -> None:
    shown = page(support.get("/nowhere"))
    assert [link["href"] for link in shown.select(".rail a.rail-link")][:2] == ["/", "/jobs"]


def test_an_outsider_gets_one_too(outsider: Browser) -> None:
    response = outsider.get("/nowhere")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert "There is nothing at this address." in said(response)


def test_a_piece_of_a_page_gets_a_piece(support: Browser) -> None:
    response = support.fragment("/jobs/no-such-job")
    assert response.status_code == HTTPStatus.NOT_FOUND
    assert page(response).select_one("html") is None


def test_programs_get_problem_details(app: Flask) -> None:
    headers = {"Authorization": f"Bearer {add_token('support')}"}
    for path, method, status in (
        ("/api/nowhere", "GET", 404), ("/api/v1/jobs/no-such-job", "GET", 404), ("/api/v1/queues", "POST", 405),
    ):
        response = app.test_client().open(path, method=method, headers=headers)
        assert (response.status_code, response.mimetype) == (status, "application/problem+json"), path
        assert response.json["status"] == status


def test_what_breaks_tells_nothing_of_its_inside(own_app: Flask) -> None:
    from console.web.permissions import public

    @public
    def broken() -> str:
        raise RuntimeError("password=hunter2")

    own_app.add_url_rule("/broken", "broken", broken)
    own_app.add_url_rule("/api/broken", "api_broken", broken)
    for path, kind in (("/broken", "text/html"), ("/api/broken", "application/problem+json")):
        response = own_app.test_client().get(path)
        assert (response.status_code, response.mimetype) == (HTTPStatus.INTERNAL_SERVER_ERROR, kind)
        assert "hunter2" not in response.text


def test_a_database_that_is_away_is_said_and_tried_again(support: Browser) -> None:
    with db.engine().connect() as connection:
        connection.exec_driver_sql("ALTER TABLE job_status RENAME TO job_status_hidden")
        connection.commit()
    response = support.get("/jobs")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert response.headers["Retry-After"] == "5"
    assert "This page tries again by itself." in said(response)


def test_even_the_frame_is_not_needed_for_it(support: Browser) -> None:
    with db.engine().connect() as connection:
        connection.exec_driver_sql('ALTER TABLE "user" RENAME TO user_hidden')
        connection.commit()
    response = support.get("/jobs")
    assert response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert "This page tries again by itself." in said(response)
    assert page(response).select_one('script[src^="/static/js/again.js"]') is not None


@pytest.mark.parametrize("query", ["state=BROKEN", "before=yesterday", "queue=a%00b", "cursor=!!"])
def test_an_address_that_cannot_be_understood_says_why(support: Browser, query: str) -> None:
    response = support.get(f"/jobs?{query}")
    assert response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    beside = page(response).select_one("[role=alert]")
    assert "The input is not valid" in said(response) or (beside and beside.get_text(strip=True))


class TestReadiness:
    """`/readyz` for whoever decides if requests may come here."""

    def test_all_is_well(self, outsider: Browser) -> None:
        response = outsider.get("/readyz")
        assert (response.status_code, response.json) == (
            200, {"status": "ok", "checks": {"database": "ok", "broker": "ok", "schema": "ok"}}
        )

    def test_a_broker_that_is_away_is_said_at_once(
        self, sqlite_database: Engine, setting: Callable[[str, str], None]
    ) -> None:
        setting("BROKER_URL", "redis://127.0.0.1:1/0")
        app = create_app()
        began = clock.monotonic()
        response = app.test_client().get("/readyz")
        assert clock.monotonic() - began < 1
        assert (response.status_code, response.json["status"]) == (503, "unavailable")
        assert response.json["checks"] == {"database": "ok", "broker": "does not answer", "schema": "ok"}
        assert app.test_client().get("/healthz").json == {"status": "ok"}
        with app.app_context():
            web_database.engine().dispose()

    def test_a_broker_that_takes_the_call_and_says_nothing(
        self, sqlite_database: Engine, setting: Callable[[str, str], None]
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            setting("BROKER_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
            app = create_app()
            began = clock.monotonic()
            assert app.test_client().get("/readyz").json["checks"]["broker"] == "does not answer"
            assert clock.monotonic() - began < 1
            with app.app_context():
                web_database.engine().dispose()

    def test_a_schema_of_another_version(self, outsider: Browser) -> None:
        with db.writing() as session:
            session.execute(text("DELETE FROM alembic_version"))
        response = outsider.get("/readyz")
        assert response.status_code == 503
        assert response.json["checks"]["schema"] == "is of another version; run `celeriac migrate`"
