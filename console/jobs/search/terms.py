"""The words of a search: `-key:>value`, `key:"a value"*`, free text. How they are read and written; not what they mean.

`read(write(terms)) == terms`, and `read` raises nothing but `InvalidInput`, whatever it is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from console.errors import InvalidInput

MAX_TEXT = 2_000
MAX_TERMS = 40
MAX_VALUE = 255
STARTS_WITH = "^"
"""The compare of `key:value*`."""
COMPARES = (">=", "<=", ">", "<")

_KEY = re.compile(r"([A-Za-z_]+(?:\.[^\s:\"]+)?):")
_NOT_ONE_LINE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a search. `key` is empty for free text; `at` is its place in what was typed, from 1."""

    key: str
    value: str
    compare: str = "="
    negated: bool = False
    at: int = field(default=0, compare=False)

    def __str__(self) -> str:
        begin, end = ("-" if self.negated else ""), ("*" if self.compare == STARTS_WITH else "")
        compare = self.compare if self.compare in COMPARES else ""
        return f"{begin}{self.key + ':' if self.key else ''}{compare}{self._quoted()}{end}"

    def _quoted(self) -> str:
        bare = bool(self.value) and not re.search(r"\s", self.value) and not self.value.startswith(('"', ">", "<"))
        if bare and self.compare != STARTS_WITH:
            bare = not self.value.endswith("*")
        if bare and not self.key:
            bare = not self.value.startswith("-") and not _KEY.match(self.value)
        return self.value if bare else '"' + self.value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def wrong(message: str, at: int = 0) -> InvalidInput:
    """What is said of a search that cannot be understood."""
    place = f"Character {at}: " if at else ""
    return InvalidInput(f"{place}{message}", [{"field": "q", "message": f"{place}{message}"}])


def write(terms: Iterable[Term]) -> str:
    """The terms as one types them."""
    return " ".join(map(str, terms))


def read(text: str) -> tuple[Term, ...]:
    """The terms of what was typed. Raises `InvalidInput` naming the place."""
    if len(text) > MAX_TEXT:
        raise wrong(f"The search is longer than {MAX_TEXT:,} characters. Make it shorter.")
    if found := _NOT_ONE_LINE.search(text.strip()):
        raise wrong("A search is one line of plain text. Remove the control character.", found.start() + 1)
    terms: list[Term] = []
    place = 0
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text):
            return tuple(terms)
        if len(terms) == MAX_TERMS:
            raise wrong(f"A search has at most {MAX_TERMS} conditions. Leave some out.", place + 1)
        term, place = _term(text, place)
        terms.append(term)


def read_value(key: str, text: str) -> Term:
    """What stands behind a key, typed into a field of its own: blanks need no quotes there."""
    text = text.strip()
    negated = text.startswith("-") and len(text) > 1 and not _is_number(text)
    bare = text[1:] if negated else text
    compare = next((sign for sign in COMPARES if bare.startswith(sign)), "=")
    value = bare.removeprefix(compare).strip()
    if compare == "=" and len(value) > 1 and value.endswith("*"):
        compare, value = STARTS_WITH, value[:-1]
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        value = value[1:-1]
    if _NOT_ONE_LINE.search(value):
        raise wrong(f"{key} has to be one line of plain text.")
    return _checked(Term(key, value, compare, negated))


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-[0-9]+(\.[0-9]+)?", text) is not None


def _term(text: str, start: int) -> tuple[Term, int]:
    negated = text[start] == "-" and start + 1 < len(text) and not text[start + 1].isspace()
    place = start + negated
    key = _KEY.match(text, place)
    place = key.end() if key else place
    compare = next((sign for sign in COMPARES if key and text.startswith(sign, place)), "=")
    place += len(compare) if compare != "=" else 0
    value, end, has_star = _quoted(text, place) if text.startswith('"', place) else _bare(text, place, bool(key))
    if has_star and compare == "=":
        compare = STARTS_WITH
    name = key.group(1) if key else ""
    head, dot, rest = name.partition(".")
    return _checked(Term(head.lower() + dot + rest, value, compare, negated, start + 1)), end


def _quoted(text: str, place: int) -> tuple[str, int, bool]:
    value, at = [], place + 1
    while at < len(text) and text[at] != '"':
        at += text[at] == "\\" and text[at + 1 : at + 2] in ('"', "\\") and at + 1 < len(text)
        value.append(text[at])
        at += 1
    if at >= len(text):
        raise wrong('The quote is not closed. Put a " behind the value.', place + 1)
    has_star = text.startswith("*", at + 1)
    end = at + 1 + has_star
    if end < len(text) and not text[end].isspace():
        raise wrong("A blank is missing behind the quote.", end + 1)
    return "".join(value), end, has_star


def _bare(text: str, place: int, has_key: bool) -> tuple[str, int, bool]:
    end = place
    while end < len(text) and not text[end].isspace():
        end += 1
    value = text[place:end]
    has_star = has_key and len(value) > 1 and value.endswith("*")
    return value.removesuffix("*") if has_star else value, end, has_star


def _checked(term: Term) -> Term:
    if len(term.value) > MAX_VALUE:
        raise wrong(f"A value has at most {MAX_VALUE} characters. Make it shorter.", term.at)
    if not term.value and not term.key.startswith("args."):
        place = f"Behind {term.key}:" if term.key else "Between the quotes"
        raise wrong(f"{place} comes what to look for. Write it, or leave the word out.", term.at)
    return term
