"""A form of another site changes nothing here, whoever is signed in."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient

from console import db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.web.conftest import PASSWORD, Browser, add_person, add_token, address, said
from tests.web.test_permissions import API, routes


def test_every_form_needs_the_token(app: Flask, admin: Browser) -> None:
    wrong = [
        path for rule, method, path in routes(app)
        if method == "POST" and rule.endpoint not in API and admin.submit_forged(path).status_code != 400
    ]
    assert wrong == []


def test_a_forged_retry_changes_nothing(admin: Browser, job: Callable[..., str]) -> None:
    job_id = job()
    response = admin.submit_forged(f"/jobs/{job_id}/retry")
    assert response.status_code == HTTPStatus.BAD_REQUEST
    assert "Go back, reload the page and try again." in said(response)
    with db.reading() as session:
        assert session.get_one(JobStatus, job_id).state == State.RETRYABLE


def test_nobody_is_signed_in_by_another_site(outsider: Browser) -> None:
    add_person("support")
    outsider.submit_forged("/sign-in", email=address("support"), password=PASSWORD)
    assert not outsider.is_signed_in()


@pytest.mark.parametrize("token", ["nonsense", ""])
def test_a_token_that_is_not_ours_is_refused(admin: Browser, token: str) -> None:
    assert admin.submit_forged("/sign-out", csrf_token=token).status_code == HTTPStatus.BAD_REQUEST
    assert admin.is_signed_in()


def test_the_token_of_another_person_is_refused(app: Flask, admin: Browser, support: Browser) -> None:
    borrowed = support._form_token()
    assert admin.submit_forged("/sign-out", csrf_token=borrowed).status_code == HTTPStatus.BAD_REQUEST


def test_the_api_needs_none(app: Flask, job: Callable[..., str]) -> None:
    client: FlaskClient = app.test_client()
    headers = {"Authorization": f"Bearer {add_token('support')}"}
    assert client.post(f"/api/v1/jobs/{job()}/retry", headers=headers).status_code == HTTPStatus.CREATED
