"""What is typed into the form that dispatches jobs: the payload, and when, where and how many."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from console.errors import InvalidInput
from console.jobs.payload_form import Problem, read_payload, typed_form
from console.jobs.registry import JobType
from console.jobs.schemas import DispatchRequest

OPTIONS = ("queue", "priority", "delay", "at", "unique_key", "count")


def request_of(kind: JobType, typed: MultiDict[str, str]) -> DispatchRequest:
    """What was typed, as the API would take it. Raises `InvalidInput` with every field that does not fit."""
    form = typed_form(kind.name, typed)
    payload, problems = read_payload(form)
    given: dict[str, Any] = {name: typed[name].strip() for name in OPTIONS if typed.get(name, "").strip()}
    if "at" in given:
        given["at"] = f"{given['at']}Z"  # the form says that it means UTC
    given["tags"] = [word for word in re.split(r"[\s,]+", typed.get("tags", "")) if word]
    is_readable = not (form.is_json and problems)
    problems += _problems_of(lambda: DispatchRequest.model_validate({"type": kind.name} | given))
    if is_readable:
        problems += _problems_of_payload(kind, payload, {problem["field"] for problem in problems})
    if problems:
        raise InvalidInput("Something does not fit.", problems)
    return DispatchRequest.model_validate({"type": kind.name, "payload": payload} | given)


def has_options(typed: MultiDict[str, str]) -> bool:
    """Whether anything was typed but the payload; the count begins as 1."""
    return any(typed.get(name, "").strip() not in ("", "1" if name == "count" else "") for name in (*OPTIONS, "tags"))


def _problems_of_payload(kind: JobType, payload: dict[str, Any], said: set[str]) -> list[Problem]:
    """What does not fit the type, of fields of which nothing is said yet."""
    try:
        kind.validate(payload)
    except InvalidInput as error:
        return [problem for problem in error.errors if problem["field"] not in said]
    return []


def _problems_of(check: Any) -> list[Problem]:
    try:
        check()
    except ValidationError as error:
        return [
            {"field": str(item["loc"][0]), "message": f"{item['msg'].removeprefix('Value error, ')}."}
            for item in error.errors(include_url=False)
        ]
    return []
