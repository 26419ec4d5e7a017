"""What the jobs that failed have in common: the most common values of their payloads. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from console.jobs.redaction import Rules

MAX_KEYS = 12
MAX_VALUES = 5
MAX_LENGTH = 80


@dataclass(frozen=True, slots=True)
class Values:
    """Of one key of the payloads: the most common values with how many jobs have them, most common first.

    `jobs`: how many have the key; `different`: how many values there are.
    """

    key: str
    jobs: int
    different: int
    top: tuple[tuple[str, int], ...]

    @property
    def says_something(self) -> bool:
        """Whether any value is shared: of an order number, none is."""
        return any(n > 1 for _, n in self.top) or self.jobs == 1


def common_values(payloads: Iterable[str | None], rules: Rules) -> list[Values]:
    """What the top-level keys of these payloads hold; keys whose values are shared by most come first.

    Lists and objects count by their length. What `rules` hide is left out.
    """
    counts: dict[str, Counter[str]] = {}
    for text in payloads:
        for key, value in _items(text, rules):
            if key in counts or len(counts) < 200:
                counts.setdefault(key, Counter())[_shown(value)] += 1
    found = [
        Values(key, counter.total(), len(counter), tuple(sorted(counter.most_common(MAX_VALUES), key=_most_first)))
        for key, counter in counts.items()
    ]
    found.sort(key=lambda of: (-of.top[0][1] / of.jobs, -of.jobs, of.key))
    return found[:MAX_KEYS]


def _items(text: str | None, rules: Rules) -> Iterable[tuple[str, Any]]:
    try:
        payload = json.loads(text or "")
    except ValueError:
        return
    if not isinstance(payload, dict):
        return
    args, kwargs = payload.get("args"), payload.get("kwargs")
    if isinstance(args, list):
        yield from ((f"argument {n}", value) for n, value in enumerate(args[:MAX_KEYS], 1))
    if isinstance(kwargs, dict):
        yield from ((key[:MAX_LENGTH], value) for key, value in kwargs.items() if not rules.hides(("kwargs", key)))


def _shown(value: Any) -> str:
    if isinstance(value, list | dict):
        n = len(value)
        what = "entry" if n == 1 else "entries"
        return f"{n:,} {what}"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
