"""What every REST route is made of: typed requests and answers, and errors as problem details (RFC 9457).

A route is declared with `endpoint`. What it takes and gives are pydantic models, and the OpenAPI document is
made from the same declaration (`console.web.openapi`), so the two cannot drift apart.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar, get_origin

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, StringConstraints, ValidationError, WithJsonSchema
from pydantic_core import PydanticSerializationError, from_json
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from console.errors import InvalidInput, NotFound

ModelT = TypeVar("ModelT", bound="Input")
Said = dict[str, str]
IDEMPOTENCY_KEY = r"[\x21-\x7e]{1,255}"
"""What may stand in the header: visible ASCII."""

Line = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A text of one line: PostgreSQL cannot keep NUL, and nobody searches for control characters."""

Instant = Annotated[
    datetime,
    PlainSerializer(lambda at: at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-01T12:00:00.000Z"]}),
]
"""An instant as the API writes it: ISO 8601, UTC, milliseconds."""


class Input(BaseModel):
    """What a client sends. A field that is not known is refused, so that a misspelt one cannot pass unnoticed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Output(BaseModel):
    """What a client gets; made from the frozen dataclasses that queries return."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


class PageQuery(Input):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=500, description="How many at most.")] = 50
    cursor: Annotated[Line, Field(description="The `next` of the page before; empty for the first page.")] = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that is not simply a model with the declared status."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """What a route takes and gives. `errors` are statuses beyond those that follow from the rest.

    `files`: the form field in which it takes files, instead of a body in JSON.
    """

    summary: str
    description: str
    answer: type[BaseModel]
    status: int
    query: type[Input] | None
    body: type[Input] | None
    idempotent: bool
    errors: tuple[int, ...]
    other_statuses: tuple[int, ...]
    files: str


def endpoint(
    *, answer: type[BaseModel], status: int = 200, query: type[ModelT] | None = None, body: type[ModelT] | None = None,
    idempotent: bool = False, errors: tuple[int, ...] = (), other_statuses: tuple[int, ...] = (), files: str = "",
) -> Callable[[Callable[..., BaseModel | Answer]], Callable[..., Response]]:
    """Declares a REST route: parses `query` and `body` into arguments of these names and writes the answer.

    The first sentence of the docstring is the summary of the operation, the rest its description.
    `idempotent`: it heeds the Idempotency-Key header. `other_statuses`: successes of the same shape.
    """

    def declare(view: Callable[..., BaseModel | Answer]) -> Callable[..., Response]:
        @functools.wraps(view)
        def respond(**path: str) -> Response:
            _check_path(path)
            given: dict[str, Any] = dict(path)
            if query is not None:
                given["query"] = parse_query(query)
            if body is not None:
                given["body"] = parse_body(body)
            return _response(view(**given), status)

        summary, _, description = (view.__doc__ or "").partition("\n")
        respond.operation = Operation(  # type: ignore[attr-defined]
            summary.strip().rstrip("."), " ".join(description.split()), answer, status, query, body, idempotent, errors,
            other_statuses, files,
        )
        return respond

    return declare


def parse_query(model: type[ModelT]) -> ModelT:
    """The query string as the model. Raises `InvalidInput` naming each parameter that is unknown or does not fit."""
    given: dict[str, Any] = {}
    repeated = []
    for name, values in request.args.lists():
        known = model.model_fields.get(name)
        if known is not None and get_origin(known.annotation) is list:
            given[name] = values
        else:
            given[name] = values[-1]
            repeated += [name] if len(values) > 1 else []
    if repeated:
        raise _invalid([{"field": name, "message": "May be given once only."} for name in repeated])
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _invalid(_problems(error, model)) from None


def parse_body(model: type[ModelT]) -> ModelT:
    """The JSON body as the model. Raises `InvalidInput` naming each field that is unknown or does not fit.

    Types are not guessed: "5" is no number. Not JSON at all: werkzeug's 415 and 400.
    """
    if not request.is_json:
        raise UnsupportedMediaType("Send JSON, with the header Content-Type: application/json.")
    data = request.get_data(cache=False)
    try:
        from_json(data, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"The body is not JSON that can be read: {error}.") from None
    try:
        return model.model_validate_json(data, strict=True)
    except ValidationError as error:
        raise _invalid(_problems(error, model)) from None


def idempotency_key() -> str | None:
    """The request's Idempotency-Key. Raises `InvalidInput` when it cannot be one."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(IDEMPOTENCY_KEY, key):
        raise _invalid([{"field": "Idempotency-Key", "message": "Use 1 to 255 visible ASCII characters: a UUID."}])
    return key


def idempotent_key(text: str) -> str:
    """The key that a form of ours carries; empty for anything that cannot be one."""
    return text if re.fullmatch(IDEMPOTENCY_KEY, text) else ""


def request_hash(body: BaseModel | None) -> str:
    """What tells two requests with the same Idempotency-Key apart: method, path and body (not how it was spaced)."""
    said = f"{request.method} {request.path}\n{'' if body is None else body.model_dump_json()}"
    return hashlib.sha256(said.encode()).hexdigest()


def _response(answer: BaseModel | Answer, status: int) -> Response:
    if isinstance(answer, BaseModel):
        return Response(_json_of(answer), status, mimetype="application/json")
    return Response(answer.body, answer.status, answer.headers, mimetype="application/json")


def _json_of(answer: BaseModel) -> str:
    """As JSON; with escapes where a payload has half of a pair of surrogates, which UTF-8 cannot spell."""
    try:
        return answer.model_dump_json()
    except PydanticSerializationError:
        return json.dumps(answer.model_dump(mode="json"))


def _check_path(path: dict[str, str]) -> None:
    """Nothing is called by a name with control characters; asking the database for it would be an error there."""
    for value in path.values():
        if not value.isprintable():
            raise NotFound(f"There is nothing called {value!r}.")


def _invalid(problems: list[Said]) -> InvalidInput:
    return InvalidInput(" ".join(f"{problem['field']}: {problem['message']}" for problem in problems), problems)


def _problems(error: ValidationError, model: type[BaseModel]) -> list[Said]:
    """One entry per field that does not fit; for an unknown one, what is known."""
    found = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        message = f"{item['msg'].removeprefix('Value error, ')}."
        if item["type"] == "extra_forbidden":
            message = f"Is not known. Known: {', '.join(model.model_fields)}."
        found.append({"field": ".".join(map(str, item["loc"])) or "body", "message": message})
    return found
