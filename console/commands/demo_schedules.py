"""Schedules of the pretended shop, so that the demo has some to look at."""

from __future__ import annotations

from sqlalchemy.orm import Session

from console.actor import Actor
from console.schedules.files import import_file, read_file

DEMO_SCHEDULES = """
calendars:
  Company holidays: |
    2026-12-24..2027-01-01
schedules:
  - {name: Sync customers, type: demo.sync_customer, payload: {customer_id: 4711}, kind: every, every: 2, owner: shop}
  - {name: Rebuild search index, type: demo.progress, payload: {chunks: 20, seconds_each: 0.3}, kind: cron,
     cron: "*/15 * * * *", overlap: queue, finish_within_s: 60, note: Takes some six seconds.}
  - {name: Nightly report, type: demo.sleep, payload: {seconds: 3}, kind: cron, cron: "30 2 * * mon-fri",
     timezone: Europe/Berlin, blackouts: [Company holidays], finish_within_s: 600, tags: [report]}
  - {name: Invoices on the last working day, type: demo.send_invoice, payload: {customer_id: 4712}, kind: rrule,
     rrule: "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", anchor: "2026-01-01T17:00:00+01:00",
     timezone: Europe/Berlin, catch_up: all, owner: finance}
  - {name: Flaky partner, type: demo.flaky, payload: {fail_times: 2}, kind: every, every: 5, jitter_s: 30}
  - {name: Price import, type: demo.sleep, payload: {seconds: 40}, kind: every, every: 30, unit: seconds,
     note: Takes longer than its interval; every other run is skipped.}
"""


def add(session: Session, actor: Actor) -> None:
    """Makes those that are not there."""
    import_file(session, actor, read_file(DEMO_SCHEDULES, "demo"))
