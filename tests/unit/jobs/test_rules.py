"""What a row says must not depend on the order, the number or the batches in which its events come."""

from __future__ import annotations

import copy
import json
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from console.jobs.rules import ENDED, Row, State, apply, settle
from console.tracking.events import Event, Kind

PAYLOAD = json.dumps({"args": [], "kwargs": {}})


def a_life(retries: int, end: Kind) -> list[Event]:
    """A job that fails `retries` times and then ends as told."""
    events, at = [], 1_000
    for attempt in range(retries + 1):
        last = attempt == retries
        kinds = [Kind.PUBLISHED, Kind.STARTED, Kind.PROGRESS, end if last else Kind.RETRY]
        for kind in kinds:
            at += 10
            data: dict[str, Any] = {"type": "a.job", "queue": "default", "payload": PAYLOAD, "progress": 40}
            if kind in (Kind.RETRY, Kind.FAILED):
                data |= {"error_type": "ValueError", "error_message": f"attempt {attempt + 1}", "runtime_ms": 10}
            if kind is Kind.RETRY:
                data["due_ms"] = at + 1_000
            events.append(Event(kind, "job", at, 0, attempt, data))
    return events


def stored(batches: list[list[Event]]) -> dict[str, Any]:
    """The row after these batches, each settled and read again as the recorder does."""
    row = Row("job")
    for batch in batches:
        row.fresh = []
        for event in batch:
            apply(row, copy.deepcopy(event))
        settle(row)
    left_out = {"fresh", "attempts_made", "retries_seen"}
    return {field.name: getattr(row, field.name) for field in fields(row) if field.name not in left_out}


@given(
    st.integers(0, 4),
    st.sampled_from([Kind.SUCCEEDED, Kind.FAILED, Kind.CANCELLED]),
    st.randoms(),
    st.integers(1, 6),
)
def test_order_doubles_and_batches_change_nothing(retries: int, end: Kind, random: Any, batches: int) -> None:
    life = a_life(retries, end)
    shuffled = life + random.choices(life, k=len(life))
    random.shuffle(shuffled)
    size = -(-len(shuffled) // batches)
    cut = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    assert stored(cut) == stored([life])


def test_a_failure_with_its_payload_is_retryable() -> None:
    assert stored([a_life(0, Kind.FAILED)])["state"] == State.RETRYABLE


def test_a_failure_without_payload_is_failed() -> None:
    event = Event(Kind.FAILED, "job", 1, data={"reason": "undecodable"})
    assert stored([[event]])["state"] == State.FAILED


def test_a_planned_retry_is_due_and_its_next_start_is_not() -> None:
    life = a_life(1, Kind.SUCCEEDED)
    planned = stored([life[:4]])
    assert (planned["state"], planned["due_at"]) == (State.RETRYING, life[3].data["due_ms"])
    assert stored([life[:6]])["due_at"] is None


def test_a_late_retry_event_does_not_reopen_an_ended_job() -> None:
    life = a_life(1, Kind.SUCCEEDED)
    assert stored([life[4:], life[:4]])["state"] in ENDED


def test_delivered_again_runs_once_more() -> None:
    start = Event(Kind.STARTED, "job", 10, 0, 0, {"worker": "one"})
    lost = Event(Kind.LOST, "job", 20, 0, 0, {"reason": "worker_lost"})
    again = Event(Kind.STARTED, "job", 30, 1, 0, {"worker": "two"})
    assert stored([[start, lost]])["state"] == State.PENDING
    row = stored([[again, lost, start]])
    assert (row["state"], row["worker"], row["attempts"]) == (State.PROCESSING, "two", 1)
