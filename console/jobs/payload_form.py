"""A payload as a form: the fields of its job type with what is typed into them, or JSON. One turns into the other.

Nothing gets lost on the way: a field that cannot show its value holds it as JSON, and a payload with something that
there is no field for stays JSON. What is sensitive is never in a form: it reads `[hidden]`, and left so it stays.

In a form, `payload.items.0.sku` is a value; a key with a colon tells how to read one: `…:json` is typed as JSON,
`…:was` says that a box, a list or a secret was shown, and what stood there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from console.errors import InvalidInput
from console.jobs.payload_fields import PayloadField, fields_of
from console.jobs.redaction import HIDDEN
from console.jobs.registry import known
from console.jobs.tree import written

PREFIX = "payload"
KIND = "payload-type"
RESHAPE = "reshape"
AS_JSON, AS_WAS = ":json", ":was"
GIVEN = "given"
MOST_ROWS = 50
MOST_FIELDS = 400
NUMBERS = frozenset({"integer", "number"})
EXPECTED = {
    "integer": "Type a whole number.", "number": "Type a number.", "json": "Type JSON, such as [] or {}.",
    "choice": "Choose one of those in the list.",
}  # fmt: skip
_LEFT_OUT = object()
_NOT_IN_HTML = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Characters that a browser does not send back as they came."""

Problem = dict[str, str]


@dataclass(frozen=True, slots=True)
class PayloadForm:
    """What a form holds: `typed` into `fields`, or `text`, which is JSON. `why_json`: for people.

    `is_known`: there are fields for its job type, were they none.
    """

    kind: str
    fields: tuple[PayloadField, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)
    text: str = "{}"
    is_json: bool = False
    is_known: bool = False
    why_json: str = ""

    def rows(self, key: str) -> list[int]:
        """The places of a list that something is typed into."""
        return rows_of(self.typed, key)


def form_of(kind: str, payload: Mapping[str, Any], *, wants_json: bool = False) -> PayloadForm:
    """A payload, to be changed; without its secrets, which the caller has hidden."""
    job_type = known(kind)
    fields = fields_of(job_type) if job_type else ()
    unknown = sorted(payload.keys() - {one.name for one in fields})
    typed: dict[str, str] = {}
    if job_type and not wants_json and not unknown:
        for one in fields:
            _show(one, f"{PREFIX}.{one.name}", payload.get(one.name, _LEFT_OUT), typed)
        if len(typed) <= MOST_FIELDS:
            return PayloadForm(kind, fields, typed, is_known=True)
    why = ""
    if job_type and not wants_json:
        why = f"There is no field for {written(', '.join(unknown)[:100])}." if unknown else "It is too much for a form."
    text = as_json(payload)
    return PayloadForm(kind, fields, text=text, is_json=True, is_known=job_type is not None, why_json=why)


def typed_form(kind: str, typed: Mapping[str, str]) -> PayloadForm:
    """What was sent, for that job type."""
    job_type = known(kind)
    fields = fields_of(job_type) if job_type else ()
    if job_type is None or PREFIX in typed:
        text = typed.get(PREFIX, "{}")
        return PayloadForm(kind, fields, text=text, is_json=True, is_known=job_type is not None)
    mine = {key: text for key, text in typed.items() if key.startswith(f"{PREFIX}.")}
    return PayloadForm(kind, fields, mine, is_known=True)


def read_payload(form: PayloadForm) -> tuple[dict[str, Any], list[Problem]]:
    """The payload that was typed, not validated yet, and each field that cannot be read."""
    problems: list[Problem] = []
    if form.is_json:
        return _parsed(form.text, problems), problems
    return _group(form.fields, PREFIX, form.typed, problems), problems


def payload_of(form: PayloadForm) -> dict[str, Any]:
    """The payload that was typed, not validated yet. Raises `InvalidInput` naming each field that cannot be read."""
    payload, problems = read_payload(form)
    if problems:
        raise InvalidInput("Something does not fit.", problems)
    return payload


def form_again(kind: str, typed: Mapping[str, str]) -> tuple[PayloadForm, dict[str, list[str]]]:
    """What was sent as it is to be shown again, changed as somebody asked (`RESHAPE`), and what hinders that."""
    try:
        return reshaped(kind, typed), {}
    except InvalidInput as error:
        form = typed_form(kind, typed)
        return form, wrong_in(form, error.errors)


