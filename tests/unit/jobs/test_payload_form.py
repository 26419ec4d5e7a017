"""A payload as a form: which field a schema becomes, what is typed into it, and that nothing is lost on the way to JSON and back."""

from __future__ import annotations

import json
from enum import IntEnum, StrEnum
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, EmailStr, Field, SecretStr
from werkzeug.datastructures import MultiDict

from console.dispatch.forms import request_of
from console.errors import InvalidInput
from console.jobs import registry
from console.jobs.payload_fields import fields_of
from console.jobs.payload_form import (
    KIND,
    PREFIX,
    RESHAPE,
    PayloadForm,
    form_again,
    form_of,
    payload_of,
    read_payload,
    reshaped,
    typed_form,
    wrong_in,
)
from console.jobs.redaction import HIDDEN
from console.jobs.registry import JobType, Limits


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Inner(BaseModel):
    x: int
    note: str = "none"


class Line(BaseModel):
    sku: str
    count: int = 1
    gift: bool = False


class Node(BaseModel):
    name: str = ""
    child: Node | None = None


class Everything(BaseModel, extra="forbid"):
    """A payload with a field of every kind."""

    name: str
    body: str = Field("", max_length=5_000)
    address: EmailStr = "ada@example.com"
    many: int = Field(3, ge=1, le=9)
    share: float = 0.5
    maybe: int | None = None
    on: bool = True
    perhaps: bool | None = None
    colour: Colour = Colour.BLUE
    level: Level = Level.LOW
    size: Literal["s", "m"] = "s"
    words: list[str] = Field(default_factory=list)
    lines: list[Line] = Field(default_factory=list, max_length=3)
    inner: Inner | None = None
    tree: Node | None = None
    mapping: dict[str, int] = Field(default_factory=dict)
    either: int | str = 1
    password: SecretStr | None = None
    picture: str = Field("", json_schema_extra={"format": "upload"})


NAME = "tests.everything"
KINDS = {
    "name": "text", "body": "long", "address": "text", "many": "integer", "share": "number", "maybe": "integer", "on": "boolean",
    "perhaps": "choice", "colour": "choice", "level": "choice", "size": "choice", "words": "list", "lines": "list", "inner": "group",
    "tree": "group", "mapping": "json", "either": "json", "password": "text", "picture": "upload",
}


@pytest.fixture(autouse=True)
def everything(monkeypatch: pytest.MonkeyPatch) -> JobType:
    kind = JobType(name=NAME, queue="default", schema=Everything, limits=Limits(3, 60, 90))
    monkeypatch.setitem(registry._types, NAME, kind)
    return kind


def typed(**values: str) -> MultiDict[str, str]:
    return MultiDict({KIND: NAME} | {f"payload.{name.replace('__', '.')}": value for name, value in values.items()})


def asked(form: PayloadForm, wish: str, kind: str = NAME) -> PayloadForm:
    """The form after the press of one of its buttons, as a browser sends it."""
    sent = {PREFIX: form.text} if form.is_json else dict(form.typed)
    return reshaped(kind, sent | {KIND: form.kind, RESHAPE: wish})


def test_each_kind_of_value_has_its_kind_of_field(everything: JobType) -> None:
    fields = {field.name: field for field in fields_of(everything)}
    assert {name: field.kind for name, field in fields.items()} == KINDS
    assert [name for name, field in fields.items() if field.required] == ["name"]
    assert (fields["many"].least, fields["many"].most, fields["many"].default) == (1, 9, "3")
    assert (dict(fields["level"].choices), fields["level"].default) == ({"1": 1, "2": 2}, "1")
    assert [(field.name, field.kind) for field in fields["inner"].fields] == [("x", "integer"), ("note", "text")]
    assert [name for name, field in fields.items() if field.is_secret] == ["password"]
    deepest = fields["tree"]
    while deepest.kind == "group":
        deepest = deepest.fields[1]
    assert deepest.kind == "json", "what refers to itself ends somewhere"


def test_what_is_left_empty_is_left_out_and_an_unticked_box_is_no(everything: JobType) -> None:
    shown = {"on:was": ""}
    assert request_of(everything, typed(name="Ada", maybe="", words="", **shown)).payload == {"name": "Ada", "on": False}
    assert request_of(everything, typed(name="Ada", on="1", **shown)).payload == {"name": "Ada"}


