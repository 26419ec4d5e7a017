"""The payload of a failed job as a form, or as JSON with its positional arguments where the type is not known here.

Who edits does not see what is sensitive: `[hidden]` stands there, and means the value that is there if it is sent so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.errors import InvalidInput
from console.jobs import payload_form, registry
from console.jobs.one import as_text
from console.jobs.payload_form import PayloadForm, Problem
from console.jobs.queries import JobDetail
from console.jobs.rules import State

MOST = 200_000
"""Characters of a payload that a form in a browser can hold comfortably."""


@dataclass(frozen=True, slots=True)
class Form:
    """`payload`: as the type's form. None: there is none, and `text` is all of it as JSON."""

    payload: PayloadForm | None = None
    text: str = ""


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
    if registry.known(job.line.type) is None or payload.get("args"):
        return Form(text=as_json(payload))
    return Form(payload_form.form_of(job.line.type, payload.get("kwargs", {}), wants_json=wants_json))


def form_again(kind: str, given: Mapping[str, str], problems: list[Problem]) -> tuple[Form, dict[str, list[str]]]:
    """What was sent, to be shown again, and what is wrong, by field."""
    if _is_whole(kind, given):
        wrong = {"json": [f"{problem['field']}: {problem['message']}" for problem in problems]} if problems else {}
        return Form(text=given.get("json", "")), wrong
    form, wrong = payload_form.form_again(kind, given)
    return Form(form), wrong or payload_form.wrong_in(form, problems)


def payload_of(kind: str, given: Mapping[str, str]) -> dict[str, Any]:
    """The payload that was typed. Raises `InvalidInput` naming what cannot be read."""
    if not _is_whole(kind, given):
        return {"args": [], "kwargs": payload_form.payload_of(payload_form.typed_form(kind, given))}
    try:
        payload = json.loads(given.get("json", ""))
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


def _is_whole(kind: str, given: Mapping[str, str]) -> bool:
    return "json" in given or registry.known(kind) is None
