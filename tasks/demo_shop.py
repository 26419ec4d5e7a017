"""More of the pretended shop: job types that fail in many ways, as programs do, to have failures to look at."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from console.jobs.policies import Exponential, Never
from tasks.job import Job

FAILING = 4
"""One customer in so many has something wrong."""


class CustomerPayload(BaseModel):
    """A customer of the pretended shop, and the version of the program that asked."""

    customer_id: int
    email: str = "ada@example.com"
    app_version: str = "2.4.1"


class Profile(BaseModel):
    """What the pretended address book answers."""

    name: str = Field(min_length=1)
    credit: float = Field(ge=0)


class ServiceError(Exception):
    """The pretended payment service refused."""


def _has_no_address(_of: CustomerPayload, _: Random) -> None:
    address: dict[str, str] = {"city": "Graz"}
    print(address["postcode"])  # noqa: T201


def _is_nobody(_of: CustomerPayload, _: Random) -> None:
    profile: Any = None
    profile.name.title()


def _has_a_bad_profile(_of: CustomerPayload, random: Random) -> None:
    Profile(name="Ada", credit=-random.randrange(1, 500))


def _has_broken_json(_of: CustomerPayload, random: Random) -> None:
    orders = ", ".join(map(str, range(random.randrange(3, 90))))
    json.loads(f'{{"name": "Ada", "orders": [{orders}')


def _has_no_file(of: CustomerPayload, random: Random) -> None:
    Path(f"/srv/exports/{of.customer_id}/{random.getrandbits(64):016x}.csv").read_bytes()


def _is_there_twice(of: CustomerPayload, _: Random) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE customer (email TEXT UNIQUE)")
        for _time in range(2):
            database.execute("INSERT INTO customer VALUES (?)", [of.email])


def _gets_no_answer(of: CustomerPayload, random: Random) -> None:
    host = f"10.0.{random.randrange(4)}.{random.randrange(1, 250)}:8443"
    address = f"https://crm.example/v2/customers/{of.customer_id}"
    raise TimeoutError(f"{address} ({host}) did not answer in 3.{of.customer_id % 9} s")


def _is_refused(of: CustomerPayload, random: Random) -> None:
    request = UUID(int=random.getrandbits(128), version=4)
    raise ServiceError(f"402 Payment Required: card of {of.email} was declined (request {request})")


def _has_no_rate(_of: CustomerPayload, random: Random) -> None:
    total, days = random.randrange(10, 900), 0
    print(total / days)  # noqa: T201


def _is_written_strangely(_of: CustomerPayload, _: Random) -> None:
    (b"Gro\xdf" + os.urandom(2)).decode("ascii")


SYNC: list[Callable[[CustomerPayload, Random], None]] = [
    _has_no_address, _is_nobody, _has_a_bad_profile, _gets_no_answer, _is_there_twice, _has_broken_json,
]
INVOICE: list[Callable[[CustomerPayload, Random], None]] = [
    _is_refused, _has_no_file, _has_no_rate, _is_written_strangely, _has_no_address,
]


def _work(of: CustomerPayload, ways: list[Callable[[CustomerPayload, Random], None]]) -> None:
    """Fails for some customers, each in a way of its own; the first ways are met more often."""
    random = Random(of.customer_id)
    if of.customer_id % FAILING == 0:
        way = min(random.randrange(len(ways)), random.randrange(len(ways)))
        ways[way](of, Random())
    time.sleep(random.uniform(0.01, 0.1))


class SyncCustomer(Job):
    """Fetches a customer of the pretended shop; some are broken in different ways."""

    name = "demo.sync_customer"
    schema = CustomerPayload
    retry_policy = Never()

    def handle(self, payload: CustomerPayload) -> None:
        """Fails in six ways."""
        _work(payload, SYNC)


class SendInvoice(Job):
    """Sends an invoice of the pretended shop; that fails in different ways."""

    name = "demo.send_invoice"
    queue_name = "emails"
    schema = CustomerPayload
    retry_policy = Exponential(base_s=1, cap_s=5)
    max_attempts = 2

    def handle(self, payload: CustomerPayload) -> None:
        """Fails in five ways."""
        _work(payload, INVOICE)
