"""Errors under /api/ as problem details (RFC 9457): one shape, whatever went wrong."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, Any

import redis
from flask import Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from console.errors import CeleriacError, InvalidInput, Unavailable

API_PREFIX = "/api/"
METRICS_PATH = "/metrics"
"""Read by programs too, though it stands where Prometheus looks for it."""
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
UNREACHABLE = (OperationalError, InterfaceError, PoolTimeout, redis.ConnectionError, redis.TimeoutError)
"""What libraries raise when the database or the broker does not answer."""

_ADVICE = {
    404: "There is nothing at this address. What there is: /api/v1/openapi.json.",
    405: "This address does not take {method}. It takes {allowed}.",
    413: "The body is too large. Send less at once.",
    429: "Too many requests. Wait before the next one; Retry-After says how many seconds.",
}


class FieldProblem(BaseModel):
    """What is wrong with one field, parameter or header."""

    field: str
    message: str


class Problem(BaseModel):
    """An error. `type` says which kind for programs, `detail` what to do for people."""

    model_config = ConfigDict(extra="allow")

    type: Annotated[str, Field(examples=["urn:celeriac:problem:conflict"])]
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = Field(default_factory=list, description="One per field that is wrong.")


def is_api(request: Request) -> bool:
    """Whether whoever asks is a program and wants problem details instead of a page."""
    return request.path.startswith(API_PREFIX) or request.path == METRICS_PATH


def problem_response(error: Exception, request: Request) -> Response:
    """The error as a response. What is no error of ours, of HTTP or of a server that is away tells nothing but 500."""
    if isinstance(error, UNREACHABLE):
        error = Unavailable("The database or the broker does not answer. Try again in a few seconds.")
    if isinstance(error, CeleriacError):
        return _respond(error)
    if isinstance(error, HTTPException):
        return _respond_http(error, request)
    return _write("internal", "Something went wrong", 500, "It was logged. Try again, or tell whoever runs Celeriac.")


def _respond(error: CeleriacError) -> Response:
    extra: dict[str, Any] = dict(error.extra)
    if isinstance(error, InvalidInput) and error.errors:
        extra["errors"] = error.errors
    kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(error).__name__).lower()
    response = _write(kind, error.title, error.status, error.detail, **extra)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="celeriac"'
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _respond_http(error: HTTPException, request: Request) -> Response:
    status = error.code or 500
    headers = dict(error.get_headers(request.environ))
    advice = _ADVICE.get(status, "").format(method=request.method, allowed=headers.get("Allow", "nothing"))
    name = error.name.lower().replace(" ", "-").replace("'", "")
    response = _write(name, error.name, status, advice or error.description or error.name)
    for header in ("Allow", "Retry-After", "WWW-Authenticate"):
        if header in headers:
            response.headers[header] = headers[header]
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    return response


def _write(kind: str, title: str, status: int, detail: str, **extra: Any) -> Response:
    problem = Problem(type=f"urn:celeriac:problem:{kind}", title=title, status=status, detail=detail, **extra)
    return Response(problem.model_dump_json(exclude_unset=True), status, mimetype=MEDIA_TYPE)
