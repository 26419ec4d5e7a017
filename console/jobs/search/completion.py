"""What could stand where somebody types: keys, and the values that there are. Each answer reads some rows only.

Types and queues come from the counts, workers from their heartbeats, the rest from the newest jobs. Values of payloads
are not offered: they may be what not everybody is to see.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from console.errors import InvalidInput
from console.jobs.models import JobCount, JobStatus
from console.jobs.rules import FAILURES, REASONS, State
from console.jobs.search.language import COMPARED, KEYS
from console.jobs.search.terms import MAX_TEXT, Term, read
from console.jobs.search.values import path_of
from console.workers.models import Worker

OFFERED = 12
LISTED = 1_000
NEWEST = 300
"""Of so many jobs errors and tags are read: of each state, where only that has an index, a quarter."""
NEWEST_PAYLOADS = 100
LONGEST_PAYLOAD = 20_000
DEEPEST = 4
_EXAMPLES: dict[str, dict[str, str]] = {
    "attempt": {">1": "more than one", ">2": "more than two"},
    "runtime": {">1s": "longer than a second", ">10s": "", ">1m": "longer than a minute", "<100ms": ""},
    "after": {"15m": "the last 15 minutes", "1h": "the last hour", "24h": "the last day", "7d": "the last week"},
    "before": {"15m": "before that", "1h": "", "24h": "", "7d": ""},
    "internal": {"yes": KEYS["internal"]},
    "reason": dict(REASONS),
    "state": {state.lower(): "" for state in State},
}


@dataclass(frozen=True, slots=True)
class Option:
    """What is offered; `text` goes in place of what was typed. More has to follow a colon or a dot at its end."""

    text: str
    note: str


@dataclass(frozen=True, slots=True)
class Completion:
    """The options for the part of the text from `begin` to `end`."""

    begin: int
    end: int
    options: tuple[Option, ...]


def complete(session: Session, text: str, place: int) -> Completion:
    """What could stand at this place of a search; a text that cannot be read offers nothing for what depends on it."""
    text = text[:MAX_TEXT]
    place = max(0, min(place, len(text)))
    begin = _beginning(text, place)
    typed = text[begin:place]
    sign, word = ("-", typed[1:]) if typed.startswith("-") else ("", typed)
    key, colon, value = word.partition(":")
    if colon:
        found = _values(session, key.lower(), value.lstrip('"'), text[:begin] + text[place:])
        options = [Option(sign + _written(key.lower(), name), note) for name, note in found]
    elif key.startswith("args."):
        options = [Option(sign + name, note) for name, note in _paths(session, key, text[:begin] + text[place:])]
    else:
        keys = {name + ("." if name == "args" else ":"): note for name, note in KEYS.items()}
        options = [Option(sign + name, note) for name, note in keys.items() if name.startswith(key.lower())]
    return Completion(begin, _end(text, place), tuple(options[: OFFERED if colon else len(KEYS)]))


def _written(key: str, value: str) -> str:
    return f"{key}:{value}" if key in COMPARED else str(Term(key, value))


def _beginning(text: str, place: int) -> int:
    """Where the word begins that reaches to this place; blanks within quotes are part of it."""
    begin, in_quotes = 0, False
    for at, letter in enumerate(text[:place]):
        if letter == '"' and (in_quotes or at == begin or text[at - 1] == ":"):
            in_quotes = not in_quotes
        elif letter.isspace() and not in_quotes:
            begin = at + 1
    return begin


def _end(text: str, place: int) -> int:
    while place < len(text) and not text[place].isspace():
        place += 1
    return place


def _values(session: Session, key: str, begun: str, rest: str) -> list[tuple[str, str]]:
    """The values that fit, those that begin like it first."""
    if key in _EXAMPLES:
        return _fitting(_EXAMPLES[key].items(), begun)
    sources: dict[str, Callable[[Session, str], Iterable[tuple[str, str]]]] = {
        "type": lambda session, _: _counted(session, JobCount.type),
        "queue": lambda session, _: _counted(session, JobCount.queue),
        "worker": _workers,
        "source": _sources,
        "error": _errors,
        "tag": _tags,
        "action": _actions,
    }
    return _fitting(sources[key](session, rest), begun) if key in sources else []


def _fitting(found: Iterable[tuple[str, str]], begun: str) -> list[tuple[str, str]]:
    low = begun.lower()
    fitting = [(name, note) for name, note in found if low in name.lower()]
    return sorted(fitting, key=lambda one: not one[0].lower().startswith(low))[:OFFERED]


def _counted(session: Session, column: Any) -> list[tuple[str, str]]:
    """Names with how many jobs they have, most first."""
    n = func.sum(JobCount.n)
    query = select(column, n).where(JobCount.type.not_like("celeriac.%"), column != "").group_by(column)
    rows = session.execute(query.having(n > 0).order_by(n.desc()).limit(LISTED))
    return [(name, f"{int(count):,}") for name, count in rows]


def _workers(session: Session, _rest: str) -> list[tuple[str, str]]:
    query = select(Worker.name, Worker.source).order_by(Worker.seen_at.desc()).limit(LISTED)
    return [(name, source or "") for name, source in session.execute(query)]


def _sources(session: Session, _rest: str) -> list[tuple[str, str]]:
    newest = select(Worker.source).where(Worker.source.is_not(None)).order_by(Worker.seen_at.desc()).limit(LISTED)
    return [(name, "") for name in dict.fromkeys(filter(None, session.scalars(newest)))]


def _errors(session: Session, rest: str) -> list[tuple[str, str]]:
    """Classes of the newest failures, most frequent first."""
    newest = _newest(session, JobStatus.error_type, rest, NEWEST, tuple(FAILURES))
    return [(name, f"{count:,} of the newest") for name, count in Counter(filter(None, newest)).most_common()]


def _tags(session: Session, rest: str) -> list[tuple[str, str]]:
    seen: Counter[str] = Counter()
    for text in filter(None, _newest(session, JobStatus.tags, rest, NEWEST)):
        seen.update(json.loads(text))
    return [(name, f"{count:,} of the newest") for name, count in seen.most_common()]


def _actions(session: Session, _rest: str) -> Iterator[tuple[str, str]]:
    """The bulk actions that made jobs, newest first, since their ids are. Each is one look into the index."""
    query = select(func.max(JobStatus.action_id)).where(JobStatus.action_id.is_not(None))
    last = session.scalar(query)
    for _ in range(OFFERED):
        if last is None:
            return
        yield last, ""
        last = session.scalar(query.where(JobStatus.action_id < last))


def _newest(
    session: Session, column: Any, rest: str, limit: int, states: Sequence[State] = ()
) -> Iterator[str | None]:
    """Of the newest jobs, of the type that the rest of the search names. State after state, where only that has an
    index.
    """
    type_ = _type_in(rest)
    query = select(column).order_by(JobStatus.enqueued_at.desc()).limit(limit)
    query = query.where(JobStatus.type == type_) if type_ else query
    for state in states or (tuple(State) if type_ else ()):
        yield from session.scalars(query.where(JobStatus.state == state).limit(limit if states else limit // 4))
    if not states and not type_:
        yield from session.scalars(query)


def _type_in(rest: str) -> str:
    try:
        types = [term for term in read(rest) if term.key == "type" and not term.negated and term.compare == "="]
    except InvalidInput:
        return ""
    return types[0].value if len(types) == 1 else ""


def _paths(session: Session, key: str, rest: str) -> list[tuple[str, str]]:
    """Paths in the newest payloads, of the type if one is named; those that end here have a colon."""
    seen: Counter[str] = Counter()
    short = case((func.length(JobStatus.payload) <= LONGEST_PAYLOAD, JobStatus.payload))
    for text in filter(None, _newest(session, short, rest, NEWEST_PAYLOADS)):
        seen.update(set(_paths_of(text)))
    known = [(name, f"{count:,} of the newest") for name, count in sorted(seen.items(), key=lambda one: -one[1])]
    return [(name, note) for name, note in known if name.startswith(key)][:OFFERED]


def _paths_of(text: str) -> Iterator[str]:
    try:
        payload = json.loads(text)
        args, kwargs = payload["args"], payload["kwargs"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    yield from _below(kwargs, "args", DEEPEST)
    yield from _below(args, "args", DEEPEST)


def _below(value: Any, path: str, depth: int) -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    for step, below in list(items)[:50]:
        name = f"{path}.{step}"
        try:
            path_of(name)
        except InvalidInput:
            continue
        is_open = isinstance(below, dict | list)
        if not is_open:
            yield f"{name}:"
        elif depth > 1:
            yield from _below(below, name, depth - 1)
