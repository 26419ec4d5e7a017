"""A payload as a tree: what is shown, and where it is cut."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from pydantic_core import from_json

from console.jobs.redaction import HIDDEN, Rules
from console.jobs.tree import MAX_CHARACTERS, MAX_NODES, Node, payload_tree, result_tree


def of(**kwargs: Any) -> list[Node]:
    return payload_tree({"args": [], "kwargs": kwargs}, Rules()).root.children


def test_keys_stay_in_their_order_and_kinds_are_told() -> None:
    nodes = of(z="text", a=1, f=1.5, ok=True, no=None, o={"x": 1}, l=[1, 2])
    assert [(node.key, node.kind) for node in nodes] == [
        ("z", "text"), ("a", "number"), ("f", "number"), ("ok", "true or false"), ("no", "nothing"), ("o", "object"), ("l", "list"),
    ]
    assert [node.text for node in nodes[:5]] == ['"text"', "1", "1.5", "true", "null"]


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        ({"user": {"id": 42}}, "args.user.id:42"),
        ({"user": {"name": "Ada L"}}, "args.user.name:"),
        ({"user": {"name": "Ada"}}, "args.user.name:Ada"),
        ({"user": {"password": "x"}}, "args.user.password:"),
        ({"user": {"a:b c": 1}}, ""),
    ],
)
def test_a_value_tells_the_search_that_finds_it(kwargs: dict[str, Any], expected: str) -> None:
    assert of(**kwargs)[0].children[0].term == expected


def test_positional_arguments() -> None:
    tree = payload_tree({"args": ["a", {"secret": 1}], "kwargs": {"x": 1}}, Rules())
    assert [child.key for child in tree.root.children] == ["args", "kwargs"]
    assert tree.root.children[0].children[0].term == "args.0:a"
    assert tree.root.children[0].children[1].children[0].text == HIDDEN
    assert tree.hidden == 1


def test_what_is_hidden_is_shown_on_request() -> None:
    hidden = result_tree({"token": {"a": 1}}, Rules())
    assert [(node.kind, node.text, node.children) for node in hidden.root.children] == [("hidden", HIDDEN, [])]
    assert result_tree({"token": {"a": 1}}, Rules(), reveal=True).root.children[0].children[0].text == "1"


def test_a_long_text_is_folded() -> None:
    [node] = of(body="x" * 5_000)
    assert (len(node.text), len(node.rest), node.left_out) == (120, 5_002, 0)
    [node] = of(body="x" * 5_000_000)
    assert len(node.rest) == 20_000
    assert node.left_out == 5_000_002 - 20_000


@pytest.mark.parametrize(
    "payload",
    [
        {"numbers": list(range(700_000))},
        {"rows": [{"id": n, "name": f"name {n}", "token": "x"} for n in range(90_000)]},
        {"texts": ["x" * 1_000] * 5_000},
        {"x" * 1_000_000: "y" * 4_000_000},
    ],
)
def test_five_megabytes_are_cut_at_once(payload: dict[str, Any]) -> None:
    assert len(json.dumps(payload)) > 4_500_000
    began = time.perf_counter()
    tree = payload_tree({"args": [], "kwargs": payload}, Rules())
    assert time.perf_counter() - began < 0.2
    assert tree.is_cut
    assert tree.nodes <= MAX_NODES + 1
    assert tree.characters <= 1_000_000 + 2 * MAX_CHARACTERS


def test_depth_has_an_end() -> None:
    value: Any = 1
    for _ in range(500):
        value = [value]
    assert payload_tree({"args": [value], "kwargs": {}}, Rules()).is_cut


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00\xff", "2 bytes: 00 ff"), (b"a", "1 byte: 61"), (b"", "0 bytes"),
        (bytes(range(40)), "40 bytes: " + bytes(range(24)).hex(" ") + " …"),
    ],
)
def test_bytes_are_told_as_bytes(value: bytes, expected: str) -> None:
    [node] = of(blob=repr(value))
    assert (node.kind, node.text) == ("bytes", expected)


def test_bytes_that_were_cut() -> None:
    [node] = of(blob=repr(b"\xff" * 400)[:500])
    assert node.text == "124 bytes or more: " + (b"\xff" * 24).hex(" ") + " …"


@pytest.mark.parametrize("text", ["b'", "b'x", "b'x' + b'y'", "better", "b'" + "x" * 498])
def test_a_text_that_only_looks_like_bytes(text: str) -> None:
    [node] = of(blob=text)
    assert node.kind == ("bytes" if len(text) == 500 else "text")


def test_the_beginning_of_a_large_one_says_that_there_is_more() -> None:
    whole = json.dumps({"args": [], "kwargs": {"a": 1, "rows": [{"password": "hunter2" * 9}] * 50}})
    for cut in range(len(whole)):
        tree = payload_tree(from_json(whole[:cut] or "{}", allow_partial="trailing-strings"), Rules(), is_cut=True)
        assert tree.is_cut
        assert "hunter" not in repr(tree)
    rows = tree.root.children[1]
    assert (rows.kind, rows.is_partial, rows.children[0].is_partial, rows.children[-1].is_partial) == ("list", True, False, True)
