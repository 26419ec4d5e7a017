"""Retry policies: how long to wait before the next attempt, or that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Protocol


class RetryPolicy(Protocol):
    """Decides the pause before another attempt."""

    def delay_s(self, failed_attempts: int, random: Random) -> float | None:
        """Seconds to wait after `failed_attempts` (≥ 1) failed attempts; None: do not try again."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """The given pauses in turn; the last one repeats while attempts are left."""

    delays_s: tuple[float, ...] = (60, 300, 900)

    def delay_s(self, failed_attempts: int, random: Random) -> float | None:
        return self.delays_s[min(failed_attempts, len(self.delays_s)) - 1]


@dataclass(frozen=True, slots=True)
class Exponential:
    """Doubling pauses with equal jitter: between a half and the whole of `base_s` × 2ⁿ, at most `cap_s`.

    Jitter keeps jobs that failed together from coming back together; the kept half keeps pressure off a
    service that is down (Brooker, "Exponential Backoff and Jitter", 2015).
    """

    base_s: float = 15
    cap_s: float = 3_600

    def delay_s(self, failed_attempts: int, random: Random) -> float | None:
        whole = min(self.cap_s, self.base_s * 2.0 ** min(failed_attempts - 1, 60))
        return whole / 2 + random.uniform(0, whole / 2)


@dataclass(frozen=True, slots=True)
class Never:
    """A failure is final until somebody retries by hand."""

    def delay_s(self, failed_attempts: int, random: Random) -> float | None:
        return None


def decide_retry(policy: RetryPolicy, failed_attempts: int, max_attempts: int, random: Random) -> float | None:
    """Seconds until the next attempt, or None when the attempts are used up or the policy says no."""
    if failed_attempts >= max_attempts:
        return None
    return policy.delay_s(failed_attempts, random)
