"""Events a second that one recorder stores, against the most that each database takes of bare rows."""

from __future__ import annotations

import secrets
import time
from statistics import median
from typing import Any, Literal, cast

import click
import psycopg

from bench.frame import fill, machine, sites
from bench.frame.timing import Figures, note, percentile
from console import clock, db
from console import redis as valkey
from console.jobs.stream import BATCH_EVENTS
from console.tracking.events import STREAM_PREFIX

STREAM = f"{STREAM_PREFIX}0"
RAW_ROWS = 50_000
POLL_S = 0.005
IDS = {"uuid7": fill.uuid7, "uuid4": fill.uuid4}


@click.command()
@click.option("--rows", type=click.IntRange(0), default=1_000_000, show_default=True, help="Jobs stored before.")
@click.option("--events", type=click.IntRange(3_000), default=300_000, show_default=True, help="Events of a round.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds; medians are reported.")
@click.option("--ids", type=click.Choice(sorted(IDS)), default="uuid7", show_default=True, help="Kind of job ids.")
@click.option(
    "--database", "only", type=click.Choice(["both", "sqlite", "postgresql"]), default="both", show_default=True,
    help="Which databases.",
)  # fmt: skip
def recorder(rows: int, events: int, rounds: int, ids: str, only: str) -> Figures:
    """Measure how many events a second one recorder stores, and the share of the raw limit that this is.

    A `celeriac recorder` of its own reads a stream that was filled before: jobs of 20 types in 4 queues, three events
    each, 3,000 jobs in flight, one in 30 fails with a traceback. Everything is written: rows, timeline, attempts,
    counts, rollups with histograms, checkpoint. The raw limit, before and after each round: bare four-column rows in
    batches of 5,000, by COPY or executemany, without any index.
    """
    figures: Figures = {"rows": rows, "events": events, "ids": ids}
    for database, short in (("postgresql", "pg"), ("sqlite", "sqlite")):
        if only not in ("both", database):
            continue
        note(f" {database}")
        kind = cast(Literal["sqlite", "postgresql"], database)
        with sites.site(kind) as here:
            if rows:
                fill.fill(rows)
            rates, limits, memory = _measure(here, events, rounds, ids)
        figures[f"{short}_events_s"] = round(median(rates))
        figures[f"{short}_limit_ratio"] = round(median(rates) / median(limits), 3)
        figures[f"{short}_raw_rows_s"] = round(median(limits))
        figures[f"{short}_memory_mb"] = round(percentile(memory, 100), 1)
    return figures


def _measure(here: sites.Site, events: int, rounds: int, ids: str) -> tuple[list[float], list[float], list[float]]:
    rates, limits, memory = [], [_raw_limit()], []
    for number in range(rounds):
        with valkey.client().pipeline(transaction=False) as pipe:
            for block in fill.blocks(fill.events(events, IDS[ids])):
                pipe.xadd(STREAM, {"b": block})
            pipe.execute()
        waiting = int(valkey.client().xlen(STREAM))
        recorder = here.start("recorder")
        rate = _drained(events, waiting)
        memory.append(machine.pss_mb([recorder.pid]))
        here.stop(recorder)
        rates.append(rate)
        limits.append(_raw_limit())
        note(f"  round {number + 1} of {rounds}: {rate:,.0f} events/s; raw {limits[-1]:,.0f} rows/s")
    return rates, limits, memory


def _drained(events: int, entries: int) -> float:
    """Events a second from the first entry that left the stream to the last: the start of the process is left out."""
    client = valkey.client()
    first: tuple[float, int] | None = None
    while True:
        left = int(client.xlen(STREAM))
        now = clock.monotonic()
        if first is None and left < entries:
            first = (now, left)
        if not left and first:
            return events * first[1] / entries / (now - first[0])
        time.sleep(POLL_S)


def _raw_limit() -> float:
    """Rows a second into a table without an index, in transactions as large as the recorder's."""
    rows = [(secrets.token_hex(16), 3, clock.now_ms() + n, secrets.token_hex(40)) for n in range(RAW_ROWS)]
    batches = [rows[start : start + BATCH_EVENTS] for start in range(0, RAW_ROWS, BATCH_EVENTS)]
    raw = db.engine().raw_connection()
    try:
        cursor, database = raw.cursor(), db.engine().dialect.name
        cursor.execute("CREATE TABLE IF NOT EXISTS bare (id TEXT, kind INTEGER, at BIGINT, data TEXT)")
        raw.commit()
        began = clock.monotonic()
        for batch in batches:
            if database == "postgresql":
                with cast("psycopg.Cursor[Any]", cursor).copy("COPY bare FROM STDIN") as copy:
                    for row in batch:
                        copy.write_row(row)
                raw.commit()
            else:
                cursor.execute("BEGIN IMMEDIATE")
                cursor.executemany("INSERT INTO bare VALUES (?, ?, ?, ?)", batch)
                cursor.execute("COMMIT")
        return RAW_ROWS / (clock.monotonic() - began)
    finally:
        raw.close()
