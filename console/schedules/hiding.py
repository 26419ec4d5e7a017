"""Sensitive values of a schedule's payload, which not everybody may see (`jobs.sensitive`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from console.jobs.redaction import redacted, restored, rules_of
from console.schedules.definition import Definition
from console.schedules.queries import ScheduleView, VersionView


def hide(definition: Definition) -> Definition:
    """The same with `[hidden]` in the place of what is sensitive."""
    shown = redacted({"args": definition.args, "kwargs": definition.payload}, rules_of(definition.type))
    return definition.model_copy(update={"args": shown["args"], "payload": shown["kwargs"]})


def restore(edited: Definition, before: Definition) -> Definition:
    """What was edited without seeing all of it: what is hidden stays as it was, as long as the job type does."""
    if edited.type != before.type:
        return edited
    new, old = ({"args": one.args, "kwargs": one.payload} for one in (edited, before))
    whole = restored(new, old, rules_of(edited.type))
    return edited.model_copy(update={"args": whole["args"], "payload": whole["kwargs"]})


def hide_in_view(view: ScheduleView) -> ScheduleView:
    """A schedule for those who may not see it."""
    return replace(view, definition=hide(view.definition))


def hide_in_versions(versions: Sequence[VersionView]) -> list[VersionView]:
    """The same of its versions, and of what changed between them."""
    return [
        replace(one, definition=hide(one.definition), changes=hide_in_changes(one.changes, one.definition.type))
        for one in versions
    ]


def hide_in_changes(changes: dict[str, list[Any]], job_type: str) -> dict[str, list[Any]]:
    """What differs, without sensitive values."""
    kinds, rules = {"payload": "kwargs", "args": "args"}, rules_of(job_type)
    return {
        name: [redacted({kinds[name]: value}, rules)[kinds[name]] for value in values] if name in kinds else values
        for name, values in changes.items()
    }
