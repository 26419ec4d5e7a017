"""Deleting failed jobs for good."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

import pytest
from sqlalchemy import select

from console import db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.web.conftest import Browser, said


def kept() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(JobStatus.id)))


def test_the_page_before_says_how_many(admin: Browser, job: Callable[..., str]) -> None:
    job(), job(State.FAILED, payload=None), job(State.COMPLETED)
    assert "Delete 2 jobs for good?" in said(admin.get("/jobs/flushes/new"))


@pytest.mark.parametrize("word", ["", "yes", "flush it"])
def test_without_the_word_nothing_is_deleted(admin: Browser, job: Callable[..., str], word: str) -> None:
    made = job()
    response = admin.submit("/jobs/flushes", confirm=word, queue="default")
    assert response.headers["Location"] == "/jobs/flushes/new?q=queue:default"
    assert "Nothing was deleted: type flush to confirm." in said(admin.get(response.headers["Location"]))
    assert kept() == {made}


def test_with_the_word_those_that_failed_and_match_are(admin: Browser, job: Callable[..., str]) -> None:
    job(queue="emails"), job(State.FAILED, queue="emails", payload=None)
    others = {job(), job(State.COMPLETED, queue="emails"), job(State.PENDING, queue="emails")}
    response = admin.submit("/jobs/flushes", confirm="flush", queue="emails")
    assert "Deleted 2 failed jobs." in said(admin.get(response.headers["Location"]))
    assert kept() == others


def test_support_is_refused(support: Browser, job: Callable[..., str]) -> None:
    made = job()
    assert support.submit("/jobs/flushes", confirm="flush").status_code == HTTPStatus.FORBIDDEN
    assert kept() == {made}
