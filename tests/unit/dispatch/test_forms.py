"""Which field a payload's schema becomes."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, EmailStr, Field
from werkzeug.datastructures import MultiDict

from console.dispatch.forms import fields_of, request_of
from console.errors import InvalidInput
from console.jobs.registry import JobType, Limits


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    x: int


class Everything(BaseModel):
    """A payload with a field of every kind."""

    name: str
    body: str = Field("", max_length=5_000)
    address: EmailStr = "ada@example.com"
    many: int = Field(3, ge=1, le=9)
    share: float = 0.5
    maybe: int | None = None
    on: bool = True
    colour: Colour = Colour.BLUE
    size: Literal["s", "m"] = "s"
    words: list[str] = Field(default_factory=list)
    inner: Inner | None = None
    either: int | str = 1
    picture: str = Field("", json_schema_extra={"format": "upload"})


KIND = JobType(name="tests.everything", queue="default", schema=Everything, limits=Limits(3, 60, 90))


def typed(**values: str) -> MultiDict[str, str]:
    return MultiDict({f"payload.{name}": value for name, value in values.items()})


def test_each_kind_of_value_has_its_kind_of_field() -> None:
    assert {field.name: field.kind for field in fields_of(Everything)} == {
        "name": "text", "body": "long", "address": "text", "many": "integer", "share": "number", "maybe": "integer",
        "on": "boolean", "colour": "choice", "size": "choice", "words": "json", "inner": "json", "either": "json",
        "picture": "upload",
    }
    fields = {field.name: field for field in fields_of(Everything)}
    assert [name for name, field in fields.items() if field.required] == ["name"]
    assert (fields["many"].least, fields["many"].most, fields["many"].default) == (1, 9, "3")
    assert (fields["colour"].choices, fields["colour"].default) == (("red", "blue"), "blue")


def test_what_is_left_empty_has_its_default_and_an_unticked_box_is_no() -> None:
    assert request_of(KIND, typed(name="Ada", maybe="", words="")).payload == {"name": "Ada", "on": False}


def test_values_get_their_types() -> None:
    payload = request_of(
        KIND, typed(name="1", many="2", share="1e-3", on="1", colour="red", words='["a"]', inner='{"x": 1}', either='"b"')
    ).payload
    assert payload == {
        "name": "1", "many": 2, "share": 0.001, "on": True, "colour": "red", "words": ["a"], "inner": {"x": 1}, "either": "b",
    }


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({}, {"payload.name"}), ({"name": "a", "many": "1.5"}, {"payload.many"}), ({"name": "a", "many": "10"}, {"payload.many"}),
        ({"name": "a", "words": "a, b"}, {"payload.words"}), ({"name": "a", "inner": '{"x": "y"}'}, {"payload.inner.x"}),
        ({"name": "a", "words": "[" * 100_000}, {"payload.words"}), ({"many": "x", "share": "y"}, {"payload.name", "payload.many", "payload.share"}),
    ],
)
def test_every_mistake_is_named_once(values: dict[str, Any], fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        request_of(KIND, typed(**values))
    assert sorted(problem["field"] for problem in refused.value.errors) == sorted(fields)
