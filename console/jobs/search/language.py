"""What a search means: `state:failed queue:emails error:Timeout* args.user_id:42 after:2h` as a `JobFilter`, and back.

Everything that is asked for must hold; several values of one key mean "one of them". Tags are the exception: a job has
several, so each that is named must be there. What says more than the fields of `JobFilter` becomes a `Condition`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from console import clock
from console.errors import InvalidInput
from console.jobs.filters import Condition, JobFilter
from console.jobs.rules import FAILURES, REASONS, State
from console.jobs.search.terms import STARTS_WITH, Term, read, read_value, write, wrong
from console.jobs.search.values import duration_ms, duration_text, is_number, moment, moment_text, path_of, whole_number

KEYS: dict[str, str] = {
    "state": "One of the states; failed includes retryable.",
    "type": "Job type.",
    "queue": "Queue.",
    "error": "Exception class, with or without its module.",
    "args": "A value in the payload: args.user_id:42, by place args.0:42.",
    "worker": "Worker of the latest attempt.",
    "tag": "A tag that it was dispatched with.",
    "attempt": "Attempts begun: attempt:>2.",
    "runtime": "Run time of the latest attempt: runtime:>5s.",
    "after": "Enqueued at that time or later: after:2h, after:2026-11-01.",
    "before": "Enqueued before that time.",
    "id": "Job id.",
    "group": "Failure group.",
    "action": "Bulk action that made it.",
    "reason": "Why it failed or was cancelled.",
    "source": "Observed application.",
    "internal": "internal:yes shows the upkeep of Celeriac, too.",
}
"""Every key and what stands behind it, in the order in which they are offered."""
NAMED = ("queue", "type")
"""Keys that are fields of a `JobFilter` when one value is asked for."""
COMPARED = frozenset({"attempt", "runtime"})
WITH_STAR = frozenset({"type", "queue", "error", "worker", "tag", "id", "source"})
PARAMETERS = ("state", "queue", "type", "text", "before", "after", "internal")
"""What addresses, and the API, may say in parameters of their own."""
FREE = ""
"""The key of free text; that of its conditions is `text`."""


def parse(text: str, now: datetime | None = None) -> JobFilter:
    """The jobs that a search means. Raises `InvalidInput`, naming the place and what to write."""
    return to_filter(read(text), now or clock.now())


def format_filter(wanted: JobFilter) -> str:
    """The canonical text of a filter: what `parse` makes the same filter of. Times are absolute in it."""
    return write(terms_of(wanted))


def combined(
    text: str, given: Mapping[str, Sequence[str]], *, instead: bool = False, keys: Iterable[str] = PARAMETERS
) -> tuple[Term, ...]:
    """The terms of a search and of parameters beside it. This is where every page, command and API call gets them.

    A state, queue or type may be given in one of the two only, or `instead` of what the text says.
    Raises `InvalidInput`.
    """
    terms = read(text)
    for name in keys:
        added = [term for value in given.get(name, ()) if value.strip() for term in _read_parameter(name, value)]
        key = FREE if name == "text" else name
        before = [term for term in terms if term.key == key]
        if added and before and instead and name != "text":
            terms = tuple(term for term in terms if term.key != key)
        elif added and before and name in ("state", *NAMED):
            raise wrong(f"{name} is given in q and beside it. Leave out one of them.")
        terms += tuple(added)
    return terms


def to_filter(terms: Iterable[Term], now: datetime) -> JobFilter:
    """What the terms mean at this time. Raises `InvalidInput`."""
    kept = [_checked(term) for term in dict.fromkeys(terms)]
    fields: dict[str, Any] = {"states": _states([term for term in kept if term.key == "state"])}
    for name in NAMED:
        same = [term for term in kept if term.key == name]
        if len(same) == 1 and _is_plain(same[0]):
            fields[name] = same[0].value
            kept.remove(same[0])
    fields |= _times([term for term in kept if term.key in ("before", "after")], now)
    fields["internal"] = any((term.value == "yes") != term.negated for term in kept if term.key == "internal")
    text = next((term for term in kept if term.key == FREE and not term.negated), None)
    if text:
        fields["text"] = text.value
        kept.remove(text)
    rest = (term for term in kept if term.key not in ("state", "before", "after", "internal"))
    return JobFilter(
        **fields,
        conditions=tuple(Condition(term.key or "text", term.value, term.compare, term.negated) for term in rest),
    )


def terms_of(wanted: JobFilter) -> tuple[Term, ...]:
    """The terms that mean this filter; what a person did not ask for (`back_to`, `ours`) is not in them."""
    terms = _state_terms(wanted.states)
    terms += [Term(name, value) for name in NAMED if (value := getattr(wanted, name))]
    terms += [Term("after", moment_text(wanted.after))] if wanted.after else []
    terms += [Term("before", moment_text(wanted.before))] if wanted.before else []
    terms += [Term("internal", "yes")] if wanted.internal else []
    terms += [Term(FREE, wanted.text)] if wanted.text else []
    terms += [
        Term(FREE if one.key == "text" else one.key, one.value, one.compare, one.negated) for one in wanted.conditions
    ]
    return tuple(terms)


def without(terms: Iterable[Term], *keys: str) -> tuple[Term, ...]:
    """The terms of other keys."""
    return tuple(term for term in terms if term.key not in keys)


def _read_parameter(name: str, value: str) -> list[Term]:
    """Its terms. What is wrong with it is said of it by its name."""
    try:
        terms = _of_parameter(name, value.strip())
        to_filter(terms, clock.now())
    except InvalidInput as error:
        raise InvalidInput(f"{name}: {error.detail}", [{"field": name, "message": error.detail}]) from None
    return terms


def _of_parameter(name: str, value: str) -> list[Term]:
    """A parameter's value is plain where an address always had it so; the fields of the form take `>2` and `a*`."""
    if name == "internal":
        return [Term(name, "yes")] if value in ("1", "yes") else []
    if name == "state":
        value = value.lower()
    if name == "text":
        return [_plain(Term(FREE, value))]
    return [_plain(Term(name, value))] if name in PARAMETERS else [read_value(name, value)]


