"""The fields of a payload, made from the schema of its job type. Pure.

What has no kind of field of its own is typed as JSON: mappings, alternatives, what refers to itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from console.jobs.redaction import Path, Rules, rules_of
from console.jobs.registry import JobType

LONG = 500
"""From so many characters on a text gets room for several lines."""
DEEPEST = 4
"""Groups and lists within each other; what lies deeper is typed as JSON."""
YES, NO = "yes", "no"

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PayloadField:
    """One field. `kind`: text long integer number boolean choice group list json upload.

    `fields`: of a group; `item`: of a list. `choices`: what is shown → what it means. `longest`: characters, or items
    of a list. `has_null_default`: left out and null are the same. `is_forced`: a browser may insist that it is filled
    in. `is_ticked`: a box that nobody touched.
    """

    name: str
    kind: str
    required: bool = False
    default: str = ""
    hint: str = ""
    choices: Mapping[str, Any] = field(default_factory=dict)
    least: float | None = None
    most: float | None = None
    longest: int | None = None
    has_null_default: bool = False
    is_secret: bool = False
    is_forced: bool = False
    is_ticked: bool = False
    fields: tuple[PayloadField, ...] = ()
    item: PayloadField | None = None

    @property
    def label(self) -> str:
        """Its name, for people."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field stands: in what of the whole schema, and what is sensitive there."""

    known: Said
    rules: Rules
    path: Path = ("kwargs",)
    is_forced: bool = True

    def below(self, step: str, *, is_forced: bool) -> _Place:
        return _Place(self.known, self.rules, (*self.path, step), self.is_forced and is_forced)


def fields_of(kind: JobType) -> tuple[PayloadField, ...]:
    """A field for each of the payload's."""
    return _fields(kind.schema, rules_of(kind.name))


@lru_cache(maxsize=256)
def _fields(schema: type[BaseModel], rules: Rules) -> tuple[PayloadField, ...]:
    whole = schema.model_json_schema()
    return _members(whole, _Place(whole.get("$defs", {}), rules))


def _members(said: Said, at: _Place) -> tuple[PayloadField, ...]:
    required = set(said.get("required", ()))
    return tuple(
        _field(name, inner, at.below(name, is_forced=name in required), required=name in required)
        for name, inner in said.get("properties", {}).items()
    )


def _field(name: str, given: Said, at: _Place, *, required: bool) -> PayloadField:
    said, is_nullable = _plain(given, at.known)
    is_secret, default = at.rules.hides(at.path), said.get("default")
    kind, choices = _kind(said, at, is_nullable=is_nullable, is_secret=is_secret)
    fields = _members(said, at) if kind == "group" else ()
    return PayloadField(
        name=name,
        kind=kind,
        required=required,
        default=_shown(default, choices),
        hint=said.get("description", "") if kind != "group" else "",
        choices=choices,
        least=said.get("minimum"),
        most=said.get("maximum"),
        longest=said.get("maxItems") if kind == "list" else said.get("maxLength"),
        has_null_default="default" in said and default is None,
        is_secret=is_secret,
        is_forced=at.is_forced and required and not is_nullable,
        is_ticked=default is True,
        fields=fields,
        item=_item(said, at) if kind == "list" else None,
    )


def _plain(given: Said, known: Said) -> tuple[Said, bool]:
    """The field's schema with what it refers to, and without the alternative of being null; whether it had that."""
    said = dict(given)
    others = [choice for choice in said.get("anyOf", ()) if choice.get("type") != "null"]
    is_nullable = len(others) < len(said.get("anyOf", ()))
    if len(others) == 1:
        said = {**others[0], **{key: value for key, value in said.items() if key != "anyOf"}}
    if "$ref" in said:
        said = {**known.get(said["$ref"].rpartition("/")[2], {}), **said}
    return said, is_nullable


def _kind(said: Said, at: _Place, *, is_nullable: bool, is_secret: bool) -> tuple[str, dict[str, Any]]:
    kind = said.get("type")
    values = said.get("enum") or ([said["const"]] if "const" in said else [])
    if values and not is_secret and all(isinstance(value, str | int) for value in values):
        return "choice", {str(value): value for value in values}
    if kind == "boolean" and is_nullable and not is_secret:
        return "choice", {YES: True, NO: False}
    if kind == "string":
        return _kind_of_text(said), {}
    if kind in ("integer", "number"):
        return kind, {}
    return ("json" if is_secret else _kind_of_many(said, at)), {}


def _kind_of_text(said: Said) -> str:
    if said.get("format") == "upload":
        return "upload"
    return "long" if said.get("maxLength", 0) >= LONG and said.get("pattern") is None else "text"


def _kind_of_many(said: Said, at: _Place) -> str:
    kind, is_deep = said.get("type"), len(at.path) > DEEPEST
    if kind == "boolean":
        return "boolean"
    if kind == "object" and said.get("properties") and not said.get("additionalProperties") and not is_deep:
        return "group"
    if kind == "array" and not is_deep and not said.get("uniqueItems") and _item(said, at) is not None:
        return "list"
    return "json"


def _item(said: Said, at: _Place) -> PayloadField | None:
    """What a list is made of; None: of what has no field."""
    if not isinstance(said.get("items"), dict) or "prefixItems" in said:
        return None
    item, is_nullable = _plain(said["items"], at.known)
    made = _field("", item, at.below("0", is_forced=False), required=True)
    return None if is_nullable or made.is_secret or made.kind in ("json", "list", "boolean", "upload") else made


def _shown(default: Any, choices: Mapping[str, Any]) -> str:
    """A default in words; one that says nothing is none."""
    if default is None or default in ("", [], {}):
        return ""
    if choices:
        return next((shown for shown, value in choices.items() if value == default), "")
    return default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
