"""How a group stands, when it comes back, and what may be asked of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from console.failures.affected import common_values
from console.failures.rules import GroupState, Ignore, is_runbook, standing
from console.jobs.groups import comes_back
from console.jobs.models import FailureGroup
from console.jobs.redaction import Rules

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER, EARLIER = NOW + timedelta(days=3), NOW - timedelta(seconds=1)


@pytest.mark.parametrize(
    ("columns", "last_at", "more", "in_hour", "why"),
    [
        ({"state": "open"}, LATER, 9, 9, None),
        ({"state": "resolved"}, LATER, 1, 1, "came back after 3 days"),
        ({"state": "resolved"}, NOW + timedelta(minutes=61), 1, 1, "came back after 1 hour"),
        ({"state": "resolved"}, NOW, 1, 1, None),
        ({"state": "resolved"}, EARLIER, 1, 1, None),
        ({"state": "ignored", "ignore_until": LATER}, LATER - timedelta(seconds=1), 99, 99, None),
        ({"state": "ignored", "ignore_until": LATER}, LATER, 1, 1, "came back after the time it was ignored for"),
        ({"state": "ignored", "ignore_left": 2}, LATER, 2, 99, None),
        ({"state": "ignored", "ignore_left": 2}, LATER, 3, 3, "came more often than was to be ignored"),
        ({"state": "ignored", "ignore_rate": 50}, LATER, 99, 50, None),
        ({"state": "ignored", "ignore_rate": 50}, LATER, 1, 51, "came more than 50 times an hour"),
        ({"state": "ignored", "ignore_rate": 50}, EARLIER, 1, 51, None),
        ({"state": "ignored", "ignore_rate": 50, "ignore_left": 0}, LATER, 1, 1, "came more often than was to be ignored"),
    ],
)
def test_when_a_group_comes_back(columns: dict[str, object], last_at: datetime, more: int, in_hour: int, why: str | None) -> None:
    assert comes_back(FailureGroup(state_at=NOW, **columns), last_at, more, in_hour) == why


def test_what_was_ignored_until_a_time_is_open_from_then_on() -> None:
    assert standing("ignored", LATER, NOW) is GroupState.IGNORED
    assert standing("ignored", NOW, NOW) is GroupState.OPEN
    assert standing("ignored", None, NOW) is GroupState.IGNORED
    assert standing("resolved", NOW, NOW) is GroupState.RESOLVED


@pytest.mark.parametrize(
    ("ignore", "fields"),
    [
        (Ignore(), ["until"]), (Ignore(until=LATER), []), (Ignore(more=1, rate=1), []), (Ignore(until=NOW), ["until"]),
        (Ignore(more=0), ["more"]), (Ignore(rate=-1), ["rate"]), (Ignore(until=NOW + timedelta(days=9_999)), ["until"]),
        (Ignore(more=10**18), ["more"]),
    ],
)
def test_what_may_be_ignored(ignore: Ignore, fields: list[str]) -> None:
    assert [problem["field"] for problem in ignore.problems(NOW)] == fields


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://wiki.example.com/a?b#c", True), ("http://10.0.0.1:8080/", True), ("javascript:alert(1)", False), ("//x.y/z", False),
        ("https://", False), ("data:text/html,x", False), ("ftp://a.b", False), ("https://a b", False), ("https://a.b\n", False),
        ("http://[::1", False), ("https://a.b:99999", False), ("x" * 10, False), ("HTTPS://A.b", True), ("https://a.b/" + "x" * 2_000, False),
    ],
)
def test_runbooks_are_of_the_web(address: str, fits: bool) -> None:
    assert is_runbook(address) is fits


@pytest.mark.parametrize("key", ["password", "API_KEY", "access_token", "Authorization", "client-secret", "card_number", "iban"])
def test_secrets_are_not_counted(key: str) -> None:
    assert common_values([json.dumps({"args": [], "kwargs": {key: "x"}})], Rules()) == []


@pytest.mark.parametrize("payload", [None, "", "{", "[]", "3", '{"args": 3, "kwargs": []}', '{"args": [], "kwargs": {}}', '{"kwargs": null}'])
def test_a_payload_that_cannot_be_read_counts_for_nothing(payload: str | None) -> None:
    assert common_values([payload], Rules()) == []


def test_keys_that_many_share_a_value_of_come_first() -> None:
    payloads = [json.dumps({"args": [n % 2], "kwargs": {"n": n, "version": "1.4", "long": "x" * 500, "all": {"a": n}}}) for n in range(10)]
    found = common_values(payloads, Rules())
    assert [of.key for of in found] == ["all", "long", "version", "argument 1", "n"]
    assert found[2].top == (("1.4", 10),)
    assert len(found[1].top[0][0]) == 80
    assert (found[4].different, found[4].says_something) == (10, False)


def test_thousands_of_keys_stay_bounded() -> None:
    payloads = [json.dumps({"args": [], "kwargs": {f"k{n}-{m}": n for n in range(300)}}) for m in range(20)]
    assert len(common_values(payloads, Rules())) == 12
