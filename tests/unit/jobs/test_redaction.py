"""Which values are hidden, and from whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from console.jobs import registry
from console.jobs.redaction import HIDDEN, Rules, hidden_values, redacted, redacted_text, restored, rules_of
from console.jobs.registry import JobType, Limits


class Inner(BaseModel):
    diagnosis: str = Field("", json_schema_extra={"sensitive": True})
    day: int = 1


class Secretive(BaseModel):
    """A payload that says itself what is not for everybody."""

    name: str = "Ada"
    key: SecretStr = SecretStr("")
    maybe: SecretStr | None = None
    inner: Inner = Inner()
    many: list[Inner] = Field(default_factory=list)
    by_name: dict[str, Inner] = Field(default_factory=dict)
    cards: list[SecretStr] = Field(default_factory=list)


KIND = JobType(name="tests.secretive", queue="default", schema=Secretive, limits=Limits(3, 60, 90))


@pytest.fixture(autouse=True)
def secretive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._types, KIND.name, KIND)


@pytest.mark.parametrize(
    "key",
    ["password", "PASSWORD", "user_password", "userPassword", "dbpassword", "api_key", "apiKey", "apikey", "X-API-Key",
     "Authorization", "access_token", "accesstoken", "card", "cardNumber", "card_number", "ssn", "Set-Cookie", "cookie",
     "client_secret", "clientSecret", "JWT", "pin", "aws_secret_access_key"],
)  # fmt: skip
def test_names_that_are_hidden(key: str) -> None:
    assert redacted({"kwargs": {key: "x"}}, Rules()) == {"kwargs": {key: HIDDEN}}


@pytest.mark.parametrize(
    "key", ["discard", "cardinality", "author", "tokens_used", "max_tokens", "passage", "secretary", "pinned", "name", "", "日本", "key"]
)
def test_names_that_are_not(key: str) -> None:
    assert redacted({"kwargs": {key: "x"}}, Rules()) == {"kwargs": {key: "x"}}


def test_it_is_hidden_at_every_depth_and_whole() -> None:
    given = {"kwargs": {"a": [{"b": {"password": {"deep": [1]}}}], "credentials": ["x", "y"], "password": None}}
    hidden: list[tuple[str, ...]] = []
    assert redacted(given, Rules(), hidden=hidden) == {
        "kwargs": {"a": [{"b": {"password": HIDDEN}}], "credentials": HIDDEN, "password": None}
    }
    assert hidden == [("kwargs", "a", "0", "b", "password"), ("kwargs", "credentials")]


def test_a_type_says_what_is_sensitive_in_it() -> None:
    payload = {"args": [], "kwargs": {
        "name": "Ada", "key": "k", "maybe": "m", "inner": {"diagnosis": "d", "day": 2},
        "many": [{"diagnosis": "d", "day": 3}], "by_name": {"x": {"diagnosis": "d", "day": 4}}, "cards": ["4111"],
    }}  # fmt: skip
    assert redacted(payload, rules_of(KIND.name))["kwargs"] == {
        "name": "Ada", "key": HIDDEN, "maybe": HIDDEN, "inner": {"diagnosis": HIDDEN, "day": 2},
        "many": [{"diagnosis": HIDDEN, "day": 3}], "by_name": {"x": {"diagnosis": HIDDEN, "day": 4}}, "cards": [HIDDEN],
    }


def test_what_is_hidden_can_be_had_by_itself() -> None:
    payload = {"args": [{"token": "t"}], "kwargs": {
        "name": "Ada", "key": "k", "inner": {"diagnosis": "d1", "day": 2}, "many": [{"diagnosis": "d2", "password": None}],
        "cards": ["4111"], "credentials": {"a": 1},
    }}  # fmt: skip
    assert sorted(map(str, hidden_values(payload, rules_of(KIND.name)))) == ["4111", "d1", "d2", "k", "t", "{'a': 1}"]
    assert sorted(map(str, hidden_values(payload, Rules()))) == ["t", "{'a': 1}"]


def test_a_secret_reaches_its_worker() -> None:
    sent = KIND.validate({"key": "k", "maybe": "m", "cards": ["1", "2"], "inner": {"diagnosis": "d"}})
    assert (sent["key"], sent["maybe"], sent["cards"]) == ("k", "m", ["1", "2"])
    assert sent["inner"] == {"diagnosis": "d", "day": 1}


def test_a_setting_adds_names(setting: Callable[[str, str], None]) -> None:
    setting("CELERIAC_SENSITIVE", "salary, tax_number,")
    given = {"kwargs": {"salary": 1, "taxNumber": 2, "password": 3, "name": 4}}
    assert redacted(given, rules_of("unknown")) == {
        "kwargs": {"salary": HIDDEN, "taxNumber": HIDDEN, "password": HIDDEN, "name": 4}
    }


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        ({"a": 2, "token": HIDDEN}, {"a": 2, "token": "s"}),
        ({"a": HIDDEN, "token": "new"}, {"a": HIDDEN, "token": "new"}),  # not sensitive: it means what it says
        ({"b": HIDDEN, "c": {"token": HIDDEN}}, {"b": HIDDEN, "c": {"token": HIDDEN}}),  # nothing stood there
        ({"many": [{"token": HIDDEN}, {"token": HIDDEN}]}, {"many": [{"token": "t"}, {"token": HIDDEN}]}),
    ],
)
def test_who_edits_without_seeing_keeps_what_was_there(edited: Any, expected: Any) -> None:
    original = {"kwargs": {"a": 1, "token": "s", "many": [{"token": "t"}]}}
    assert restored({"kwargs": edited}, original, Rules())["kwargs"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("('x',) {'password': 'a b', 'n': 1}", f"('x',) {{'password': {HIDDEN}, 'n': 1}}"),
        ('{"apiKey": "a\\"b", "n": 1}', f'{{"apiKey": {HIDDEN}, "n": 1}}'),
        ("token=abc, n=2", f"token={HIDDEN}, n=2"),
        ("{'password': 'cut off her...", f"{{'password': {HIDDEN}"),
        ("{'password': b'x'}", f"{{'password': {HIDDEN}}}"),
        ("{'name': 'Ada'}", "{'name': 'Ada'}"),
    ],
)
def test_arguments_as_celery_shows_them(text: str, expected: str) -> None:
    assert redacted_text(text, Rules()) == expected
