"""GET /api/v1/openapi.json, and that the API keeps to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console import db
from console.access import service
from console.access.rules import Role
from console.actions.rules import Kind
from console.actor import SYSTEM
from console.jobs.rules import FAILURES, State
from tests.api.conftest import Program
from tests.factories.actions import begin
from tests.factories.jobs import GREET, make_job

KEPT_TO = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
]
EXAMPLES = 8
"""Per operation, once with valid and once with invalid requests; on each kind of database."""


@pytest.fixture
def described(app: Flask) -> Any:
    response = app.test_client().get("/api/v1/openapi.json")
    assert response.status_code == 200
    return response.json


def test_is_open_to_anyone_and_of_version_3_1(described: Any) -> None:
    assert described["openapi"] == "3.1.0"
    assert described["info"]["title"] == "Celeriac"


def test_every_route_of_the_api_is_described(app: Flask, described: Any) -> None:
    routes = {
        (rule.rule.replace("<path:", "{").replace("<", "{").replace(">", "}"), method.lower())
        for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    found = {(path, method) for path, methods in described["paths"].items() for method in methods}
    assert found == routes - {("/api/v1/openapi.json", "get")}


def test_every_operation_names_its_permission_and_its_errors(described: Any) -> None:
    ids = set()
    for methods in described["paths"].values():
        for operation in methods.values():
            ids.add(operation["operationId"])
            assert operation["summary"]
            assert operation["security"][0]["token"]
            assert {"401", "403", "429", "503"} <= operation["responses"].keys()
    assert len(ids) == sum(len(methods) for methods in described["paths"].values())


def test_every_schema_is_valid_and_every_reference_leads_somewhere(described: Any) -> None:
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    for reference in _references(described):
        place: Any = described
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]


def test_answers_have_the_declared_shape(described: Any, admin: Program) -> None:
    with db.writing() as session:
        job_id = make_job(session).id
    for path, address in {"/jobs": "/jobs", "/jobs/{job_id}": f"/jobs/{job_id}", "/queues": "/queues"}.items():
        answer = described["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]
        schema = answer["content"]["application/json"]["schema"] | {"components": described["components"]}
        jsonschema.validate(admin.get(address).json, schema)


@pytest.mark.slow
def test_nothing_a_program_sends_breaks_it(setting: Callable[[str, str], None], app: Flask) -> None:
    """Valid and invalid requests made from the document: no answer is 5xx, and each has a declared status and shape."""
    import tasks  # noqa: F401  # an export is a job of a type of ours

    setting("CELERIAC_API_RATE", "100000/minute")
    with db.writing() as session:
        token = service.create_token(session, SYSTEM, "fuzz", Role.ADMIN)
        known = [make_job(session, state).id for state in State]
    actions = [begin(kind) for kind in Kind]
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    tried = []
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.append(operation.label)
        _fuzz(operation, {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}, known, actions)
    paths = app.test_client().get("/api/v1/openapi.json").json["paths"]
    assert len(tried) == sum(len(methods) for methods in paths.values())


def _fuzz(operation: Any, headers: dict[str, str], known: list[str], actions: list[str]) -> None:
    for mode in schemathesis.GenerationMode:

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(
            case=operation.as_strategy(generation_mode=mode), chosen=strategies.sampled_from([*known, None]),
            action=strategies.sampled_from(actions),
        )
        def call(case: Any, chosen: str | None, action: str) -> None:
            if chosen is not None:
                _make_it_likely(case, chosen, action)
            case.call_and_validate(headers=headers, checks=KEPT_TO)

        call()


def _make_it_likely(case: Any, job_id: str, action_id: str) -> None:
    """Words that are made up name no job and no type; with known ones the request gets past the first checks."""
    if "job_id" in (case.path_parameters or {}):
        case.path_parameters["job_id"] = job_id
    if "action_id" in (case.path_parameters or {}):
        case.path_parameters["action_id"] = action_id
    if not isinstance(case.body, dict):
        return
    if isinstance(case.body.get("type"), str):
        case.body |= {"type": GREET.name, "payload": {}}
    if isinstance(case.body.get("state"), list):
        case.body["state"] = [state.lower() for state in FAILURES]
    if isinstance(case.body.get("count"), int):
        case.body["count"] = min(case.body["count"], 3)


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []
