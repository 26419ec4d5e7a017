"""Filling the job table of the site in force with millions of jobs, and a stream with the events of thousands.

The database makes the rows itself, which takes seconds where the recorder would take minutes; indexes are made after.
Jobs are spread over `DAYS` up to now. Of 1,000, 960 are COMPLETED, 25 RETRYABLE, 5 FAILED, 10 CANCELLED. Failures are
of `len(ERRORS)` kinds in each type, each kind a failure group. One in 200 jobs was made by the bulk action `ACTION`.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

from sqlalchemy import Connection, Engine, Index, Table, select

from bench.frame.timing import note
from console import clock, db
from console.jobs import groups
from console.jobs.fingerprint import Fingerprint, fingerprint_of
from console.jobs.groups import Seen
from console.jobs.models import JobStatus
from console.jobs.tally import GRAINS
from console.tracking.events import Event, Kind

DAYS = 30
SPAN = timedelta(days=DAYS)
TYPES, QUEUES = 20, ("default", "emails", "heavy", "notifications")
BLOCK_EVENTS = 50
IN_FLIGHT = 3_000
ERRORS = ("ValueError", "TimeoutError", "KeyError", "ConnectionError", "LookupError")
ACTION = "0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f"
TRACEBACK = "Traceback (most recent call last):\n" + '  File "/srv/shop/tasks.py", line 42, in send\n' * 12

_COLUMNS = (
    "id, type, queue, state, attempts, worker, enqueued_at, started_at, finished_at, runtime_ms, reason, error_type,"
    " error_message, fingerprint, action_id, payload, timeline, run, ver, sver, fver, pver, internal"
)
_SELECT = """
    SELECT {id}, 'shop.task_' || (n * 7 % {types}),
        CASE n * 11 % 4 WHEN 0 THEN 'default' WHEN 1 THEN 'emails' WHEN 2 THEN 'heavy' ELSE 'notifications' END,
        CASE WHEN r < 960 THEN 'COMPLETED' WHEN r < 985 THEN 'RETRYABLE' WHEN r < 990 THEN 'FAILED'
            ELSE 'CANCELLED' END,
        1, 'celery@host-' || (n % 8), at, at + 40, at + 40 + n % 900, n % 900,
        CASE WHEN failed THEN 'exception' END, CASE WHEN failed THEN kinds.column2 END,
        CASE WHEN failed THEN 'no such customer ' || (n % 100000) END, CASE WHEN failed THEN kinds.column3 END,
        CASE WHEN n % 200 = 0 THEN '{action}' END,
        '{{"args":[],"kwargs":{{"user_id":' || (n % 1000000) || ',"template":"welcome"}}}}',
        '[[' || at || ',"published",0,0,""],[' || (at + 40) || ',"started",0,0,"celery@host-' || (n % 8) || '"],['
            || (at + 40 + n % 900) || ',"succeeded",0,0,""]]',
        0, 0, 0, 0, 0, {false}
    FROM (
        SELECT n, r, at, r BETWEEN 960 AND 989 AS failed, n * 7 % {types} + n / 1000 % {errors} * {types} AS kind
        FROM (SELECT n, n * 7919 % 1000 AS r, {begin} + n * {span} / {rows} AS at FROM {series}) AS numbered
    ) AS jobs JOIN (VALUES {kinds}) AS kinds ON kinds.column1 = kind
"""
_DIALECTS = {
    "sqlite": {
        "id": "lower(printf('%08x-%04x-7%03x-8%03x-', at >> 16, at & 65535, n & 4095, n >> 12 & 4095)"
        " || hex(randomblob(6)))",
        "series": "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {end})"
        " SELECT n FROM s)",
        "false": "0",
    },
    "postgresql": {
        "id": "substr(lpad(to_hex(at), 12, '0'), 1, 8) || '-' || substr(lpad(to_hex(at), 12, '0'), 9)"
        " || '-7' || lpad(to_hex(n & 4095), 3, '0') || '-8' || lpad(to_hex(n >> 12 & 4095), 3, '0')"
        " || '-' || substr(md5(n::text), 1, 12)",
        "series": "generate_series({first}::bigint, {end} - 1) AS made(n)",
        "false": "false",
    },
}
_SLICE = 1_000_000


def fill(rows: int) -> None:
    """Makes so many jobs, with the counts and rollups that go with them."""
    engine = db.engine()
    table: Table = JobStatus.__table__  # type: ignore[assignment]
    indexes = sorted(table.indexes, key=lambda index: str(index.name))
    for index in indexes:
        index.drop(engine)
    begin = clock.now_ms() - DAYS * 86_400_000
    for first in range(0, rows, _SLICE):
        note(f"  filling: {first:,} of {rows:,} jobs")
        _insert(engine, rows, first, min(first + _SLICE, rows), begin)
    _index(engine, indexes)
    _summarise(engine)


def events(count: int, new_id: Callable[[int], str]) -> Iterator[Event]:
    """The events of `count` / 3 jobs as workers send them: `IN_FLIGHT` wait or run at any time; one in 30 fails."""
    begin = clock.now_ms()
    ids: list[str] = []
    for number in range(count // 3 + IN_FLIGHT):
        at_ms = begin + number // 20
        if number < count // 3:
            ids.append(new_id(at_ms))
            yield Event(Kind.PUBLISHED, ids[number], at_ms, data=_described(number))
        done = number - IN_FLIGHT
        if 0 <= done < len(ids):
            data = _described(done) | {"worker": f"celery@host-{done % 8}"}
            yield Event(Kind.STARTED, ids[done], at_ms + 5, data=data)
            yield _end(done, ids[done], at_ms + 45)


def blocks(made: Iterator[Event]) -> Iterator[bytes]:
    """Events as they are shipped, `BLOCK_EVENTS` in each block."""
    block = []
    for event in made:
        block.append(event.pack())
        if len(block) == BLOCK_EVENTS:
            yield b"".join(block)
            block.clear()
    yield b"".join(block)


def uuid7(at_ms: int) -> str:
    """An id that begins with its time, as the console's are."""
    tail = bytearray(secrets.token_bytes(10))
    tail[0], tail[2] = tail[0] & 0x0F | 0x70, tail[2] & 0x3F | 0x80
    return str(uuid.UUID(bytes=at_ms.to_bytes(6, "big") + bytes(tail)))


