"""Finds out which failures are alike where that is not known: those from before an upgrade, mostly. A step of upkeep.

A transaction at a time, with the others' turn in between, as `retention` does it; what is done stays done.
"""

from __future__ import annotations

import time

from console import clock, db
from console.jobs import groups
from console.upkeep.retention import LONGEST_PAUSE_S, SHARE


def run(until: float) -> tuple[int, bool]:
    """Compares failures until none is left or it is late (`clock.monotonic`); how many, and whether all are done."""
    done = 0
    began = clock.monotonic()
    while True:
        with db.writing() as session:
            n = groups.fill(session)
        done += n
        if n < groups.FILLED:
            return done, True
        now = clock.monotonic()
        if now >= until:
            return done, False
        time.sleep(min((now - began) * (1 - SHARE) / SHARE, LONGEST_PAUSE_S))
        began = clock.monotonic()
