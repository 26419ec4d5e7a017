"""The payload of a failed job as a form: the fields of its type, or JSON where the type is not known or does not fit.

Who edits does not see what is sensitive: `[hidden]` stands there, and means the value that is there if it is sent so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from console.dispatch import forms
from console.dispatch.forms import PayloadField
from console.errors import InvalidInput
from console.jobs import registry
from console.jobs.one import as_text
from console.jobs.queries import JobDetail
from console.jobs.rules import State

MOST = 200_000
"""Characters of a payload that a form in a browser can hold comfortably."""


@dataclass(frozen=True, slots=True)
class Form:
    """`fields` with what is typed into them; without fields, `text` is JSON. `has_fields`: of its type there are."""

    kind: str
    fields: list[PayloadField] = field(default_factory=list)
    typed: MultiDict[str, str] = field(default_factory=MultiDict)
    text: str = ""
    has_fields: bool = False


def why_not_editable(job: JobDetail) -> str:
    """Why there is nothing to edit, for people; empty: there is."""
    if job.not_ours:
        return job.not_ours
    if job.line.state is not State.RETRYABLE:
        return f"Only a failed job that was not retried yet can be edited and retried; this one is {job.line.state}."
    if len(as_json(job.payload)) > MOST:
        return (
            "Its payload is too large to be edited here. Download it, change it, and run: "
            f"celeriac retry {job.line.id} --payload @payload.json"
        )
    return ""


def form_of(job: JobDetail, *, wants_json: bool = False) -> Form:
    """The present payload, to be changed."""
    payload = job.payload or {"args": [], "kwargs": {}}
    kind = registry.known(job.line.type)
    fields = [] if kind is None or payload.get("args") else forms.fields_of(kind.schema)
    typed = forms.typed_of(fields, payload.get("kwargs", {})) if fields else None
    if typed is None or wants_json:
        return Form(job.line.type, text=as_json(payload), has_fields=typed is not None)
    return Form(job.line.type, fields, typed, has_fields=True)


def typed_form(kind: str, given: MultiDict[str, str]) -> Form:
    """What was sent."""
    known = registry.known(kind)
    if known is None or "json" in given:
        return Form(kind, text=given.get("json", ""), has_fields=known is not None)
    return Form(kind, forms.fields_of(known.schema), MultiDict(given), has_fields=True)


def payload_of(form: Form) -> dict[str, Any]:
    """The payload that was typed. Raises `InvalidInput` naming what cannot be read."""
    if form.fields:
        return {"args": [], "kwargs": forms.payload_of(registry.job_type(form.kind), form.typed)}
    try:
        payload = json.loads(form.text)
    except (ValueError, RecursionError) as error:
        message = f"This is not JSON: {error}."
        raise InvalidInput(message, [{"field": "payload", "message": message}]) from None
    if not isinstance(payload, dict):
        message = 'Write {"args": […], "kwargs": {…}}.'
        raise InvalidInput(message, [{"field": "payload", "message": message}])
    return payload


def as_json(payload: Any) -> str:
    """As it is typed."""
    return as_text(payload)
