"""The conditions of a search in SQL, the same on both databases."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import reduce
from itertools import groupby, product
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Numeric, String, and_, cast, false, func, literal, or_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean

from console.jobs.filters import Condition
from console.jobs.models import JobStatus
from console.jobs.search.terms import STARTS_WITH
from console.jobs.search.values import duration_ms, is_number, path_of, whole_number

Test = Callable[[Condition], ColumnElement[bool]]

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda column, value: column == value,
    ">": lambda column, value: column > value,
    ">=": lambda column, value: column >= value,
    "<": lambda column, value: column < value,
    "<=": lambda column, value: column <= value,
}
_EACH = frozenset({"tag", "text"})
"""Keys of which every value must hold, not one of them."""
_PLACE = re.compile(r"[0-9]{1,9}")
"""A step that may be a place in a list."""
_PLAIN_STEP = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_ .@:-]+")


def sql_of(conditions: Iterable[Condition], columns: Any = JobStatus) -> list[ColumnElement[bool]]:
    """Each must hold. `columns`: whose `type` and `queue` are meant, of the counts for one."""
    found: list[ColumnElement[bool]] = []
    by_key = attrgetter("key")
    for key, same in groupby(sorted(conditions, key=by_key), by_key):
        asked = list(same)
        tests = [(one, _test(key, columns)(one)) for one in asked]
        one_of = [test for one, test in tests if _is_alternative(one)]
        found += [or_(*one_of)] if one_of else []
        found += [_is_not(test) if one.negated else test for one, test in tests if not _is_alternative(one)]
    return found


def _text(text: str) -> ColumnElement[bool]:
    """Where free text is looked for; `%` and `_` stand for themselves."""
    pattern = f"%{_escaped(text)}%"
    told = (JobStatus.error_type, JobStatus.error_message, JobStatus.payload, JobStatus.arguments)
    columns = (JobStatus.id, JobStatus.type, *told)
    return or_(*(column.ilike(pattern, escape="\\") for column in columns))


def _is_alternative(one: Condition) -> bool:
    return not one.negated and one.compare in ("=", STARTS_WITH) and one.key not in _EACH


def _is_not(test: ColumnElement[bool]) -> ColumnElement[bool]:
    """What is not known does not hold."""
    return ~func.coalesce(test, false(), type_=Boolean)


def _test(key: str, columns: Any) -> Test:
    if key.startswith("args."):
        return _argument
    tests: dict[str, Test] = {
        "text": lambda one: _text(one.value),
        "error": _error,
        "tag": _tag,
        "attempt": lambda one: _COMPARED[one.compare](JobStatus.attempts, whole_number(one.value)),
        "runtime": lambda one: _COMPARED[one.compare](JobStatus.runtime_ms, duration_ms(one.value)),
        "type": lambda one: _equals(columns.type, one),
        "queue": lambda one: _equals(columns.queue, one),
        "action": lambda one: _equals(JobStatus.action_id, one),
        "group": lambda one: _equals(JobStatus.fingerprint, one),
    }
    return tests.get(key) or (lambda one: _equals(getattr(JobStatus, key), one))


def _equals(column: Any, one: Condition) -> ColumnElement[bool]:
    """Upper and lower case differ: names do."""
    if one.compare == STARTS_WITH:
        return _begins(column, one.value)
    return _COMPARED["="](column, one.value)  # type: ignore[no-any-return]


def _begins(column: Any, value: str) -> ColumnElement[bool]:
    """Not LIKE, which on SQLite takes upper and lower case for the same."""
    return func.substr(column, 1, len(value)) == value


def _error(one: Condition) -> ColumnElement[bool]:
    """The class with or without its module, in any case: nobody remembers whether it is OSError or OsError."""
    end = "%" if one.compare == STARTS_WITH else ""
    value = _escaped(one.value) + end
    return or_(JobStatus.error_type.ilike(value, escape="\\"), JobStatus.error_type.ilike(f"%.{value}", escape="\\"))


def _tag(one: Condition) -> ColumnElement[bool]:
    """The list is JSON of ours; within a tag a quote has a backslash, so these are the beginnings of tags only."""
    value = json.dumps(one.value)
    value = value[:-1] if one.compare == STARTS_WITH else value
    return or_(*(_Holds(JobStatus.tags, literal(begin + value)) for begin in ("[", ", ", ",")))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")


def _argument(one: Condition) -> ColumnElement[bool]:
    """A value in the payload. A cheap look at the text leaves most payloads unparsed."""
    steps = path_of(one.key)
    there = or_(*(_value_is(one, place) for place in _places(steps)))
    return and_(*(_Holds(JobStatus.payload, literal(needle)) for needle in _needles(steps, one)), there)


def _value_is(one: Condition, place: tuple[str, str]) -> ColumnElement[bool]:
    told = (JobStatus.payload, *(literal(path, String) for path in place))
    if one.compare == STARTS_WITH:
        return _begins(_Scalar(*told), one.value)
    number = cast(literal(one.value, String), Numeric)
    if one.compare != "=":
        return _COMPARED[one.compare](_Number(*told), number)  # type: ignore[no-any-return]
    same = _Scalar(*told) == one.value
    return or_(same, _Number(*told) == number) if is_number(one.value) else same


def _needles(steps: tuple[str, ...], one: Condition) -> list[str]:
    """Texts that stand in every payload that matches, however it was written."""
    named = next((step for step in reversed(steps) if not _PLACE.fullmatch(step) and _PLAIN_STEP.fullmatch(step)), None)
    is_long = is_number(one.value) and (len(one.value) > 15 or "." in one.value)
    has_value = one.compare in ("=", STARTS_WITH) and not is_long and _PLAIN_VALUE.fullmatch(one.value)
    return [*([f'"{named}"'] if named else []), *([one.value] if has_value else [])]


def _places(steps: tuple[str, ...]) -> list[tuple[str, str]]:
    """The path for SQLite and the path for PostgreSQL. To SQLite a number is a place in a list, or a name: try both."""
    is_positional = _PLACE.fullmatch(steps[0])
    root = "args" if is_positional else "kwargs"
    for_postgresql = "{" + ",".join(f'"{step}"' for step in (root, *steps)) + "}"
    first = f"$.args[{int(steps[0])}]" if is_positional else f'$.kwargs."{steps[0]}"'
    choices = [[f"[{int(step)}]", f'."{step}"'] if _PLACE.fullmatch(step) else [f'."{step}"'] for step in steps[1:]]
    choices = choices if sum(len(one) - 1 for one in choices) <= 2 else [one[:1] for one in choices]
    return [(reduce(str.__add__, ways, first), for_postgresql) for ways in product(*choices)]


class _Holds(FunctionElement[bool]):
    """Whether a text stands in a column."""

    type = Boolean()
    inherit_cache = True


class _Scalar(FunctionElement[str]):
    """The text, number or truth at a place in JSON, as text; null when there is none or it is no JSON."""

    type = String()
    inherit_cache = True


class _Number(FunctionElement[Any]):
    """The number at a place in JSON; null when there is none."""

    type = Numeric()
    inherit_cache = True


def _parts(element: FunctionElement[Any], compiler: SQLCompiler, **more: Any) -> list[str]:
    return [compiler.process(clause, **more) for clause in element.clauses]


@compiles(_Holds, "sqlite")
def _holds_on_sqlite(element: _Holds, compiler: SQLCompiler, **more: Any) -> str:
    column, needle = _parts(element, compiler, **more)
    return f"(instr({column}, {needle}) > 0)"


@compiles(_Holds, "postgresql")
def _holds_on_postgresql(element: _Holds, compiler: SQLCompiler, **more: Any) -> str:
    column, needle = _parts(element, compiler, **more)
    return f"(strpos({column}, {needle}) > 0)"


@compiles(_Scalar, "sqlite")
def _scalar_on_sqlite(element: _Scalar, compiler: SQLCompiler, **more: Any) -> str:
    column, path, _ = element.clauses
    text, place = compiler.process(column, **more), compiler.process(path, **more)
    return (
        f"CASE WHEN json_valid({text}) THEN CASE json_type({text}, {place}) WHEN 'true' THEN 'true' "
        f"WHEN 'false' THEN 'false' WHEN 'null' THEN 'null' WHEN 'object' THEN NULL WHEN 'array' THEN NULL "
        f"ELSE CAST(json_extract({text}, {place}) AS TEXT) END END"
    )


@compiles(_Number, "sqlite")
def _number_on_sqlite(element: _Number, compiler: SQLCompiler, **more: Any) -> str:
    column, path, _ = element.clauses
    text, place = compiler.process(column, **more), compiler.process(path, **more)
    return (
        f"CASE WHEN json_valid({text}) THEN CASE WHEN json_type({text}, {place}) IN ('integer', 'real') "
        f"THEN json_extract({text}, {place}) END END"
    )


# PostgreSQL's JSON has no NUL and no half surrogates, which Python's may have: those payloads are not looked into.
@compiles(_Scalar, "postgresql")
def _scalar_on_postgresql(element: _Scalar, compiler: SQLCompiler, **more: Any) -> str:
    column, _, path = element.clauses
    text, place = compiler.process(column, **more), f"CAST({compiler.process(path, **more)} AS text[])"
    return (
        f"CASE WHEN pg_input_is_valid({text}, 'jsonb') THEN CASE jsonb_typeof({text}::jsonb #> {place}) "
        f"WHEN 'null' THEN 'null' WHEN 'object' THEN NULL WHEN 'array' THEN NULL "
        f"ELSE {text}::jsonb #>> {place} END END"
    )


@compiles(_Number, "postgresql")
def _number_on_postgresql(element: _Number, compiler: SQLCompiler, **more: Any) -> str:
    column, _, path = element.clauses
    text, place = compiler.process(column, **more), f"CAST({compiler.process(path, **more)} AS text[])"
    return (
        f"CASE WHEN pg_input_is_valid({text}, 'jsonb') THEN "
        f"CASE WHEN jsonb_typeof({text}::jsonb #> {place}) = 'number' THEN "
        f"CAST({text}::jsonb #>> {place} AS numeric) END END"
    )
