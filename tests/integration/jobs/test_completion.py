"""What is offered while somebody types a search, on both databases."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from console import db
from console.jobs.rules import State
from console.jobs.search.completion import complete
from tests.factories.jobs import make_job


@pytest.fixture
def made(database: Engine) -> None:
    payload = {"args": [{"sku": 1}], "kwargs": {"user_id": 1, "user": {"name": "x", "odd key": 1}, "many": list(range(9))}}
    with db.writing() as session:
        make_job(session, type="emails.send", queue="emails", error_type="TimeoutError", payload=json.dumps(payload), tags='["vip"]')
        make_job(session, type="emails.send", queue="emails", error_type="smtplib.SMTPException", payload="[no json")
        make_job(session, State.COMPLETED, type="with a blank", queue="slow", tags='["vip", "eu"]', payload=json.dumps({"args": [], "kwargs": {"only": 1}}))
        make_job(session, State.COMPLETED, type="celeriac.prune", internal=True)


def offered(text: str, at: int | None = None) -> list[str]:
    with db.reading() as session:
        return [option.text for option in complete(session, text, len(text) if at is None else at).options]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("st", ["state:"]),
        ("-st", ["-state:"]),
        ("a", ["args.", "attempt:", "after:", "action:"]),
        ("state:re", ["state:retrying", "state:retryable"]),
        ("type:", ["type:emails.send", 'type:"with a blank"']),
        ("type:blank", ['type:"with a blank"']),
        ('type:"with a', ['type:"with a blank"']),
        ("queue:e", ["queue:emails"]),
        ("-queue:sl", ["-queue:slow"]),
        ("error:", ["error:TimeoutError", "error:smtplib.SMTPException"]),
        ("error:smtp", ["error:smtplib.SMTPException"]),
        ("type:emails.send error:S", ["error:smtplib.SMTPException"]),
        ("tag:", ["tag:vip", "tag:eu"]),
        ("reason:time", ["reason:timeout", "reason:soft_timeout"]),
        ("attempt:", ["attempt:>1", "attempt:>2"]),
        ("args.us", ["args.user.name:", "args.user_id:"]),
        ("args.0", ["args.0.sku:"]),
        ("args.user_id:", []),
        ("nothing:x", []),
        ("id:", []),
        ('"type:', []),
    ],
)
def test_what_is_offered(made: None, typed: str, expected: list[str]) -> None:
    assert sorted(offered(typed)) == sorted(expected)


def test_with_nothing_typed_every_key_is_offered(made: None) -> None:
    assert "args." in offered("")
    assert "group:" in offered("state:failed ")


def test_paths_are_those_of_the_type_that_is_named(made: None) -> None:
    assert offered('type:"with a blank" args.') == ["args.only:"]


def test_the_word_under_the_cursor_is_replaced(made: None) -> None:
    with db.reading() as session:
        found = complete(session, "queue:em -state:x", 8)
    assert (found.begin, found.end, [option.text for option in found.options]) == (0, 8, ["queue:emails"])


@pytest.mark.parametrize("typed", ["\0", "-", '"', "type:\0", "args.", "error:'; --", "type:%", "x" * 5_000, "args.a:" * 400])
def test_nonsense_offers_something_or_nothing(made: None, typed: str) -> None:
    offered(typed)
    offered(typed, -5)


def test_bulk_actions_that_made_jobs_are_offered_newest_first(database: Engine) -> None:
    with db.writing() as session:
        for name in ("a1", "a3", "a2", "a3", None):
            make_job(session, action_id=name)
    assert offered("action:") == ["action:a3", "action:a2", "action:a1"]
    assert offered("action:2") == ["action:a2"]
