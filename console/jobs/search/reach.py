"""How far a search looks: which of its conditions an index answers, and which are looked for in the newest jobs only.

Pure. The rule, for lists, counts and bulk actions alike: state, queue, type, time, id, failure group and one action are
answered by an index, so all jobs are meant; whatever else is asked for is looked for in the newest
`queries.TEXT_SCAN` of those.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from console.jobs.filters import Condition, JobFilter

MAX_BRANCHES = 8
"""So many pairs of queue and type are each walked in their index; of more, the newest jobs are looked through."""
_PINNED = ("id", "group")
_NAMED = ("queue", "type")


def branches(wanted: JobFilter) -> tuple[JobFilter, ...]:
    """Filters of one queue and one type each, which together mean the same: each has an index, "one of" has none."""
    found = {name: _exact(wanted, name) for name in _NAMED}
    queues, types = (found[name] or ("",) for name in _NAMED)
    if not any(found.values()) or len(queues) * len(types) > MAX_BRANCHES:
        return (wanted,)
    rest = tuple(one for one in wanted.conditions if one.negated or not found.get(one.key))
    return tuple(
        replace(wanted, queue=queue or wanted.queue, type=type_ or wanted.type, conditions=rest)
        for queue, type_ in product(queues, types)
    )


def indexed(wanted: JobFilter) -> JobFilter:
    """The part of the filter that indexes answer, without the cheap flags."""
    rest = tuple(one for one in wanted.conditions if _has_index(wanted, one))
    return replace(wanted, text="", conditions=rest, internal=True, ours=False)


def is_scanned(wanted: JobFilter) -> bool:
    """Whether a part of it is looked for in the newest jobs only."""
    if any(one.key == "id" and _is_plain(one) for one in wanted.conditions):
        return False
    return bool(wanted.text) or not all(_has_index(wanted, one) for one in wanted.conditions)


def is_counted(wanted: JobFilter) -> bool:
    """Whether the counts by type, queue and state answer how many match, without looking at jobs."""
    named = all(one.key in _NAMED for one in wanted.conditions)
    return named and not (is_scanned(wanted) or wanted.before or wanted.after)


def is_of_action(wanted: JobFilter) -> bool:
    """Whether the jobs of one bulk action are meant. Those of several would have to be sorted, however many."""
    return sum(one.key == "action" and _is_plain(one) for one in wanted.conditions) == 1


def _exact(wanted: JobFilter, name: str) -> tuple[str, ...]:
    """The values of which one is asked for; (): there are none, or a * is among them."""
    same = [one for one in wanted.conditions if one.key == name and not one.negated]
    return tuple(one.value for one in same) if same and all(map(_is_plain, same)) and not getattr(wanted, name) else ()


def _has_index(wanted: JobFilter, one: Condition) -> bool:
    if one.key in _PINNED:
        return _is_plain(one)
    if one.key == "action":
        return is_of_action(wanted) and _is_plain(one)
    return one.key in _NAMED and one not in branches(wanted)[0].conditions


def _is_plain(one: Condition) -> bool:
    return one.compare == "=" and not one.negated
