"""When a failed job is tried again."""

from __future__ import annotations

from random import Random

import pytest

from console.jobs.policies import Exponential, Fixed, Never, RetryPolicy, decide_retry


@pytest.mark.parametrize(
    ("policy", "failed", "attempts", "expected"),
    [
        (Fixed(), 1, 3, 60), (Fixed(), 2, 3, 300), (Fixed(), 3, 4, 900), (Fixed(), 9, 10, 900),
        (Fixed(), 3, 3, None), (Never(), 1, 3, None),
    ],
)
def test_pause(policy: RetryPolicy, failed: int, attempts: int, expected: float | None) -> None:
    assert decide_retry(policy, failed, attempts, Random(1)) == expected


@pytest.mark.parametrize("failed", [1, 2, 5, 50, 5_000])
def test_exponential_keeps_half_and_a_cap(failed: int) -> None:
    whole = min(600, 10 * 2 ** (failed - 1))
    pause = Exponential(base_s=10, cap_s=600).delay_s(failed, Random(failed))
    assert pause is not None
    assert whole / 2 <= pause <= whole