def reshaped(kind: str, typed: Mapping[str, str]) -> PayloadForm:
    """The form after somebody asked for another row, for fields, for JSON, or for another job type (`RESHAPE`).

    Raises `InvalidInput` when what is typed as JSON cannot be read and so cannot become fields.
    """
    wish, _, place = typed.get(RESHAPE, "").partition(":")
    now = typed_form(typed.get(KIND, kind), typed)
    if wish == "json":
        return form_of(kind, _as_typed(now), wants_json=True)
    if wish == "fields" and now.is_json:
        return form_of(kind, payload_of(now))
    if now.kind != kind:
        return _retyped(now, kind)
    if wish in ("add", "remove") and not now.is_json:
        return replace(now, typed=_one_more(now, place) if wish == "add" else _one_less(now, place))
    return now


def wrong_in(form: PayloadForm, problems: Iterable[Problem]) -> dict[str, list[str]]:
    """What is wrong with the payload, each at the field that comes nearest; what has none, at `payload`."""
    shown = {PREFIX} if form.is_json else {at for at, _ in _each(form.fields, PREFIX, form)}
    found: dict[str, list[str]] = {}
    for one in problems:
        at = one["field"]
        while at and at not in shown:
            at = at.rpartition(".")[0]
        rest = one["field"].removeprefix(at or PREFIX).strip(".")
        said = one["message"].removeprefix("Value error, ")
        found.setdefault(at or PREFIX, []).append(f"{rest}: {said}" if rest else said)
    return found


def rows_of(typed: Mapping[str, str], key: str) -> list[int]:
    """The places of a list that something is typed into, as the form numbers them."""
    start = f"{key}."
    found = {name[len(start) :].partition(".")[0] for name in typed if name.startswith(start)}
    return sorted({int(one) for one in found if one.isascii() and one.isdigit() and len(one) < 7})[:MOST_ROWS]


def as_json(payload: Any) -> str:
    """As it is typed."""
    return written(json.dumps(payload, indent=2, ensure_ascii=False))


def _parsed(text: str, problems: list[Problem]) -> dict[str, Any]:
    try:
        payload = json.loads(text.strip() or "{}")
    except (ValueError, RecursionError) as error:
        problems.append({"field": PREFIX, "message": f"This is not JSON: {error}."})
        return {}
    if not isinstance(payload, dict):
        problems.append({"field": PREFIX, "message": 'Write an object: {"name": value, …}.'})
        return {}
    return payload


def _as_typed(form: PayloadForm) -> dict[str, Any]:
    """The same, where what cannot be read stays as it was typed."""
    if form.is_json:
        return payload_of(form)
    return _group(form.fields, PREFIX, form.typed, None)


def _retyped(form: PayloadForm, kind: str) -> PayloadForm:
    """For another job type: of fields, those that it has too; JSON stays, unless it is empty."""
    if form.is_json:
        is_blank = form.text.strip() in ("", "{}")
        return form_of(kind, {}) if is_blank else typed_form(kind, {PREFIX: form.text})
    job_type, payload = known(kind), _as_typed(form)
    names = {one.name for one in fields_of(job_type)} if job_type else set(payload)
    return form_of(kind, {name: value for name, value in payload.items() if name in names})


def _one_more(form: PayloadForm, key: str) -> dict[str, str]:
    wanted = next((one for at, one in _each(form.fields, PREFIX, form) if at == key and one.kind == "list"), None)
    rows = form.rows(key)
    if wanted is None or len(rows) >= MOST_ROWS:
        return dict(form.typed)
    place = f"{key}.{rows[-1] + 1 if rows else 0}"
    return {**form.typed, place: "", f"{key}{AS_WAS}": GIVEN}


def _one_less(form: PayloadForm, key: str) -> dict[str, str]:
    gone = (key, f"{key}{AS_JSON}", f"{key}{AS_WAS}")
    kept = {name: text for name, text in form.typed.items() if name not in gone and not name.startswith(f"{key}.")}
    return {**kept, f"{key.rpartition('.')[0]}{AS_WAS}": GIVEN}


def _each(fields: Iterable[PayloadField], key: str, form: PayloadForm) -> Iterable[tuple[str, PayloadField]]:
    """All fields that are shown, those of groups and rows too, with their keys."""
    for one in fields:
        at = f"{key}.{one.name}"
        yield at, one
        yield from _each(one.fields, at, form)
        if one.item is not None:
            for row in form.rows(at):
                yield f"{at}.{row}", one.item
                yield from _each(one.item.fields, f"{at}.{row}", form)


def _group(
    fields: Iterable[PayloadField], key: str, typed: Mapping[str, str], problems: list[Problem] | None
) -> dict[str, Any]:
    """What is typed into some fields. `problems`: gets what cannot be read; None: that is taken as it stands."""
    found = ((one.name, _read(one, f"{key}.{one.name}", typed, problems)) for one in fields)
    return {name: value for name, value in found if value is not _LEFT_OUT}


