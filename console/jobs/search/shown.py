"""A search as the page shows it: the text of the box, a chip for each condition, the fields of the form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from console import clock
from console.errors import InvalidInput
from console.jobs.filters import JobFilter
from console.jobs.search.language import KEYS, PARAMETERS, combined, format_filter, to_filter, without
from console.jobs.search.terms import COMPARES, STARTS_WITH, Term, read_value, write
from console.jobs.search.values import moment

CHOICES = ("queue", "type")
"""Fields with a list to choose from: they show plain values only."""
TEXTS = ("error", "worker", "tag", "attempt", "runtime", "after", "before", "action")
"""Fields to type into; they take `-`, `>` and `*` as the box does."""
ADDRESS = (*PARAMETERS, "error", "worker", "tag", "attempt", "runtime", "action", "args_path", "args_value")
"""What an address may say beside `q`."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One condition in words, and the search without it. `at`: the time it names, for the viewer's zone."""

    text: str
    without: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What is searched. Times that were said as "2h" stay so in every address that is made of it."""

    terms: tuple[Term, ...]
    wanted: JobFilter

    @property
    def q(self) -> str:
        """The text of the box."""
        return write(self.terms)

    @property
    def settled_q(self) -> str:
        """The same with its times as they were when it was read."""
        return format_filter(self.wanted)

    @property
    def chips(self) -> list[Chip]:
        """One for each condition but the state, for which there are tabs."""
        return [
            Chip(str(term), write(other for other in self.terms if other is not term), _absolute(term))
            for term in self.terms
            if term.key != "state"
        ]

    def of_state(self, state: str) -> str:
        """The search with this state alone; all states for an empty one."""
        rest = without(self.terms, "state")
        return write([Term("state", state.lower()), *rest] if state else rest)

    def also(self, key: str, value: str) -> str:
        """The search with this instead of what it says of the key."""
        return write([*without(self.terms, key), Term(key, value)])

    @property
    def fields(self) -> dict[str, str]:
        """What the fields of the form show."""
        shown = {name: self._only(name) for name in (*CHOICES, *TEXTS)}
        fields = {name: _typed(term) for name, term in shown.items() if term and _fits(term)}
        if (args := self._args()) and _fits(args):
            fields |= {"args_path": args.key.removeprefix("args."), "args_value": _typed(args)}
        return fields | ({"internal": "1"} if self.wanted.internal else {})

    @property
    def rest(self) -> str:
        """The part of the search that the form has no field for, or more than a field can show."""
        shown = {term for name in (*CHOICES, *TEXTS) if (term := self._only(name)) and _fits(term)}
        shown |= {args} if (args := self._args()) and _fits(args) else set()
        return write(term for term in without(self.terms, "internal") if term not in shown)

    def _only(self, key: str) -> Term | None:
        same = [term for term in self.terms if term.key == key]
        return same[0] if len(same) == 1 else None

    def _args(self) -> Term | None:
        same = [term for term in self.terms if term.key.startswith("args.")]
        return same[0] if len(same) == 1 else None


def shown(text: str, given: Mapping[str, Sequence[str]], now: datetime, *, instead: bool) -> Shown:
    """The search of an address or a form: `q`, and what is said beside it (see `combined`). Raises `InvalidInput`."""
    terms = combined(text, given, instead=instead, keys=[name for name in ADDRESS if name in KEYS or name == "text"])
    terms += tuple(_argument(given))
    return Shown(terms, to_filter(terms, now))


def _argument(given: Mapping[str, Sequence[str]]) -> Iterable[Term]:
    for path, value in zip(given.get("args_path", ()), given.get("args_value", ()), strict=False):
        if path.strip() and value.strip():
            yield read_value(f"args.{path.strip()}", value)


def _absolute(term: Term) -> datetime | None:
    """The time, when the term says one rather than how long ago."""
    is_time = term.key in ("before", "after") and re.match(r"[0-9]{4}-", term.value)
    return moment(term.value, clock.now()) if is_time else None


def _fits(term: Term) -> bool:
    """Whether a field can show it, so that sending the form says the same again."""
    if term.key in CHOICES:
        return term.compare == "=" and not term.negated and term.value == term.value.strip()
    try:
        return bool(term.value) and read_value(term.key, _typed(term)) == term
    except InvalidInput:
        return False


def _typed(term: Term) -> str:
    """A value as `read_value` reads it again."""
    end = "*" if term.compare == STARTS_WITH else ""
    value = f'"{term.value}"' if not end and term.value.endswith("*") else term.value
    return f"{'-' if term.negated else ''}{term.compare if term.compare in COMPARES else ''}{value}{end}"