def test_values_get_their_types(everything: JobType) -> None:
    given = typed(
        name="1", many="2", share="1e-3", on="1", colour="red", level="2", perhaps="no", words__0="a", words__4="b", inner="given", inner__x="1",
        lines__0__sku="s", lines__0__count="2", either='"b"', mapping='{"a": 1}', password="p",
    )
    assert payload_of(typed_form(NAME, given)) == {
        "name": "1", "many": 2, "share": 0.001, "colour": "red", "level": 2, "perhaps": False, "words": ["a", "b"], "inner": {"x": 1},
        "lines": [{"sku": "s", "count": 2}], "either": "b", "mapping": {"a": 1}, "password": "p",
    }


@pytest.mark.parametrize(("values", "fields"), [
    ({}, {"payload.name"}), ({"name": "a", "many": "1.5"}, {"payload.many"}), ({"name": "a", "many": "10"}, {"payload.many"}),
    ({"name": "a", "mapping": "a, b"}, {"payload.mapping"}), ({"name": "a", "inner": "given", "inner.x": "y"}, {"payload.inner.x"}),
    ({"name": "a", "mapping": "[" * 100_000}, {"payload.mapping"}), ({"name": "a", "colour": "green"}, {"payload.colour"}),
    ({"name": "a", "lines.0.count": "x", "lines.1": ""}, {"payload.lines.0.sku", "payload.lines.0.count", "payload.lines.1.sku"}),
    ({"name": "a", "share": "1e999"}, {"payload.share"}), ({"name": "a", "share": "nan"}, {"payload.share"}),
    ({"many": "x", "share": "y"}, {"payload.name", "payload.many", "payload.share"}),
])  # fmt: skip
def test_every_mistake_is_named_once_at_its_field(everything: JobType, values: dict[str, str], fields: set[str]) -> None:
    given = typed(**values)
    with pytest.raises(InvalidInput) as refused:
        request_of(everything, given)
    assert sorted(problem["field"] for problem in refused.value.errors) == sorted(fields)
    assert set(wrong_in(typed_form(NAME, given), refused.value.errors)) == fields


def test_what_has_no_field_is_said_at_the_one_above() -> None:
    problems = [{"field": "payload.mapping.a", "message": "No."}, {"field": "payload.nobody", "message": "Extra."}]
    assert wrong_in(typed_form(NAME, typed(name="a")), problems) == {"payload.mapping": ["a: No."], "payload": ["nobody: Extra."]}
    assert wrong_in(typed_form(NAME, {"payload": "{}"}), problems) == {"payload": ["mapping.a: No.", "nobody: Extra."]}


@pytest.mark.parametrize("payload", [
    {}, {"name": "Ada"}, {"name": ""}, {"name": " "}, {"name": "a\nb"}, {"name": "a\r\nb"}, {"name": "\n"}, {"name": "\x07"}, {"name": 5}, {"name": None},
    {"name": {"deep": [1, {}]}}, {"body": ""}, {"body": "\nfirst line empty"}, {"many": 3}, {"many": 3.0}, {"many": True}, {"many": "three"},
    {"share": 1}, {"share": 1.0}, {"share": 1e300}, {"on": True}, {"on": False}, {"on": None}, {"on": "yes"}, {"perhaps": True}, {"perhaps": 1},
    {"colour": "red"}, {"colour": "green"}, {"level": 2}, {"level": "2"}, {"level": True}, {"size": ""},
    {"words": []}, {"words": ["a", "b"]}, {"words": [""]}, {"words": ["a", None]}, {"words": [["a"]]}, {"words": "abc"}, {"words": ["x"] * 60},
    {"lines": [{"sku": "a"}, {"sku": "b", "count": 1, "gift": False}, {}]}, {"lines": [{"sku": "a", "more": 1}]}, {"lines": [1]},
    {"inner": {"x": 1}}, {"inner": {}}, {"inner": {"x": "$schedule", "note": ""}}, {"inner": [1]}, {"inner": {"x": 1, "y": 2}},
    {"tree": {"name": "a", "child": {"child": {"child": {"child": {"name": "deep"}}}}}},
    {"mapping": {}}, {"mapping": {"a": 1}}, {"either": None}, {"either": ""}, {"password": "p"}, {"password": HIDDEN}, {"password": {"a": HIDDEN}},
    {"nobody": "knows me"}, {"name": "\u00a0👩\u200d💻</textarea>"},
])  # fmt: skip
def test_nothing_is_lost_from_json_to_fields_and_back(payload: dict[str, Any]) -> None:
    form = form_of(NAME, payload)
    json_again = asked(form, "json")
    assert json_again.is_json
    assert json_again.text == json.dumps(payload, indent=2, ensure_ascii=False)
    assert asked(json_again, "fields") == form


SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(width=16) | st.sampled_from(["", " ", "a", "red", "1", "\n", "a\nb", "\r\n", "$schedule", HIDDEN])
VALUES = st.recursive(SCALARS, lambda one: st.lists(one, max_size=3) | st.dictionaries(st.sampled_from(["x", "note", "sku", "count", "child", "other"]), one, max_size=3), max_leaves=6)


@given(st.dictionaries(st.sampled_from([*KINDS, "nobody"]), VALUES, max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_lost_of_whatever_payload_on_its_way_through_a_browser(payload: dict[str, Any]) -> None:
    form = form_of(NAME, payload)
    sent = {key: text.replace("\n", "\r\n") for key, text in form.typed.items()} if not form.is_json else {PREFIX: form.text}
    found, problems = read_payload(typed_form(NAME, sent))
    assert {problem["message"] for problem in problems} <= {"Fill this in."}
    assert json.dumps(without_nulls(found), sort_keys=True) == json.dumps(without_nulls(payload), sort_keys=True)


def without_nulls(value: Any) -> Any:
    """A null where it is the default means nothing."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


def test_a_null_that_means_the_same_as_nothing_is_left_out() -> None:
    assert payload_of(form_of(NAME, {"name": "a", "maybe": None, "inner": None, "password": None})) == {"name": "a"}


def test_a_payload_that_no_field_has_stays_json_and_says_why() -> None:
    form = form_of(NAME, {"nobody": 1})
    assert (form.is_json, form.why_json) == (True, "There is no field for nobody.")
    assert form_of("no.such.type", {"a": 1}).text == '{\n  "a": 1\n}'
    assert form_of(NAME, {"lines": [{"sku": "a"}] * 50, "words": ["x"] * 50} | {"tree": {}}).is_json is False


def test_what_cannot_be_read_becomes_json_as_it_was_typed_and_the_other_way_is_said() -> None:
    form = typed_form(NAME, typed(name="Ada", many="3 or 4", mapping="{"))
    assert json.loads(asked(form, "json").text) == {"name": "Ada", "many": "3 or 4", "mapping": "{"}
    for text in ("{", "[]", "[" * 100_000):
        kept, wrong = form_again(NAME, {PREFIX: text, KIND: NAME, RESHAPE: "fields"})
        assert (kept.is_json, kept.text, list(wrong)) == (True, text, ["payload"])


def test_rows_are_added_and_taken_away() -> None:
    form = form_of(NAME, {"name": "a", "words": ["x", "y"]})
    form = asked(form, "remove:payload.words.0")
    assert payload_of(form)["words"] == ["y"]
    form = asked(form, "add:payload.words")
    assert form.rows("payload.words") == [1, 2]
    for _ in range(60):
        form = asked(form, "add:payload.words")
    assert len(form.rows("payload.words")) == 50
    none = asked(form_of(NAME, {"name": "a", "words": ["x"]}), "remove:payload.words.0")
    assert payload_of(none) == {"name": "a", "words": []}
    assert asked(form, "add:payload.nonsense") == form
    line = asked(form_of(NAME, {"name": "a"}), "add:payload.lines")
    assert payload_of(typed_form(NAME, {**line.typed, "payload.lines.0.gift:was": "", "payload.lines.0.gift": "1", "payload.lines.0.sku": "s"})) == {
        "name": "a", "lines": [{"sku": "s", "gift": True}],
    }


def test_a_secret_stays_unless_another_is_typed() -> None:
    form = form_of(NAME, {"name": "a", "password": HIDDEN})
    assert "payload.password" not in form.typed
    assert payload_of(form)["password"] == HIDDEN
    assert payload_of(typed_form(NAME, {**form.typed, "payload.password": "new"}))["password"] == "new"


def test_another_type_keeps_what_it_has_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._types, "tests.inner", JobType(name="tests.inner", queue="default", schema=Inner, limits=Limits(3, 60, 90)))
    other = asked(form_of(NAME, {"name": "a", "inner": {"x": 1}}), "type", "tests.inner")
    assert (other.kind, other.is_json, payload_of(form_of("tests.inner", {"x": 1}))) == ("tests.inner", False, {"x": 1})
    assert asked(form_of("no.such", {}), "type").is_json is False
    assert asked(form_of("no.such", {"a": 1}), "type").text == '{\n  "a": 1\n}'
    assert json.loads(asked(form_of(NAME, {"name": "a"}), "type", "no.such").text) == {"name": "a"}
