"""A percentile of any mixture of durations is wrong by at most the stated share, and adding histograms is exact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.jobs.histogram import ERROR, Histogram, bucket_of, dump, duration_of, load, merged, percentile

DURATIONS = st.lists(st.integers(0, 10_000_000), min_size=1, max_size=200)


def of(durations: list[int]) -> Histogram:
    return Histogram(map(bucket_of, durations))


@given(DURATIONS, st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_percentile_is_within_its_error(durations: list[int], share: float) -> None:
    exact = sorted(durations)[int(share * (len(durations) - 1))]
    found = percentile(of(durations), share)
    assert found is not None
    assert abs(found - exact) <= ERROR * exact + 1e-6


@given(DURATIONS, DURATIONS)
def test_stored_histograms_add_up(some: list[int], others: list[int]) -> None:
    assert merged([dump(of(some)), None, dump(of(others))]) == of(some + others)


def test_nothing_is_stored_as_nothing_and_has_no_percentile() -> None:
    assert dump(Histogram()) is None
    assert load(None) == Histogram()
    assert percentile(Histogram(), 0.5) is None


def test_negative_and_zero_share_a_bucket() -> None:
    assert bucket_of(-5) == bucket_of(0) == 0
    assert duration_of(0) == 0
