"""Which jobs a search finds, on both databases, and that lists, counts and bulk actions mean the same ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from console import clock, db
from console.actor import SYSTEM
from console.jobs import bulk, queries
from console.jobs.filters import JobFilter
from console.jobs.rules import State
from console.jobs.search.language import parse
from tests.factories.jobs import make_job


def payload(*args: Any, **kwargs: Any) -> str:
    return json.dumps({"args": args, "kwargs": kwargs}, separators=(",", ":"))


JOBS: dict[str, dict[str, Any]] = {
    "mail": {
        "type": "emails.send", "queue": "emails", "error_type": "smtplib.SMTPServerDisconnected", "attempts": 3,
        "payload": payload(user_id=42, to="ada@example.com", urgent=True, reply=None), "tags": '["vip", "eu"]', "runtime_ms": 61_000,
    },
    "mail-2": {
        "type": "emails.send", "queue": "emails", "error_type": "TimeoutError", "worker": "celery@two", "tags": '["vip\\"x"]',
        "payload": payload(user_id="42", to="bob@example.com", urgent="true"), "reason": "timeout",
    },
    "report": {
        "type": "reports.make", "queue": "heavy", "error_type": "requests.exceptions.Timeout", "runtime_ms": 4_000,
        "payload": payload(7, {"user": {"ids": [5, 42]}}, user={"id": 42.0, "names": ["Ada", "Bob"]}, amount=99.5, none="100%"),
    },
    "broken": {"type": "reports.make", "queue": "heavy", "payload": '{"kwargs":{"user_id":42,"x":NaN}', "tags": '["a\\"vip"]'},
    "odd": {"type": "odd", "payload": payload(user_id="\x00 42", half="\ud800", name="O'Neill \"x\" ünï")},
    "bare": {"state": State.PENDING, "payload": None, "worker": None, "error_type": None, "runtime_ms": None, "source": "shop", "attempts": 0},
    "upkeep": {"type": "celeriac.prune", "internal": True, "payload": payload(user_id=42)},
}


@pytest.fixture
def made(database: Engine) -> None:
    now = clock.now()
    with db.writing() as session:
        for minutes, (name, columns) in enumerate(JOBS.items()):
            values = {"id": name, "enqueued_at": now - timedelta(minutes=minutes), "state": State.RETRYABLE, **columns}
            make_job(session, **values)


FAILED = {"mail", "mail-2", "report", "broken", "odd"}
ALL = FAILED | {"bare"}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ALL),
        ("internal:yes", ALL | {"upkeep"}),
        ("state:failed", FAILED),
        ("-state:failed", {"bare"}),
        ("type:emails.send", {"mail", "mail-2"}),
        ("type:emails.send type:odd", {"mail", "mail-2", "odd"}),
        ("type:emails.send type:odd queue:default queue:emails", {"mail", "mail-2", "odd"}),
        ("type:emails.send queue:heavy", set()),
        ("type:emails.send type:rep*", {"mail", "mail-2", "report", "broken"}),
        ("type:EMAILS.*", set()),
        ("-type:emails.* -queue:heavy", {"odd", "bare"}),
        ("-queue:heavy -queue:emails", {"odd", "bare"}),
        ("error:TimeoutError", {"mail-2"}),
        ("error:timeout", {"report"}),
        ("error:Timeout*", {"mail-2", "report"}),
        ("error:requests.exceptions.Timeout", {"report"}),
        ("error:SMTP*", {"mail"}),
        ("error:S_TP*", set()),
        ("-error:Timeout*", ALL - {"mail-2", "report"}),
        ("worker:celery@two", {"mail-2"}),
        ("worker:celery@*", FAILED),
        ("-worker:celery@here", {"mail-2", "bare"}),
        ("source:shop", {"bare"}),
        ("-source:shop", FAILED),
        ("reason:timeout", {"mail-2"}),
        ("tag:vip", {"mail"}),
        ("tag:vip*", {"mail", "mail-2"}),
        ("tag:vip tag:eu", {"mail"}),
        ("tag:vip tag:us", set()),
        ("-tag:vip", ALL - {"mail"}),
        ("attempt:>1", {"mail"}),
        ("attempt:<1", {"bare"}),
        ("attempt:>=1 attempt:<3", FAILED - {"mail"}),
        ("-attempt:1", {"mail", "bare"}),
        ("runtime:>1m", {"mail"}),
        ("runtime:<=4s runtime:>2s", {"report"}),
        ("runtime:2s", {"mail-2", "broken", "odd"}),
        ("-runtime:>1m", ALL - {"mail"}),
        ("args.user_id:42", {"mail", "mail-2"}),
        ("args.user_id:42 internal:yes", {"mail", "mail-2", "upkeep"}),
        ("args.user_id:4", set()),
        ("args.user_id:>41", {"mail"}),
        ("args.user_id:4*", {"mail", "mail-2"}),
        ("-args.user_id:42", ALL - {"mail", "mail-2"}),
        ("args.user_id:42 args.user_id:7", {"mail", "mail-2"}),
        ("args.urgent:true", {"mail", "mail-2"}),
        ("args.reply:null", {"mail"}),
        ("args.to:ada@example.com", {"mail"}),
        ("args.to:ADA@example.com", set()),
        ("args.to:ada@*", {"mail"}),
        ("args.0:7", {"report"}),
        ("args.1.user.ids.1:42", {"report"}),
        ("args.user.id:42", {"report"}),
        ("args.user.names.0:Ada", {"report"}),
        ("args.user.names:Ada", set()),
        ("args.user:42", set()),
        ("args.amount:>=99.5", {"report"}),
        ("args.amount:<99.5", set()),
        ("args.none:100%", {"report"}),
        ("args.none:100_", set()),
        ("args.nothing:1", set()),
        ("id:mail", {"mail"}),
        ("id:mail id:odd", {"mail", "odd"}),
        ("id:mail*", {"mail", "mail-2"}),
        ("-id:mail", ALL - {"mail"}),
        ("ada@example.com", {"mail"}),
        ("example.com emails", {"mail", "mail-2"}),
        ("example.com -ada", {"mail-2"}),
        ("\"'; DROP TABLE job_status; --\"", set()),
        ("group:abc", set()),
    ],
)
def test_what_is_found(made: None, search: str, found: set[str]) -> None:
    wanted = parse(search)
    with db.reading() as session:
        assert {job.id for job in queries.list_jobs(session, wanted).jobs} == found
        assert queries.count_jobs(session, wanted) == (len(found), True)
        assert queries.count_jobs(session, wanted, queries.list_jobs(session, wanted, None, 1)) == (len(found), True)


def test_a_payload_that_is_no_json_hides_nothing_and_breaks_nothing(made: None, database: Engine) -> None:
    with db.reading() as session:
        odd = {job.id for job in queries.list_jobs(session, parse("args.name:O*")).jobs}
    assert odd == ({"odd"} if database.dialect.name == "sqlite" else set()), "PostgreSQL's JSON has no NUL"


@pytest.fixture
def many(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six mails, newest first, every second of which says so in its payload; only the newest four are looked at."""
    monkeypatch.setattr(queries, "TEXT_SCAN", 4)
    now = clock.now()
    with db.writing() as session:
        for n in range(6):
            columns = {"type": f"emails.{'ab'[n % 2]}", "queue": "emails", "payload": payload(n=n % 2)}
            make_job(session, State.RETRYABLE, id=f"m-{n}", enqueued_at=now - timedelta(minutes=n), **columns)
            make_job(session, State.COMPLETED, id=f"c-{n}", enqueued_at=now - timedelta(minutes=n, seconds=1))


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("state:failed args.n:1", ["m-1", "m-3"]),
        ("state:failed -args.n:0", ["m-1", "m-3"]),
        ("state:failed type:emails.*", ["m-0", "m-1", "m-2", "m-3"]),
        ("state:failed type:emails.a type:emails.b", [f"m-{n}" for n in range(6)]),
        ("state:failed type:emails.b args.n:1", ["m-1", "m-3", "m-5"]),
        ("state:failed type:emails.b type:emails.x args.n:1", ["m-1", "m-3", "m-5"]),
        ("args.n:1", ["m-1"]),
        ("id:m-5 args.n:1", ["m-5"]),
    ],
)
def test_all_mean_the_same_jobs(many: None, search: str, found: list[str], broker: Any) -> None:
    wanted = parse(search)
    with db.reading() as session:
        assert [job.id for job in queries.list_jobs(session, wanted).jobs] == found
        assert queries.count_jobs(session, wanted) == (len(found), True)
    if "state" in search:
        assert bulk.do_to_all(db.writing, bulk.RETRY, SYSTEM, wanted) == len(found)
        with db.reading() as session:
            assert queries.count_jobs(session, JobFilter(states=(State.RETRYABLE,)))[0] == 6 - len(found)