def _read(one: PayloadField, key: str, typed: Mapping[str, str], problems: list[Problem] | None) -> Any:
    text = typed.get(key, "")
    if f"{key}{AS_JSON}" in typed:
        return _value(one, "json", key, typed[f"{key}{AS_JSON}"], problems)
    if one.kind == "boolean":
        return _tick(one, key, typed)
    if one.kind == "group":
        return _group(one.fields, key, typed, problems) if one.required or text else _LEFT_OUT
    if one.kind == "list" and one.item is not None:
        rows = [_read(one.item, f"{key}.{row}", typed, problems) for row in rows_of(typed, key)]
        values = [value for value in rows if value is not _LEFT_OUT]
        return values if values or one.required or typed.get(f"{key}{AS_WAS}") == GIVEN else _LEFT_OUT
    if one.is_secret and not text.strip() and typed.get(f"{key}{AS_WAS}") == HIDDEN:
        return HIDDEN
    return _value(one, one.kind, key, text, problems)


def _tick(one: PayloadField, key: str, typed: Mapping[str, str]) -> Any:
    """A box that nobody was shown says nothing; one that stands at its default as it did without a value, neither."""
    is_ticked, was = key in typed, typed.get(f"{key}{AS_WAS}")
    if one.required or was == GIVEN:
        return is_ticked
    says_nothing = is_ticked == one.is_ticked or (was is None and not is_ticked)
    return _LEFT_OUT if says_nothing else is_ticked


def _value(one: PayloadField, kind: str, key: str, text: str, problems: list[Problem] | None) -> Any:
    if not text.strip():
        if one.required and one.name and problems is not None:
            problems.append({"field": key, "message": "Fill this in."})
        return _LEFT_OUT
    try:
        return _told(one, kind, text)
    except (ValueError, RecursionError, KeyError):
        if problems is None:
            return text
        problems.append({"field": key, "message": EXPECTED[kind]})
        return _LEFT_OUT


def _told(one: PayloadField, kind: str, text: str) -> Any:
    if kind == "json":
        return json.loads(text)
    if kind == "choice":
        return one.choices[text]
    if kind not in NUMBERS:
        return text.replace("\r\n", "\n")
    try:
        return int(text)
    except ValueError:
        if kind == "integer" or not isfinite(number := float(text)):
            raise
        return number


def _show(one: PayloadField, key: str, value: Any, typed: dict[str, str]) -> None:
    """Types a value into its field; as JSON, when the field cannot show it."""
    mine: dict[str, str] = {}
    if value is _LEFT_OUT or (value is None and one.has_null_default):
        mine = {f"{key}{AS_WAS}": ""} if one.kind in ("boolean", "list") else {}
        mine |= {key: "1"} if one.kind == "boolean" and one.is_ticked else {}
    elif not _fits(one, key, value, mine):
        mine = {f"{key}{AS_JSON}": as_json(value)}
    typed.update(mine)


def _fits(one: PayloadField, key: str, value: Any, typed: dict[str, str]) -> bool:
    """Types it, and tells whether reading it gives the same again."""
    if one.kind == "group":
        if not isinstance(value, dict) or value.keys() - {inner.name for inner in one.fields}:
            return False
        typed[key] = GIVEN
        for inner in one.fields:
            _show(inner, f"{key}.{inner.name}", value.get(inner.name, _LEFT_OUT), typed)
        return True
    if one.kind == "list" and one.item is not None:
        typed[f"{key}{AS_WAS}"] = GIVEN
        is_list = isinstance(value, list) and len(value) <= MOST_ROWS
        return is_list and all(_fits(one.item, f"{key}.{row}", item, typed) for row, item in enumerate(value))
    return _is_same(one, key, value, typed)


def _is_same(one: PayloadField, key: str, value: Any, typed: dict[str, str]) -> bool:
    if one.is_secret and value == HIDDEN:
        typed[f"{key}{AS_WAS}"] = HIDDEN
    elif one.kind == "boolean":
        typed |= {f"{key}{AS_WAS}": GIVEN} | ({key: "1"} if value is True else {})
    elif one.kind == "choice":
        typed[key] = next((text for text, meant in one.choices.items() if meant is value or meant == value), "")
    else:
        typed[key] = value if isinstance(value, str) and one.kind != "json" else as_json(value)
    read = _read(one, key, typed, [])
    is_plain = _NOT_IN_HTML.search(typed.get(key, "")) is None
    return is_plain and read is not _LEFT_OUT and json.dumps(read) == json.dumps(value)
