"""What a job says in words, its errors, tracebacks and log lines, without the values that it hides elsewhere. Pure.

Found is what stands there as it is, or as Python or JSON would quote it. What was cut off, encoded or put into other
words is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any, overload

from console.jobs.queries import AttemptView, JobDetail
from console.jobs.redaction import HIDDEN, hidden_values, named_values, rules_of

LEAST = 4
"""A value of fewer characters stands in too many words to be looked for."""
LEAST_OF_A_LINE = 8
"""A line of a text of several, such as a key, is looked for by itself: a traceback may be cut in the middle of it."""
MOST = 2_000
"""Of more values than this none is looked for: the whole text is hidden."""


@dataclass(frozen=True)
class Mask:
    """Hides values in texts. `find`: gives them, once there is a text; a payload may have megabytes to look through."""

    find: Callable[[], Iterable[str]]

    @cached_property
    def values(self) -> tuple[str, ...]:
        """The longest first, so that of two that begin alike the longer one goes whole."""
        return tuple(sorted(set(self.find()), key=lambda value: (-len(value), value)))

    @overload
    def __call__(self, text: str) -> str: ...
    @overload
    def __call__(self, text: None) -> None: ...
    def __call__(self, text: str | None) -> str | None:
        """The text with each of the values replaced by `HIDDEN`."""
        if not text or not self.values:
            return text
        if len(self.values) > MOST:
            return HIDDEN
        there = [_pattern(value) for value in self.values if value in text]
        return re.sub("|".join(there), lambda _: HIDDEN, text) if there else text

    def attempt(self, of: AttemptView) -> AttemptView:
        """An attempt whose error and traceback are without them."""
        return replace(of, error_message=self(of.error_message), traceback=self(of.traceback))

    def job(self, of: JobDetail) -> JobDetail:
        """A job whose words are without them; its payload, result and arguments are as they were."""
        line = replace(of.line, error_message=self(of.line.error_message), progress_note=self(of.line.progress_note))
        return replace(
            of,
            line=line,
            timeline=[replace(moment, note=self(moment.note)) for moment in of.timeline],
            failed_attempts=[self.attempt(attempt) for attempt in of.failed_attempts],
            traceback=self(of.traceback),
        )


NOTHING = Mask(tuple)


def mask_of(job: JobDetail) -> Mask:
    """The values that are hidden in the job's payload, its result and its arguments."""
    return Mask(partial(_hidden_in, job))


def _hidden_in(job: JobDetail) -> set[str]:
    rules = rules_of(job.line.type)
    told = [hidden_values(job.payload, rules), hidden_values(job.result, rules)]
    leaves = {leaf for value in chain(*told) for leaf in _leaves(value)}
    leaves |= set(named_values(job.arguments or "", rules))
    return {form for leaf in leaves for form in _forms(leaf)}


def _leaves(value: Any) -> Iterator[Any]:
    """The texts and numbers in a value, whatever it is."""
    items: Iterable[Any] = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in items:
        yield from _leaves(item)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield value


def _forms(value: Any) -> Iterator[str]:
    """How a value may stand in a text; nothing for a short one."""
    if not isinstance(value, str):
        text = str(value)
        yield from [text] if sum(map(str.isdigit, text)) >= LEAST else []
        return
    text = value.strip()
    if len(text) < LEAST:
        return
    yield from (text, repr(text)[1:-1], json.dumps(text)[1:-1])
    lines = text.splitlines()
    if len(lines) > 1:
        yield from (line.strip() for line in lines if len(line.strip()) >= LEAST_OF_A_LINE)


def _pattern(value: str) -> str:
    """Digits are not looked for within a longer number."""
    escaped = re.escape(value)
    return rf"(?<!\d){escaped}(?!\d)" if value.isdecimal() else escaped
