"""The form of a job type: fields made from its payload's schema, and what is typed into them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from werkzeug.datastructures import MultiDict

from console.errors import InvalidInput
from console.jobs.redaction import HIDDEN
from console.jobs.registry import JobType
from console.jobs.schemas import DispatchRequest

PREFIX = "payload."
LONG = 500
"""From so many characters on a text gets room for several lines."""
OPTIONS = ("queue", "priority", "delay", "at", "unique_key", "count")
NUMBERS = {"integer": int, "number": float}

Said = dict[str, str]


@dataclass(frozen=True, slots=True)
class PayloadField:
    """One field of a payload. `kind`: text long integer number boolean choice json upload."""

    name: str
    label: str
    kind: str
    required: bool
    default: str
    hint: str
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def key(self) -> str:
        """Its name in the form, and in errors."""
        return PREFIX + self.name


def fields_of(schema: type[BaseModel]) -> list[PayloadField]:
    """A field for each of the payload's; what has no field of its own kind is typed as JSON."""
    whole = schema.model_json_schema()
    required = set(whole.get("required", ()))
    return [
        _field(name, _plain(said, whole.get("$defs", {})), name in required)
        for name, said in whole.get("properties", {}).items()
    ]


def request_of(kind: JobType, typed: MultiDict[str, str]) -> DispatchRequest:
    """What was typed, as the API would take it. Raises `InvalidInput` with every field that does not fit."""
    payload, problems = _payload(fields_of(kind.schema), typed)
    given: dict[str, Any] = {name: typed[name].strip() for name in OPTIONS if typed.get(name, "").strip()}
    if "at" in given:
        given["at"] = f"{given['at']}Z"  # the form says that it means UTC
    given["tags"] = [word for word in re.split(r"[\s,]+", typed.get("tags", "")) if word]
    problems += _problems_of(lambda: DispatchRequest.model_validate({"type": kind.name} | given))
    wrong = {problem["field"] for problem in problems}
    try:
        kind.validate(payload)
    except InvalidInput as error:
        problems += [problem for problem in error.errors if problem["field"] not in wrong]
    if problems:
        raise InvalidInput("Something does not fit.", problems)
    return DispatchRequest.model_validate({"type": kind.name, "payload": payload} | given)


def payload_of(kind: JobType, typed: MultiDict[str, str]) -> dict[str, Any]:
    """What was typed into the fields, not validated yet. Raises `InvalidInput` naming what cannot be read."""
    payload, problems = _payload(fields_of(kind.schema), typed)
    if problems:
        raise InvalidInput("Something does not fit.", problems)
    return payload


def typed_of(fields: list[PayloadField], kwargs: Mapping[str, Any]) -> MultiDict[str, str] | None:
    """A payload as if it had been typed; None: the fields cannot show all of it."""
    if kwargs.keys() - {field.name for field in fields}:
        return None
    shown = {field.key: _shown(field, kwargs.get(field.name)) for field in fields}
    if any(text is None for text in shown.values()):
        return None
    typed = MultiDict({key: text for key, text in shown.items() if text})
    typed["edited"] = "1"  # so that an unticked box is not taken for one that nobody has seen yet
    return typed


def _shown(field: PayloadField, value: Any) -> str | None:
    """A value as its field shows it; None: it cannot. An unticked box is nothing."""
    if value is None:
        return ""
    if field.kind == "boolean":
        return {True: "1", False: ""}.get(value) if isinstance(value, bool) else None
    if field.kind == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if field.kind in ("text", "long", "upload"):
        return value if isinstance(value, str) else None
    return None if value == HIDDEN or isinstance(value, dict | list) else str(value)


def has_options(typed: MultiDict[str, str]) -> bool:
    """Whether anything was typed but the payload; the count begins as 1."""
    return any(typed.get(name, "").strip() not in ("", "1" if name == "count" else "") for name in (*OPTIONS, "tags"))


def _field(name: str, said: dict[str, Any], required: bool) -> PayloadField:
    default = said.get("default")
    kind = _kind(said)
    shown = "" if default in (None, "", [], {}) else default if isinstance(default, str) else json.dumps(default)
    return PayloadField(
        name=name,
        label=name.replace("_", " ").capitalize(),
        kind=kind,
        required=required,
        default=shown,
        hint=said.get("description", ""),
        choices=tuple(str(choice) for choice in said.get("enum", ())),
        least=said.get("minimum"),
        most=said.get("maximum"),
    )


def _plain(said: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The field's schema with what it refers to, and without the alternative of being null."""
    others = [choice for choice in said.get("anyOf", ()) if choice.get("type") != "null"]
    if len(others) == 1:
        said = {**others[0], **{key: value for key, value in said.items() if key != "anyOf"}}
    if "$ref" in said:
        said = {**known.get(said["$ref"].rpartition("/")[2], {}), **said}
    return said


def _kind(said: dict[str, Any]) -> str:
    kind = said.get("type")
    if said.get("format") == "upload":
        return "upload"
    if kind == "string" and "enum" in said:
        return "choice"
    if kind == "string":
        return "long" if said.get("maxLength", 0) >= LONG and said.get("pattern") is None else "text"
    return kind if kind in {"integer", "number", "boolean"} and "enum" not in said else "json"


def _payload(fields: list[PayloadField], typed: MultiDict[str, str]) -> tuple[dict[str, Any], list[Said]]:
    payload: dict[str, Any] = {}
    problems: list[Said] = []
    for field in fields:
        if field.kind == "boolean":
            payload[field.name] = field.key in typed
            continue
        text = typed.get(field.key, "")
        if not text.strip():
            problems += [{"field": field.key, "message": "Fill this in."}] if field.required else []
            continue
        try:
            payload[field.name] = _value(field, text)
        except (ValueError, RecursionError):
            problems.append({"field": field.key, "message": _EXPECTED[field.kind]})
    return payload, problems


_EXPECTED = {"integer": "Type a whole number.", "number": "Type a number.", "json": "Type JSON, such as [] or {}."}


def _value(field: PayloadField, text: str) -> Any:
    if field.kind in NUMBERS:
        return NUMBERS[field.kind](text)
    return json.loads(text) if field.kind == "json" else text.replace("\r\n", "\n")


def _problems_of(check: Any) -> list[Said]:
    try:
        check()
    except ValidationError as error:
        return [
            {"field": str(item["loc"][0]), "message": f"{item['msg'].removeprefix('Value error, ')}."}
            for item in error.errors(include_url=False)
        ]
    return []
