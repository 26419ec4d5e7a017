"""The form of a new action: parsing what was typed, with what is wrong beside each field."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from console.actions.rules import DESTRUCTIVE, Kind, parse_rate
from console.actions.service import PASS_PERCENT, TRIAL_WAIT_S, Plan, check_plan
from console.errors import InvalidInput
from console.jobs.filters import Cursor, JobFilter, parse_time

TYPED = ("name", "rate", "trial", "pass_percent", "trial_wait_s", "stop_percent")
DEFAULTS = {"trial": 0, "pass_percent": PASS_PERCENT, "trial_wait_s": TRIAL_WAIT_S, "stop_percent": None}


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody filled in. `plan` is None when something is wrong; `errors` says what, by field."""

    plan: Plan | None
    errors: dict[str, str] = field(default_factory=dict)


def parse_kind(text: str) -> Kind:
    """What is to be done. Raises `InvalidInput`."""
    try:
        return Kind(text)
    except ValueError:
        raise InvalidInput(
            f"kind={text!r} is nothing that can be done. Use one of {', '.join(Kind)}.",
            [{"field": "kind", "message": f"Use one of {', '.join(Kind)}."}],
        ) from None


def parse(kind: Kind, wanted: JobFilter, given: MultiDict[str, str]) -> Filled:
    """The whole form, confirmation included."""
    errors: dict[str, str] = {}
    try:
        rate = parse_rate(given.get("rate", ""))
    except InvalidInput as error:
        rate, errors["rate"] = None, error.errors[0]["message"]
    numbers: dict[str, Any] = {name: _number(name, given, errors) for name in DEFAULTS} if kind is Kind.RETRY else {}
    if kind in DESTRUCTIVE and given.get("confirm", "").strip().lower() != kind:
        errors["confirm"] = f"Nothing was done: type {kind} to confirm."
    plan = Plan(kind, wanted, name=given.get("name", "").strip(), rate=rate)
    try:
        plan = replace(plan, **numbers)
        check_plan(plan)
    except InvalidInput as error:
        errors.setdefault(error.errors[0]["field"], error.errors[0]["message"])
    return Filled(None if errors else plan, errors)


def counted(wanted: JobFilter, given: MultiDict[str, str]) -> JobFilter:
    """The jobs that the page before had counted, and no others."""
    until = parse_time(given.get("counted_until", ""), "counted_until")
    before = min((at for at in (wanted.before, until) if at), default=None)
    return replace(wanted, before=before, back_to=Cursor.decode(given.get("counted_back_to", "")))


def fingerprint(given: MultiDict[str, str]) -> str:
    """What tells two forms with the same key apart."""
    said = sorted((name, value) for name, value in given.items(multi=True) if name not in ("csrf_token", "key"))
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _number(name: str, given: MultiDict[str, str], errors: dict[str, str]) -> int | None:
    text = given.get(name, "").strip()
    if not text:
        return DEFAULTS[name]
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        errors[name] = "Write a whole number."
        return DEFAULTS[name]
    return int(text)
