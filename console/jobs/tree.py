"""A payload or a result as a tree to read: cut to what a page can hold, without what is sensitive. Pure."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from console.jobs.redaction import HIDDEN, Path, Rules

MAX_NODES = 300
MAX_CHARACTERS = 60_000
"""Of all texts of a tree together."""
LONG_TEXT = 240
"""From so many characters on, a text is folded."""
MAX_TEXT = 20_000
MAX_DEPTH = 40
MAX_TERM = 120
SHOWN_BYTES = 24
REPR_CUT = 500
"""Where workers cut what JSON has no word for (`console.tracking.messages.MAX_VALUE`)."""
_KINDS = {str: "text", bool: "true or false", int: "number", float: "number", type(None): "nothing"}


@dataclass(slots=True)
class Node:
    """One value. `kind`: object, list, text, number, true or false, nothing, bytes or hidden.

    `term` is what to search for to find jobs like this one; empty where there is no such search. `rest`: the whole of a
    text that `text` is the beginning of. `left_out`: how many of its own values are not shown. `is_partial`: `size` and
    `left_out` are at least so much.
    """

    key: str
    kind: str
    text: str = ""
    rest: str = ""
    term: str = ""
    size: int = 0
    left_out: int = 0
    is_partial: bool = False
    is_open: bool = False
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Tree:
    """`root.children` are what is shown first. `is_cut`: something is left out. `hidden`: how many values are."""

    root: Node
    is_cut: bool = False
    hidden: int = 0
    nodes: int = 0
    characters: int = 0


def payload_tree(payload: dict[str, Any], rules: Rules, *, reveal: bool = False, is_cut: bool = False) -> Tree:
    """Of `{"args": […], "kwargs": {…}}`. Without positional arguments, the named ones stand alone.

    `is_cut`: it is the beginning of a larger one, so the sizes of what stands last are at least what they seem.
    """
    args, kwargs = payload.get("args") or [], payload.get("kwargs") or {}
    tree = Tree(Node("", "object"))
    if not args:
        tree.root = _node(tree, "", kwargs, ("kwargs",), rules, reveal)
    else:
        tree.root.children = [_node(tree, "args", args, ("args",), rules, reveal)]
        if kwargs:
            tree.root.children.append(_node(tree, "kwargs", kwargs, ("kwargs",), rules, reveal))
        tree.root.size = len(tree.root.children)
    if is_cut:
        tree.is_cut = True
        _mark_end(tree.root)
    return tree


def _mark_end(node: Node) -> None:
    """The values that the end of what was read stands in."""
    node.is_partial = True
    if node.children and not node.left_out:
        _mark_end(node.children[-1])


def result_tree(result: Any, rules: Rules, *, reveal: bool = False) -> Tree:
    """Of what a job returned."""
    tree = Tree(Node("", "nothing"))
    tree.root = _node(tree, "", result, (), rules, reveal)
    return tree


def _node(tree: Tree, key: str, value: Any, path: Path, rules: Rules, reveal: bool) -> Node:
    tree.nodes += 1
    if not reveal and path and value is not None and rules.hides(path):
        tree.hidden += 1
        return Node(key, "hidden", HIDDEN, term=_term(path))
    if isinstance(value, dict | list):
        return _branch(tree, key, value, path, rules, reveal)
    return _leaf(tree, key, value, path)


def _branch(tree: Tree, key: str, value: Any, path: Path, rules: Rules, reveal: bool) -> Node:
    is_object = isinstance(value, dict)
    node = Node(key, "object" if is_object else "list", size=len(value))
    node.is_open = len(path) <= 3 and len(value) <= 20
    items: Iterable[tuple[Any, Any]] = value.items() if is_object else enumerate(value)
    for name, item in items:
        if tree.nodes >= MAX_NODES or tree.characters >= MAX_CHARACTERS or len(path) >= MAX_DEPTH:
            node.left_out = len(value) - len(node.children)
            tree.is_cut = True
            break
        tree.characters += len(str(name))
        node.children.append(_node(tree, written(str(name)[:200]), item, (*path, str(name)), rules, reveal))
    return node


def _leaf(tree: Tree, key: str, value: Any, path: Path) -> Node:
    if isinstance(value, str) and (said := _as_bytes(value)):
        tree.characters += len(said)
        return Node(key, "bytes", said, term=_term(path))
    whole = written(json.dumps(value, ensure_ascii=False))
    node = Node(key, _KINDS.get(type(value), "text"), whole, term=_term(path, whole), size=len(whole))
    if len(whole) > LONG_TEXT:
        most = max(LONG_TEXT, min(MAX_TEXT, MAX_CHARACTERS - tree.characters))
        node.text, node.rest, node.size = whole[: LONG_TEXT // 2], whole[:most], len(str(value))
        tree.is_cut = tree.is_cut or len(whole) > most
        node.left_out = max(0, len(whole) - most)
    tree.characters += len(node.text) + len(node.rest)
    return node


def written(text: str) -> str:
    """Text that can be sent: half of a pair of surrogates, which JSON can spell, is no letter."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _term(path: Path, value: str = "") -> str:
    """The search that finds jobs with this value at this path; without a value, one to be completed."""
    if len(path) < 2 or path[0] not in ("args", "kwargs"):
        return ""
    names = path[1:]
    if any(not name or len(name) > MAX_TERM or not name.replace("_", "").replace("-", "").isalnum() for name in names):
        return ""
    word = value.strip('"')
    is_plain = len(word) <= MAX_TERM and word.replace("_", "").replace("-", "").replace(".", "").isalnum()
    return f"args.{'.'.join(names)}:{word if is_plain else ''}"


def _as_bytes(text: str) -> str:
    """Bytes as workers write them, as Python does, for people: "12 bytes: 00 ff …". Empty: these are none."""
    if text[:2] not in ("b'", 'b"'):
        return ""
    is_cut = len(text) == REPR_CUT and text[-1] != text[1]
    for cut in range(4 if is_cut else 1):  # an escape may have been cut through
        try:
            value = ast.literal_eval(text[: len(text) - cut] + text[1] if is_cut else text)
        except (ValueError, SyntaxError, MemoryError):
            continue
        if isinstance(value, bytes):
            more = " …" if is_cut or len(value) > SHOWN_BYTES else ""
            size = f"{len(value):,} bytes{' or more' if is_cut else ''}" if len(value) != 1 else "1 byte"
            return f"{size}: {value[:SHOWN_BYTES].hex(' ')}{more}" if value else "0 bytes"
    return ""
