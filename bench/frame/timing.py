"""Repeating and timing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import click

from console import clock

Figures = dict[str, float | str | None]
"""What a bench returns: name → figure. Names end in the unit: `_s`, `_ms`, `_mb`, `_ratio`."""


def note(text: str) -> None:
    """How far it is, on standard error."""
    click.echo(text, err=True)


def timed(action: Callable[[], object]) -> float:
    """How many seconds it took."""
    began = clock.monotonic()
    action()
    return clock.monotonic() - began


def interleaved(rounds: int, variants: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """What each variant returned, round by round.

    A machine that slows down meanwhile slows all of them: each runs once a round, and each round begins with another.
    """
    found: dict[str, list[float]] = {name: [] for name in variants}
    names = list(variants)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(variants[name]())
            note(f"  round {number + 1} of {rounds}, {name}: {found[name][-1]:,.3g}")
    return found


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