def uuid4(_at_ms: int) -> str:
    """An id without any order, as Celery's are."""
    return str(uuid.uuid4())


def _described(number: int) -> dict[str, str]:
    payload = f'{{"args":[],"kwargs":{{"user_id":{number},"template":"welcome"}}}}'
    return {"type": f"shop.task_{number * 7 % TYPES}", "queue": QUEUES[number * 11 % 4], "payload": payload}


def _end(number: int, job_id: str, at_ms: int) -> Event:
    if number % 30:
        return Event(Kind.SUCCEEDED, job_id, at_ms, data={"runtime_ms": 40})
    error = {"error_type": "ValueError", "error_message": f"no such customer {number}", "reason": "exception"}
    return Event(Kind.FAILED, job_id, at_ms, data=error | {"runtime_ms": 40, "traceback": TRACEBACK})


def _insert(engine: Engine, rows: int, first: int, end: int, begin: int) -> None:
    words = _DIALECTS[engine.dialect.name]
    select = _SELECT.format(
        id=words["id"], series=words["series"].format(first=first, end=end), false=words["false"],
        types=TYPES, begin=begin, span=DAYS * 86_400_000, rows=rows, action=ACTION, errors=len(ERRORS), kinds=_kinds(),
    )  # fmt: skip
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.exec_driver_sql(f"INSERT INTO job_status ({_COLUMNS}) {select}".replace("%", _percent(engine)))


def _kinds() -> str:
    """The kinds of failures as rows of SQL: number, exception, fingerprint."""
    return ", ".join(
        f"({number + TYPES * place}, '{error}', '{_fingerprint(f'shop.task_{number}', error).key}')"
        for place, error in enumerate(ERRORS)
        for number in range(TYPES)
    )


def _fingerprint(type_: str, error: str) -> Fingerprint:
    return fingerprint_of(type_, error, "no such customer 4711", None)


def _index(engine: Engine, indexes: list[Index]) -> None:
    note("  filling: indexes")
    for index in indexes:
        index.create(engine)


def _summarise(engine: Engine) -> None:
    """Counts, and rollups of each grain for as long as charts show it."""
    note("  filling: counts and rollups")
    now_ms = clock.now_ms()
    kept_ms = {"minute": 86_400_000, "hour": 8 * 86_400_000, "day": DAYS * 86_400_000}
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        connection.exec_driver_sql(
            "INSERT INTO job_count SELECT type, queue, state, 0, count(*) FROM job_status GROUP BY type, queue, state"
        )
        for grain, length in GRAINS.items():
            for dimension in ("queue", "type"):
                percent = _percent(engine)
                connection.exec_driver_sql(
                    f"INSERT INTO job_rollup (grain, dimension, at, name, shard, enqueued, completed, failed, retried,"
                    f" cancelled, wait_ms, runtime_ms)"
                    f" SELECT '{grain}', '{dimension}', enqueued_at - enqueued_at {percent} {length}, {dimension}, 0,"
                    f" count(*), sum(CASE WHEN state = 'COMPLETED' THEN 1 ELSE 0 END),"
                    f" sum(CASE WHEN state IN ('FAILED', 'RETRYABLE') THEN 1 ELSE 0 END), 0,"
                    f" sum(CASE WHEN state = 'CANCELLED' THEN 1 ELSE 0 END), 40 * count(*), sum(runtime_ms)"
                    f" FROM job_status WHERE enqueued_at >= {now_ms - kept_ms[grain]}"
                    f" GROUP BY enqueued_at - enqueued_at {percent} {length}, {dimension}"
                )
        _group(connection)
    raw = engine.raw_connection()
    try:
        driver = raw.driver_connection
        assert driver is not None
        if engine.dialect.name == "postgresql":
            driver.autocommit = True
        driver.execute("ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE")
    finally:
        raw.invalidate()


def _group(connection: Connection) -> None:
    """The failure groups, counted by hour as the recorder does it."""
    known = {of.key: of for of in (_fingerprint(f"shop.task_{n}", error) for n in range(TYPES) for error in ERRORS)}
    query = select(JobStatus.fingerprint, JobStatus.finished_at).where(JobStatus.fingerprint.is_not(None))
    failed = [(key, at) for key, at in connection.execute(query) if key and at]
    groups.write(connection, [Seen(known[key], clock.to_ms(at), counts=True) for key, at in failed])


def _percent(engine: Engine) -> str:
    """The remainder sign: psycopg takes a single one for a parameter."""
    return "%" if engine.dialect.name == "sqlite" else "%%"
