"""Failures as real programs raise them, by their cause. Each is really raised; what needs a server that is not there
has the words that such a server sends.

Most go through one of two functions, so that the place in the application hardly tells them apart: message and class
have to. Only what starts other programs has a function of its own.
"""

from __future__ import annotations

import configparser
import csv
import decimal
import email.utils
import importlib
import io
import ipaddress
import json
import operator
import pathlib
import smtplib
import socket
import sqlite3
import subprocess
import sys
import traceback
import uuid
import xml.etree.ElementTree as ET
import zipfile
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jinja2
import psycopg
import pydantic
import redis
import requests
import sqlalchemy
import urllib3
import yaml
from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery.exceptions import SoftTimeLimitExceeded
from PIL import Image

Program = Callable[[], Any]


def closed_port() -> int:
    """Where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def handle(program: Program) -> None:
    """The job."""
    program()


def raised(program: Program) -> tuple[str, str, str]:
    """Class, message and traceback, as an event carries them."""
    try:
        handle(program)
    except BaseException as error:  # noqa: BLE001  whatever a program may raise
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        return name, str(error)[:2_000], "".join(traceback.format_exception(error))
    raise AssertionError("the program did well")


def _raise(error: BaseException) -> None:
    raise error


def convert(program: str) -> None:
    subprocess.check_call([program, "a.html"])


def raising(error: BaseException) -> Program:
    return partial(_raise, error)


class Order(pydantic.BaseModel):
    amount: float = pydantic.Field(gt=0)
    email: str = pydantic.Field(pattern=r".+@.+")
    count: int = 1


def order(**values: Any) -> Program:
    return partial(Order, **({"amount": 1, "email": "a@b.c"} | values))


def bad_response(status: int, reason: str, url: str) -> Program:
    response = requests.Response()
    response.status_code, response.reason, response.url = status, reason, url
    return response.raise_for_status


def sql(*statements: tuple[str, tuple[Any, ...]]) -> Program:
    def run() -> None:
        engine = sqlalchemy.create_engine("sqlite://")
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE person (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL)")
            for statement, values in statements:
                connection.exec_driver_sql(statement, values)

    return run


def twice(address: str, n: int) -> Program:
    insert = "INSERT INTO person (id, email, name) VALUES (?, ?, ?)"
    return sql((insert, (n, address, "Ada")), (insert, (n + 1, address, "Ada L.")))


def without_name(address: str) -> Program:
    return sql(("INSERT INTO person (email, name) VALUES (?, ?)", (address, None)))


def smtp_refused(*addresses: str) -> Program:
    refused = {a: (550, f"5.1.1 <{a}>: Recipient address rejected: User unknown in virtual mailbox table".encode()) for a in addresses}
    return raising(smtplib.SMTPRecipientsRefused(refused))


def unique(constraint: str, column: str, value: str) -> Program:
    return raising(psycopg.errors.UniqueViolation(
        f'duplicate key value violates unique constraint "{constraint}"\nDETAIL:  Key ({column})=({value}) already exists.'
    ))


def foreign(n: int) -> Program:
    return raising(psycopg.errors.ForeignKeyViolation(
        'insert or update on table "orders" violates foreign key constraint "orders_customer_id_fkey"\n'
        f'DETAIL:  Key (customer_id)=({n}) is not present in table "customers".'
    ))


def deadlock(*n: int) -> Program:
    a, b, tx, more = n
    return raising(psycopg.errors.DeadlockDetected(
        f"deadlock detected\nDETAIL:  Process {a} waits for ShareLock on transaction {tx}; blocked by process {b}.\n"
        f"Process {b} waits for ShareLock on transaction {tx + 1}; blocked by process {a}.\n"
        f'HINT:  See server log for query details.\nCONTEXT:  while updating tuple ({more},{more + 3}) in relation "stock"'
    ))


def not_null(row: str) -> Program:
    return raising(psycopg.errors.NotNullViolation(
        'null value in column "email" of relation "users" violates not-null constraint\n'
        f"DETAIL:  Failing row contains ({row})."
    ))


def statement_timeout() -> Program:
    return raising(psycopg.errors.QueryCanceled("canceling statement due to statement timeout"))


def pool_timeout(host: str, seconds: float) -> Program:
    inner = urllib3.exceptions.ConnectTimeoutError(None, f"Connection to {host} timed out. (connect timeout={seconds})")
    return raising(requests.exceptions.ConnectTimeout(urllib3.exceptions.MaxRetryError(urllib3.HTTPSConnectionPool(host, 443), f"/v1/orders/{uuid.uuid4()}", inner)))


def read_timeout(host: str, seconds: float) -> Program:
    return raising(requests.exceptions.ReadTimeout(f"HTTPSConnectionPool(host='{host}', port=443): Read timed out. (read timeout={seconds})"))


def unresolved(host: str) -> Program:
    inner = f"<urllib3.connection.HTTPSConnection object at 0x7f{uuid.uuid4().hex[:10]}>: Failed to resolve '{host}' ([Errno -2] Name or service not known)"
    return raising(requests.exceptions.ConnectionError(
        f"HTTPSConnectionPool(host='{host}', port=443): Max retries exceeded with url: /a/{uuid.uuid4()} (Caused by NameResolutionError(\"{inner}\"))"
    ))


def s3_missing(key: str, bucket: str) -> Program:
    return raising(FileNotFoundError(f"An error occurred (NoSuchKey) when calling the GetObject operation: s3://{bucket}/{key} does not exist"))


def declined(n: int, code: int) -> Program:
    return raising(ValueError(f"card of order {n} was declined (code {code})"))


def sign(n: str) -> Program:
    return raising(PermissionError(f"signature of webhook {n} does not match (sha256={uuid.uuid4().hex}{uuid.uuid4().hex})"))


def locked(n: int, until: datetime) -> Program:
    return raising(RuntimeError(f"customer #{n} is locked by worker-{n % 7}@10.2.{n % 200}.{n % 250} until {until.isoformat()}"))


def rate_limited(n: float, when: datetime) -> Program:
    return raising(RuntimeError(f"429 Too Many Requests: try again in {n}s, at {email.utils.format_datetime(when)}"))


def memory(n: int) -> Program:
    return raising(MemoryError(f"the job used {n} MB, {n - 256}MB more than it may (limit 256 MB)"))


def token(value: str) -> Program:
    return raising(PermissionError(f"token {value} has expired"))


def shard(n: int, ip: str) -> Program:
    return raising(ConnectionError(f"shard {n} at [{ip}]:9200 is not the primary any more"))


NOW = datetime(2026, 3, 1, 12, 30, 11, tzinfo=UTC)
_class = type("Basket", (), {})

PROGRAMS: dict[str, list[Program]] = {
    "no such file": [partial(open, f"/srv/data/{n}/export-{n:08x}.csv") for n in (1, 4711, 99_000_017)]
    + [partial(pathlib.Path(f"C:\\temp\\report {n}.pdf").read_bytes) for n in (3, 4)],
    "is a directory": [partial(open, path) for path in ("/tmp", "/", "/usr/bin")],
    "missing key": [partial(operator.getitem, {}, key) for key in ("title", "user_4711", "price")],
    "index out of range": [partial(operator.getitem, [], n) for n in (0, 7)],
    "no attribute email on nothing": [partial(getattr, None, "email"), partial(getattr, None, "email")],
    "no attribute name on nothing": [partial(getattr, None, "name"), partial(getattr, None, "name")],
    "no attribute total on a basket": [partial(getattr, _class(), "total"), partial(getattr, _class(), "total")],
    "int and str": [partial(operator.add, n, "x") for n in (1, 22)],
    "list and int": [partial(operator.add, [n], 3) for n in (1, 2)],
    "division by zero": [partial(operator.truediv, n, 0) for n in (1, 99)],
    "not a number": [partial(int, text) for text in ("abc", "12,5", "", "O'Brien", "1 2")],
    "not a float": [partial(float, text) for text in ("abc", "12,5")],
    "not a decimal": [partial(decimal.Decimal, text) for text in ("x", "1,5")],
    "broken JSON: a value is missing": [partial(json.loads, text) for text in ("", "[1, ", "[" * 5 + "1," * 44)],
    "broken JSON: a comma is missing": [partial(json.loads, '{"a": 1 "b": 2}'), partial(json.loads, '{"order": 4711\n "b": 2}')],
    "not UTF-8": [partial(bytes.decode, raw, "utf-8") for raw in (b"\xff", b"abc\xfe", b"a" * 200 + b"\xf8")],
    "not ASCII": [partial(str.encode, text, "ascii") for text in ("ä", "Grüße", "x" * 90 + "é")],
    "unknown module": [partial(importlib.import_module, name) for name in ("shop_plugins", "shop_plugins")],
    "another unknown module": [partial(importlib.import_module, name) for name in ("legacy_tax", "legacy_tax")],
    "not a UUID": [partial(uuid.UUID, text) for text in ("x", "4711")],
    "not an address of a network": [partial(ipaddress.ip_address, text) for text in ("10.0.0.300", "host-7", "fe80::1::2")],
    "not a date": [partial(datetime.fromisoformat, text) for text in ("yesterday", "2026-02-30x", "1.3.2026")],
    "unknown zone": [partial(zoneinfo.ZoneInfo, text) for text in ("Europe/Grazz", "Mars/Base_1")],
    "amount too small": [order(amount=n) for n in (-3, 0, -99.5)],
    "amount is no number": [order(amount=text) for text in ("free", "12 EUR", "x" * 200)],
    "address does not match": [order(email=text) for text in ("ada", "not-an-address", "x1")],
    "count is no number": [order(count={"a": 1, "b": [2, 3]}), order(count={"items": ["x"] * 40})],
    "template variable": [
        partial(jinja2.Environment(undefined=jinja2.StrictUndefined).from_string("Hello {{ customer }}").render) for _ in range(2)
    ],
    "template syntax": [partial(jinja2.Environment().from_string, "\n" * n + "{% if x %}") for n in (0, 12)],
    "no template": [
        partial(jinja2.Environment(loader=jinja2.DictLoader({})).get_template, f"mail/{n}/welcome-{n}.html") for n in (1, 204)
    ],
    "broken XML": [partial(ET.fromstring, text) for text in ("<a>", "<a>\n\n<b>")],
    "broken YAML": [partial(yaml.safe_load, text) for text in ("a: [1, 2", "x: 1\nb: [3,")],
    "broken archive": [partial(zipfile.ZipFile, io.BytesIO(raw)) for raw in (b"", b"PK no archive")],
    "broken picture": [partial(Image.open, io.BytesIO(raw)) for raw in (b"", b"GIF8 no picture", b"x" * 3_000)],
    "no section": [partial(configparser.ConfigParser().get, name, "x") for name in ("smtp", "smtp_2")],
    "a field too long": [partial(list, csv.reader(["x" * (131_073 + n)])) for n in (0, 5)],
    "nobody listens, requests": [partial(requests.get, f"http://127.0.0.1:{closed_port()}/v1/users/{n}?t={n}") for n in (1, 2, 3)],
    "nobody listens, redis": [redis.Redis("127.0.0.1", closed_port(), socket_timeout=1).ping for _ in range(3)],
    "nobody listens, psycopg": [
        partial(psycopg.connect, host="127.0.0.1", port=closed_port(), dbname="shop", connect_timeout=1) for _ in range(2)
    ],
    "nobody listens, socket": [partial(socket.create_connection, ("127.0.0.1", closed_port()), 1) for _ in range(2)],
    "no such host": [unresolved(host) for host in ("api.example.com", "crm-7.internal", "a.example.org")],
    "connecting takes too long": [pool_timeout(host, n) for host, n in (("api.example.com", 3), ("10.0.4.17", 2.5))],
    "reading takes too long": [read_timeout(host, n) for host, n in (("api.example.com", 3), ("crm-7.internal", 12.5))],
    "404": [bad_response(404, "Not Found", f"https://api.example.com/v1/users/{n}") for n in (17, 4711)],
    "500": [bad_response(500, "Internal Server Error", f"https://api.example.com/v1/users/{n}") for n in (17, 4711)],
    "502": [bad_response(502, "Bad Gateway", f"https://api.example.com/v1/orders/{n}?a=b") for n in (3, 888)],
    "401": [bad_response(401, "Unauthorized", f"https://api.example.com/v1/orders/{n}?a=b") for n in (3, 888)],
    "twice, SQLAlchemy": [twice(address, n) for address, n in (("ada@example.com", 1), ("o'brien@example.org", 4711))],
    "no name, SQLAlchemy": [without_name(address) for address in ("ada@example.com", "eve+1@example.org")],
    "no table, SQLite": [partial(sqlite3.connect(":memory:").execute, "SELECT * FROM parcel")] * 2,
    "the address is taken, PostgreSQL": [unique("users_email_key", "email", value) for value in ("ada@example.com", "e@x.org")],
    "the order is there, PostgreSQL": [unique("orders_pkey", "shop_id, id", value) for value in ("3, 4711", "9, 12")],
    "no such customer, PostgreSQL": [foreign(n) for n in (4711, 12, 99_999)],
    "deadlock": [deadlock(*n) for n in ((101, 99, 7_001, 3), (2_345, 888, 91_002, 55))],
    "no address, PostgreSQL": [not_null("17, null, Ada Lovelace, 2026-03-01 10:11:12+00"), not_null("9, null, null, t, {a,b}")],
    "too slow, PostgreSQL": [statement_timeout(), statement_timeout()],
    "recipients are refused": [smtp_refused("ada@example.com"), smtp_refused("a@b.example", "c@d.example")],
    "mailbox is full": [
        raising(smtplib.SMTPDataError(452, f"4.2.2 The recipient's inbox is out of storage {n} - gsmtp".encode())) for n in ("a1b2c3d4", "ff00aa17")
    ],
    "sender is refused": [
        raising(smtplib.SMTPSenderRefused(553, b"5.7.1 Sender address rejected: not owned by user", name)) for name in ("a@b.c", "shop-9@example.com")
    ],
    "time limit": [raising(TimeLimitExceeded(n)) for n in (300, 60.0)],
    "soft time limit": [raising(SoftTimeLimitExceeded()), raising(SoftTimeLimitExceeded())],
    "worker is gone": [raising(WorkerLostError(f"Worker exited prematurely: signal 9 (SIGKILL) Job: {n}.")) for n in (3, 4711)],
    "a program fails": [partial(subprocess.check_call, [sys.executable, "-c", f"raise SystemExit({n})"]) for n in (1, 3)],
    "no such program": [partial(convert, name) for name in ("wkhtmltopdf-9", "/opt/bin/convert7")],
    "object is missing in a bucket": [s3_missing(f"2026/03/{n}/invoice-{n:09x}.pdf", bucket) for n, bucket in ((1, "eu-1"), (77, "us-west-2"))],
    "card is declined, no money": [declined(n, 51) for n in (17, 4711, 12_345_678)],
    "card is declined, expired": [declined(n, 54) for n in (18, 999)],
    "signature": [sign(value) for value in ("evt_1Mq9zK2eZvKYlo2C", "evt_9ZZ8yA1bXv")],
    "customer is locked": [locked(n, NOW + timedelta(minutes=n)) for n in (17, 4711, 80)],
    "too many requests": [rate_limited(n, NOW + timedelta(hours=int(n))) for n in (3, 12.5, 60)],
    "too much memory": [memory(n) for n in (300, 1_024)],
    "token has expired": [token(value) for value in ("tok_1a2b3c4d5e", "eyJhbGciOiJIUzI1NiJ9eyJzdWIiOiIxMjM0NTY3ODkw0", uuid.uuid4().hex)],
    "no primary": [shard(n, ip) for n, ip in ((3, "fe80::1ff:fe23:4567:890a"), (12, "2001:db8::7"), (4, "10.0.0.7"))],
}
"""By the cause, which is the group that a person would put them in."""
