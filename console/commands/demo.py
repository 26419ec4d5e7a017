"""`celeriac demo`: a workload that goes on, to see the console with life in it."""

from __future__ import annotations

import time
from random import Random

import click

from console import db
from console.audit.service import Actor
from console.commands import demo_schedules
from console.jobs import service
from console.jobs.registry import job_type

DEMO = Actor("demo", "admin")


@click.command()
@click.option(
    "--rate", default=2.0, show_default=True, type=click.FloatRange(0.01, 500), help="Jobs a second, on average."
)
@click.option("--jobs", "limit", type=click.IntRange(1), help="Stop after so many.")
def demo(rate: float, limit: int | None) -> None:
    """Dispatch a realistic mix of demo jobs until stopped."""
    import tasks  # noqa: F401  registers the job types

    with db.writing() as session:
        demo_schedules.add(session, DEMO)
    random = Random()
    made = 0
    while limit is None or made < limit:
        name, payload, delay = _next(random)
        with db.writing() as session:
            service.dispatch(
                session, DEMO, job_type(name), payload, service.DispatchOptions(delay_s=delay, tags=("demo",))
            )
        made += 1
        time.sleep(random.expovariate(rate))


def customer_of(random: Random) -> dict[str, object]:
    """A customer of the pretended shop, as a payload: a few of them, and programs of three versions."""
    version = random.choices(["2.3.0", "2.4.0", "2.4.1"], weights=[1, 6, 3])[0]
    return {"customer_id": random.randrange(4_000, 5_000), "email": f"c{random.randrange(900)}@example.com"} | {
        "app_version": version
    }


def _next(random: Random) -> tuple[str, dict[str, object], float | None]:
    """A job type with its payload, and sometimes a delay in seconds."""
    order: dict[str, object] = {"order_id": random.randrange(1, 100_000), "amount": round(random.uniform(5, 250), 2)}
    delay = random.uniform(5, 120) if random.random() < 0.05 else None
    kinds: list[tuple[str, dict[str, object]]] = [
        ("demo.charge_order", order),
        ("demo.index_document", order),
        ("demo.sync_customer", customer_of(random)),
        ("demo.send_invoice", customer_of(random)),
        ("demo.noop", {}),
        ("demo.sleep", {"seconds": round(random.uniform(0.05, 4), 2)}),
        ("demo.flaky", {"fail_times": random.randrange(0, 3)}),
        ("demo.progress", {"chunks": random.randrange(5, 40), "seconds_each": 0.3}),
    ]
    return *random.choices(kinds, weights=[30, 20, 20, 15, 8, 4, 2, 1])[0], delay
