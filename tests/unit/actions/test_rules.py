"""When an action goes on, waits or stops itself, and how quick it is."""

from __future__ import annotations

import pytest

from console.actions.rules import Ends, Verdict, batch_size, fails_too_often, judge_trial, next_ms, parse_rate
from console.errors import InvalidInput


@pytest.mark.parametrize(
    ("succeeded", "failed", "still_open", "percent", "verdict"),
    [
        (0, 0, 10, 90, Verdict.WAIT), (8, 1, 1, 90, Verdict.WAIT), (9, 0, 1, 90, Verdict.PASSED),
        (9, 1, 0, 90, Verdict.PASSED), (0, 2, 8, 90, Verdict.FAILED), (8, 2, 0, 90, Verdict.FAILED),
        (0, 1, 9, 100, Verdict.FAILED), (10, 0, 0, 100, Verdict.PASSED), (1, 9, 0, 1, Verdict.PASSED),
        (0, 10, 0, 1, Verdict.FAILED), (2, 1, 0, 67, Verdict.FAILED), (0, 0, 0, 90, Verdict.PASSED),
    ],
)  # fmt: skip
def test_a_trial_is_decided_as_soon_as_it_can_be(
    succeeded: int, failed: int, still_open: int, percent: int, verdict: Verdict
) -> None:
    ends = Ends(succeeded, failed, still_open)
    assert judge_trial(ends, percent, is_overdue=False) is verdict
    late = Verdict.UNDECIDED if verdict is Verdict.WAIT else verdict
    assert judge_trial(ends, percent, is_overdue=True) is late


@pytest.mark.parametrize(
    ("succeeded", "failed", "percent", "stops"),
    [(0, 9, 20, False), (0, 10, 20, True), (8, 2, 20, False), (7, 3, 20, True), (0, 100, None, False), (99, 1, 1, False)],
)
def test_it_puts_up_with_so_many_failures(succeeded: int, failed: int, percent: int | None, stops: bool) -> None:
    assert fails_too_often(Ends(succeeded, failed), percent) == stops


@pytest.mark.parametrize(
    ("text", "rate"),
    [("", None), ("  ", None), ("50", 50), ("50/s", 50), ("600/min", 10), ("36 / hour", 0.01), ("0.5 per second", 0.5)],
)
def test_a_rate_as_people_write_it(text: str, rate: float | None) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-1", "1e3", "50/day", "nan", "inf", "10001", "٣", "5 s", "1/h", "9" * 20])
def test_nonsense_is_no_rate(text: str) -> None:
    with pytest.raises(InvalidInput, match="Write it like"):
        parse_rate(text)


def test_a_batch_is_what_half_a_second_allows() -> None:
    assert [batch_size(rate, 2_000) for rate in (None, 10_000, 50, 1, 0.01)] == [2_000, 2_000, 25, 1, 1]


@pytest.mark.parametrize(
    ("planned", "expected"),
    [(None, 100_500), (100_000, 100_500), (99_700, 100_200), (50_000, 99_500), (100_200, 100_700)],
)
def test_what_could_not_be_done_is_made_up_for_only_a_little(planned: int | None, expected: int) -> None:
    assert next_ms(100_000, planned, 25, 50) == expected
