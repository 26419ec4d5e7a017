"""What is kept for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from console.config import settings
from console.errors import NotConfigured
from console.jobs import registry
from console.jobs.retention import Slice, own_days, slices
from console.jobs.rules import State
from tests.factories.jobs import GREET

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAYS = {"COMPLETED": 7.0, "FAILED": 90.0, "CANCELLED": 30.0}


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def test_without_types_of_their_own_each_state_is_one_slice() -> None:
    assert slices(NOW, DAYS, {}, {}) == [
        Slice(State.COMPLETED, ago(7)),
        Slice(State.FAILED, ago(90)),
        Slice(State.CANCELLED, ago(30)),
        Slice(State.RETRYABLE, ago(90)),
    ]


def test_no_state_of_a_job_that_has_not_ended_is_ever_meant() -> None:
    found = slices(NOW, DAYS, {"a": dict.fromkeys(DAYS, 0.1)}, {state: ["a"] for state in State})
    assert {one.state for one in found} == {State.COMPLETED, State.FAILED, State.RETRYABLE, State.CANCELLED}


def test_one_type_with_days_of_its_own_makes_each_type_a_slice_in_that_state_only() -> None:
    found = slices(
        NOW, DAYS, {"shop.noop": {"COMPLETED": 0.5}}, {State.COMPLETED: ["a", "shop.noop"], State.FAILED: ["a"]}
    )
    assert found == [
        Slice(State.COMPLETED, ago(7), "a"),
        Slice(State.COMPLETED, ago(0.5), "shop.noop"),
        Slice(State.FAILED, ago(90)),
        Slice(State.CANCELLED, ago(30)),
        Slice(State.RETRYABLE, ago(90)),
    ]


def test_days_for_failed_jobs_hold_for_retryable_ones_too() -> None:
    found = slices(NOW, DAYS, {"a": {"FAILED": 1}}, {State.RETRYABLE: ["a"], State.FAILED: ["a"]})
    assert {one.state for one in found if one.before == ago(1)} == {State.FAILED, State.RETRYABLE}


def test_what_is_kept_for_ever_is_in_no_slice() -> None:
    found = slices(NOW, DAYS | {"FAILED": inf}, {"a": {"COMPLETED": inf}}, {State.COMPLETED: ["a", "b"]})
    assert found == [Slice(State.COMPLETED, ago(7), "b"), Slice(State.CANCELLED, ago(30))]


def test_a_setting_comes_before_what_the_code_of_a_type_says(
    monkeypatch: pytest.MonkeyPatch, setting: Callable[[str, str], None]
) -> None:
    kind = registry.JobType(
        "tests.brief", "default", GREET.schema, GREET.limits, keep_days={"COMPLETED": 1, "FAILED": 2}
    )
    monkeypatch.setattr(registry, "_types", {kind.name: kind, GREET.name: GREET})
    setting("CELERIAC_KEEP_TYPES", " tests.brief=COMPLETED:0.25, shop.pay=FAILED:365,shop.pay=CANCELLED:inf,")
    assert own_days() == {
        "tests.brief": {"COMPLETED": 0.25, "FAILED": 2},
        "shop.pay": {"FAILED": 365, "CANCELLED": inf},
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CELERIAC_KEEP_TYPES", "shop.pay"),
        ("CELERIAC_KEEP_TYPES", "shop.pay=PENDING:1"),
        ("CELERIAC_KEEP_TYPES", "shop.pay=FAILED:never"),
        ("CELERIAC_KEEP_TYPES", "shop.pay=FAILED:-1"),
        ("CELERIAC_KEEP_TYPES", "=FAILED:1"),
        ("CELERIAC_KEEP_TYPES", "shop.pay=FAILED:nan"),
        ("CELERIAC_KEEP_COMPLETED_DAYS", "0"),
        ("CELERIAC_KEEP_FAILED_DAYS", "nan"),
        ("CELERIAC_DATABASE_GB", "much"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(setting: Callable[[str, str], None], name: str, value: str) -> None:
    setting(name, value)
    with pytest.raises(NotConfigured, match=name):
        settings()


def test_fractions_of_days_and_for_ever_are_settings(setting: Callable[[str, str], None]) -> None:
    setting("CELERIAC_KEEP_COMPLETED_DAYS", "0.5")
    setting("CELERIAC_KEEP_CANCELLED_DAYS", "inf")
    assert settings().kept_days == {"COMPLETED": 0.5, "FAILED": 90, "CANCELLED": inf}
