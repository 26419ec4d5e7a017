"""Rows a second that retention removes, and what recording loses while it does."""

from __future__ import annotations

import time
from statistics import median
from typing import Literal, cast

import click

from bench.frame import fill, sites
from bench.frame.timing import Figures, note
from console import clock, db
from console import redis as valkey
from console.jobs.filters import JobFilter
from console.jobs.queries import count_jobs
from console.tracking.events import STREAM_PREFIX
from console.upkeep import retention as upkeep

STREAM = f"{STREAM_PREFIX}0"
POLL_S = 0.005


@click.command()
@click.option("--rows", type=click.IntRange(10_000), default=1_000_000, show_default=True, help="Jobs stored before.")
@click.option("--events", type=click.IntRange(3_000), default=150_000, show_default=True, help="Events of a round.")
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="Rounds; medians are reported.")
@click.option(
    "--database", "only", type=click.Choice(["both", "sqlite", "postgresql"]), default="both", show_default=True,
    help="Which databases.",
)  # fmt: skip
def retention(rows: int, events: int, rounds: int, only: str) -> Figures:
    """Measure how fast old jobs are removed, and how many events a second are recorded meanwhile.

    Jobs of 30 days, of which those go that were completed over 7 days ago. First a `celeriac recorder` empties a
    stream alone and beside a `celeriac prune`, in turns; then what is left goes as fast as it can, without pauses.
    """
    figures: Figures = {"rows": rows, "events": events}
    for database, short in (("postgresql", "pg"), ("sqlite", "sqlite")):
        if only not in ("both", database):
            continue
        note(f" {database}")
        with sites.site(cast(Literal["sqlite", "postgresql"], database)) as here:
            fill.fill(rows)
            alone, beside = [], []
            for number in range(rounds):
                alone.append(_recorded_s(here, events))
                before = _stored()
                prune = here.start("prune")
                beside.append(_recorded_s(here, events))
                here.stop(prune)
                removed = before + events // 3 - _stored()
                said = f"alone {alone[-1]:,.0f} events/s, beside prune {beside[-1]:,.0f} and {removed:,} jobs removed"
                note(f"  round {number + 1} of {rounds}: {said}")
            figures |= {
                f"{short}_recorder_alone_events_s": round(median(alone)),
                f"{short}_recorder_beside_events_s": round(median(beside)),
                f"{short}_recorder_ratio": round(median(beside) / median(alone), 3),
            }
            figures |= {f"{short}_{name}": value for name, value in _removed_alone().items()}
    return figures


def _removed_alone() -> Figures:
    """Without pauses: what the database can do."""
    longest, removed = 0.0, 0
    began = last = clock.monotonic()
    for batch in upkeep.batches(clock.now()):
        now = clock.monotonic()
        longest, last = max(longest, now - last), now
        removed += sum(n for (what, _), n in batch.items() if what.isupper())
    return {
        "removed": removed,
        "removed_rows_s": round(removed / (last - began)),
        "longest_batch_ms": round(longest * 1_000, 1),
    }


def _recorded_s(here: sites.Site, events: int) -> float:
    """Events a second from the first entry that left the stream to the last."""
    with valkey.client().pipeline(transaction=False) as pipe:
        for block in fill.blocks(fill.events(events, fill.uuid7)):
            pipe.xadd(STREAM, {"b": block})
        pipe.execute()
    entries = int(valkey.client().xlen(STREAM))
    recorder = here.start("recorder")
    first: tuple[float, int] | None = None
    while left := int(valkey.client().xlen(STREAM)):
        if first is None and left < entries:
            first = (clock.monotonic(), left)
        time.sleep(POLL_S)
    rate = events * first[1] / entries / (clock.monotonic() - first[0]) if first else 0.0
    here.stop(recorder)
    return rate


def _stored() -> int:
    with db.reading() as session:
        return count_jobs(session, JobFilter())[0]
