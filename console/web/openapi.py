"""The OpenAPI 3.1 document, made from the routes that `rest.endpoint` declared. No route is described twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Flask
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from werkzeug.routing import Rule

from console import __version__
from console.web.problems import MEDIA_TYPE, Problem
from console.web.rest import IDEMPOTENCY_KEY, Operation

VERSION = "3.1.0"
_REF = "#/components/schemas/{model}"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_WHEN = {
    400: "The body is not JSON.",
    401: "No valid token came with the request.",
    403: "The token may not do this; `permission` names what it lacks.",
    404: "There is no such thing.",
    409: "The state no longer allows this; `detail` says why.",
    413: "The body is too large.",
    415: "The body is not declared as JSON, or as a form where files are sent.",
    422: "Something in the request does not fit; `errors` names each field.",
    429: "Too many requests; Retry-After says for how long to wait.",
    503: "The database or the broker does not answer; Retry-After says when to try again.",
}

_ABOUT = """\
Jobs, queues and workers of Celery, as Celeriac sees them.

Send a token as `Authorization: Bearer TOKEN`; `celeriac tokens create` makes one. Each operation names the permission
that it needs. Lists are paged: pass the `next` of one page as `cursor` to get the following one; on the last page it
is null. Instants are ISO 8601 in UTC. Errors are problem details (RFC 9457).
"""


def document(app: Flask, prefix: str) -> dict[str, Any]:
    """The document of every declared route whose address begins with `prefix`."""
    routes = sorted(_routes(app, prefix), key=lambda route: (route[0].rule, route[1]))
    schemas = _schemas([operation for _, _, operation, _ in routes])
    paths: dict[str, dict[str, Any]] = {}
    for rule, method, operation, permission in routes:
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        paths.setdefault(path, {})[method.lower()] = _describe(rule, operation, permission, schemas)
    return {
        "openapi": VERSION,
        "info": {
            "title": "Celeriac", "version": __version__, "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {str(status): _problem(status, schemas) for status in _WHEN},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token."}},
        },
    }


def _routes(app: Flask, prefix: str) -> Iterator[tuple[Rule, str, Operation, str | None]]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        operation = getattr(view, "operation", None)
        if operation is not None and rule.rule.startswith(prefix):
            for method in sorted((rule.methods or set()) & set(_METHODS)):
                yield rule, method, operation, getattr(view, "permission", None)


class _Schemas:
    """JSON schemas of the models, each under a name of its own, and references to them."""

    def __init__(self, wanted: list[tuple[type[BaseModel], JsonSchemaMode]]) -> None:
        refs, made = models_json_schema(wanted, ref_template=_REF)
        self._refs = refs
        self.components: dict[str, Any] = made.get("$defs", {})

    def ref(self, model: type[BaseModel], mode: JsonSchemaMode) -> dict[str, Any]:
        """A reference to the model's schema."""
        return dict(self._refs[model, mode])

    def resolved(self, model: type[BaseModel]) -> dict[str, Any]:
        """The schema itself of what is sent."""
        found: dict[str, Any] = self.components[self.ref(model, "validation")["$ref"].rpartition("/")[2]]
        return found


def _schemas(operations: list[Operation]) -> _Schemas:
    wanted: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for operation in operations:
        wanted[operation.answer, "serialization"] = None
        for model in (operation.query, operation.body):
            if model is not None:
                wanted[model, "validation"] = None
    return _Schemas(list(wanted))


def _describe(rule: Rule, operation: Operation, permission: str | None, schemas: _Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": operation.summary,
        "tags": [rule.rule.split("/")[3]],
        "security": [{"token": [permission]}] if permission else [],
        "parameters": [*_path_parameters(rule), *_query_parameters(operation, schemas), *_headers(operation)],
        "responses": _responses(rule, operation, permission, schemas),
    }
    if operation.description:
        told["description"] = operation.description
    if operation.body is not None:
        content = {"application/json": {"schema": schemas.ref(operation.body, "validation")}}
        told["requestBody"] = {"required": True, "content": content}
    if operation.files:
        told["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": _form(operation.files)}}}
    return told


def _form(field: str) -> dict[str, Any]:
    """A form that sends one file or several under one name."""
    file = {"type": "string", "format": "binary"}
    return {
        "type": "object", "required": [field], "additionalProperties": False,
        "properties": {field: {"type": "array", "minItems": 1, "items": file}},
    }


def _path_parameters(rule: Rule) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in sorted(rule.arguments)]


def _query_parameters(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    schema = schemas.resolved(operation.query)
    return [
        {
            "name": name, "in": "query", "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": {key: value for key, value in field.items() if key != "description"},
        }
        for name, field in schema["properties"].items()
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if not operation.idempotent:
        return []
    said = "The same key within 24 hours does the work once and gives the first answer again. Use a UUID per request."
    schema = {"type": "string", "pattern": f"^{IDEMPOTENCY_KEY}$"}
    return [{"name": "Idempotency-Key", "in": "header", "required": False, "description": said, "schema": schema}]


def _responses(rule: Rule, operation: Operation, permission: str | None, schemas: _Schemas) -> dict[str, Any]:
    statuses = {*operation.errors, 429, 503}
    if permission:
        statuses |= {401, 403}
    if rule.arguments:
        statuses |= {404}
    if operation.query is not None or operation.body is not None or operation.idempotent:
        statuses |= {422}
    if operation.body is not None:
        statuses |= {400, 413, 415}
    if operation.files:
        statuses |= {413, 415, 422}
    content = {"application/json": {"schema": schemas.ref(operation.answer, "serialization")}}
    good = {
        str(status): {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({operation.status, *operation.other_statuses})
    }
    return good | {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def _problem(status: int, schemas: _Schemas) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": schemas.ref(Problem, "serialization")}}
    return {"description": _WHEN[status], "content": content}
