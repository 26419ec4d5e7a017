"""When the form warns that a schedule overlaps itself, and how long runs usually take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.schedules.definition import Overlap
from console.schedules.forms import _crowded
from console.schedules.rules import Run
from console.schedules.usual import Usual, usual_of

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
TYPE = Usual(9, 9)


def runs(*seconds: float) -> list[Run]:
    times = [BEGIN + timedelta(seconds=one) for one in seconds]
    return [Run(at, at, at) for at in times]


@pytest.mark.parametrize(("apart", "usual", "warning"), [
    ((0, 60, 90), Usual(40_000, 50_000), "Runs come 30 s apart and usually take 40 s: they overlap; then the second time is skipped."),
    ((0, 60, 120), Usual(40_000, 90_000), "Runs come 1 min apart and some take 1.5 min: now and then they overlap; then the second time is skipped."),
    ((0, 60), Usual(1_000, 2_000), ""), ((0, 60), None, ""), ((0,), Usual(9e9, 9e9), ""), ((), Usual(9e9, 9e9), ""),
])  # fmt: skip
def test_it_warns_when_the_next_run_comes_before_the_end_of_the_one_before(apart: tuple[float, ...], usual: Usual | None, warning: str) -> None:
    assert _crowded(runs(*apart), usual, Overlap.SKIP) == warning


@pytest.mark.parametrize(("own", "of_type", "expected"), [
    ([], None, None), ([], TYPE, TYPE), ([1, 2], TYPE, TYPE), ([4, 2], None, Usual(2, 4, 2)),
    ([5, 1, 4, 2, 3], TYPE, Usual(3, 5, 5)), (list(range(1, 21)), TYPE, Usual(10, 19, 20)),
])  # fmt: skip
def test_a_few_runs_of_its_own_say_less_than_its_type(own: list[int], of_type: Usual | None, expected: Usual | None) -> None:
    assert usual_of(own, of_type) == expected
