"""Searches for what the searcher may not see: `args.password:hunter2` would tell of each guess whether it is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.jobs import registry
from console.jobs.filters import JobFilter
from console.jobs.redaction import Rules, rules_of
from console.jobs.search.terms import wrong
from console.jobs.search.values import path_of


def check_searchable(wanted: JobFilter, *, sees_all: bool) -> None:
    """Raises `InvalidInput` when a condition asks for a sensitive value. `sees_all`: they may have it shown anyway."""
    asked = [one.key for one in wanted.conditions if one.key.startswith("args.")]
    if sees_all or not asked:
        return
    kinds = rules_of_types(_types(wanted))
    if key := next((key for key in asked if is_sensitive(key, kinds)), None):
        message = f"{key} holds what is hidden from you: to search for it needs the permission jobs.sensitive."
        by_name = is_sensitive(key, [rules_of("")])
        raise wrong(message if by_name else f"{message} Or add type: with a job type that does not hide it.")


def is_sensitive(key: str, kinds: Iterable[Rules]) -> bool:
    """Whether a value at the path `args.user.token`, or something that it stands in, is hidden by any of the rules."""
    steps = path_of(key)
    places = [("kwargs", *steps[:n]) for n in range(1, len(steps) + 1)]
    return any(rules.may_hide(place) for rules in kinds for place in places)


def rules_of_types(names: Sequence[str]) -> list[Rules]:
    """Those of these job types; of none, those of every type, be it known or not."""
    return [rules_of(name) for name in names or ("", *(kind.name for kind in registry.job_types()))]


def _types(wanted: JobFilter) -> list[str]:
    """The types whose jobs can be found; []: any."""
    asked = [one for one in wanted.conditions if one.key == "type" and not one.negated]
    if wanted.type:
        return [wanted.type]
    return [one.value for one in asked] if all(one.compare == "=" for one in asked) else []
