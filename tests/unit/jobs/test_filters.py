"""Filters as they are kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.jobs.filters import Condition, Cursor, JobFilter
from console.jobs.rules import State

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "given",
    [
        JobFilter(),
        JobFilter(states=(State.FAILED, State.RETRYABLE), queue="emails", type="emails.send", text="4711"),
        JobFilter(before=AT, after=AT, internal=True, ours=True, back_to=Cursor(AT, "a:b")),
        JobFilter(conditions=(Condition("attempt", "2", ">", negated=True), Condition("error", "Timeout"))),
    ],
)
def test_what_is_kept_is_what_was_meant(given: JobFilter) -> None:
    assert JobFilter.from_json(given.to_json()) == given