@pytest.mark.parametrize("search", ["type:emails.a type:emails.b", "queue:emails queue:default state:failed", "id:m-5"])
def test_an_index_answers_what_it_can(many: None, database: Engine, search: str) -> None:
    with plans(database) as seen, db.reading() as session:
        queries.list_jobs(session, parse(search))
    assert seen
    assert not [line for plan in seen for line in plan if line.strip().startswith(("SCAN job_status", "Seq Scan on job_status"))], seen


@contextmanager
def plans(engine: Engine) -> Iterator[list[list[str]]]:
    """How the database reads each of the statements that ask for jobs."""
    found: list[list[str]] = []
    is_sqlite = engine.dialect.name == "sqlite"

    def look(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
        if "FROM job_status" not in statement or statement.startswith("EXPLAIN"):
            return
        cursor = connection.connection.cursor()
        if not is_sqlite:
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}", parameters)
        found.append([str(row[-1]) for row in cursor.fetchall()])

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", look)


def test_jobs_of_one_action_are_found_by_its_index_however_old(database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "TEXT_SCAN", 2)
    now = clock.now()
    with db.writing() as session:
        for n in range(6):
            made_by = {0: "one", 1: "one", 4: "two"}.get(n)
            state = State.COMPLETED if n == 1 else State.RETRYABLE
            make_job(session, state, id=f"n{n}", action_id=made_by, enqueued_at=now - timedelta(hours=9 - n))
    with db.reading() as session:
        page = queries.list_jobs(session, parse("action:one"), limit=1)
        after = queries.list_jobs(session, parse("action:one"), page.next)
        assert ([one.id for one in (*page.jobs, *after.jobs)], page.searched_back_to) == (["n1", "n0"], None)
        assert queries.count_jobs(session, parse("action:one")) == (2, True)
        assert [one.id for one in queries.list_jobs(session, parse("state:failed action:one")).jobs] == ["n0"]
        several = queries.list_jobs(session, parse("action:one action:two"))
        assert ([one.id for one in several.jobs], several.searched_back_to is None) == (["n4"], False)