def _plain(term: Term) -> Term:
    [same] = read(str(term)) or [term]  # with the checks of what is typed: its length, one line
    return replace(same, at=0)


def _is_plain(term: Term) -> bool:
    return term.compare == "=" and not term.negated


def _checked(term: Term) -> Term:
    """The term with its value as it is kept. Raises `InvalidInput`."""
    key = "args" if term.key.startswith("args.") else term.key
    if (key and key not in KEYS) or term.key == "args":
        message = f"There is no key {term.key!r}. Keys are {', '.join(KEYS)}. A text with a colon goes into quotes."
        raise wrong("Write args.NAME:value." if key == "args" else message, term.at)
    if term.compare == STARTS_WITH and key not in WITH_STAR | {"args"}:
        raise wrong(f"{key} takes no * at the end. Keys that do: {', '.join(sorted(WITH_STAR))}.", term.at)
    if term.compare not in ("=", STARTS_WITH) and key not in COMPARED | {"args"}:
        raise wrong(f"{key} has no greater and less. Those that have: attempt, runtime and numbers in args.", term.at)
    return replace(term, value=_kept_value(key, term))


def _kept_value(key: str, term: Term) -> str:
    value = term.value
    if key == "attempt":
        return str(whole_number(value, term.at))
    if key == "runtime":
        return duration_text(duration_ms(value, term.at))
    if key == "args":
        return _args_value(term)
    if key == "reason":
        return _one_of(REASONS, value.lower(), term)
    if key == "internal":
        return _one_of(("yes", "no"), value.lower(), term)
    return value.lower() if key == "state" else value


def _args_value(term: Term) -> str:
    path_of(term.key, term.at)
    if term.compare not in ("=", STARTS_WITH) and not is_number(term.value):
        raise wrong(f"{term.value!r} is no number, so nothing is greater or less than it.", term.at)
    return term.value


def _one_of(known: Iterable[str], value: str, term: Term) -> str:
    if value not in known:
        raise wrong(f"There is no {term.key} {term.value!r}. Use one of {', '.join(known)}.", term.at)
    return value


def _states(terms: Sequence[Term]) -> tuple[State, ...]:
    """() stands for every state, so nothing that is asked for may end there."""
    if not terms:
        return ()
    asked = [(term, _named_states(term)) for term in terms]
    positive = [found for term, found in asked if not term.negated]
    states = set().union(*positive) if positive else set(State)
    for term, found in asked:
        if term.negated:
            states -= found
    if not states:
        raise wrong("No state is left: what is asked for is excluded again.", terms[-1].at)
    return tuple(state for state in State if state in states)


def _named_states(term: Term) -> set[State]:
    names = [name.strip().upper() for name in term.value.split(",") if name.strip()]
    unknown = [name for name in names if name not in State.__members__]
    if unknown or not names:
        known = ", ".join(State)
        raise wrong(f"There is no state {(unknown or [term.value])[0]!r}. States are {known}.", term.at)
    found = {State(name) for name in names}
    return found | FAILURES if State.FAILED in found else found


def _state_terms(states: tuple[State, ...]) -> list[Term]:
    if not states:
        return []
    alone = State.FAILED in states and State.RETRYABLE not in states
    shown = [state for state in states if state is not State.RETRYABLE or State.FAILED not in states]
    terms = [Term("state", ",".join(state.lower() for state in shown))]
    return [*terms, Term("state", "retryable", negated=True)] if alone else terms


def _times(terms: Sequence[Term], now: datetime) -> dict[str, datetime]:
    """The narrowest that all of them leave; not before a time is after it."""
    found: dict[str, datetime] = {}
    for term in terms:
        at = moment(term.value, now, term.at)
        name = term.key if not term.negated else {"before": "after", "after": "before"}[term.key]
        narrower = min if name == "before" else max
        found[name] = narrower(found[name], at) if name in found else at
    return found
