"""REST routes of failure groups: `/api/v1/failures…`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint

from console.access.rules import Permission
from console.deploys.queries import deploy_before
from console.failures import queries, service
from console.failures.schemas import (
    AssigneeRequest,
    DeployMark,
    GroupAnswer,
    GroupDetail,
    GroupList,
    GroupsQuery,
    IgnoreRequest,
    MatrixAnswer,
    MatrixQuery,
    NoteRequest,
    RunbookRequest,
    Seen,
    group_answer,
    group_detail,
    group_list,
    matrix_answer,
)
from console.web import database
from console.web.permissions import current_actor, requires
from console.web.rest import endpoint

blueprint = Blueprint("failures_api", __name__, url_prefix="/api/v1")


@blueprint.get("/failures")
@requires(Permission.FAILURES_READ)
@endpoint(query=GroupsQuery, answer=GroupList)
def index(query: GroupsQuery) -> GroupList:
    """List failure groups."""
    return group_list(
        queries.list_groups(database.session(), query.filter(), query.sort, query.page, query.limit)
    )


@blueprint.get("/failures/matrix")
@requires(Permission.FAILURES_READ)
@endpoint(query=MatrixQuery, answer=MatrixAnswer)
def matrix_show(query: MatrixQuery) -> MatrixAnswer:
    """Count failed jobs by type and age."""
    return matrix_answer(queries.matrix(database.session(), open_only=query.open))


@blueprint.get("/failures/<fingerprint>")
@requires(Permission.FAILURES_READ)
@endpoint(answer=GroupDetail)
def show(fingerprint: str) -> GroupDetail:
    """Show a failure group and what its failures have in common."""
    session = database.session()
    group = queries.get_group(session, fingerprint)
    deploy = deploy_before(session, group.first_seen_at)
    mark = None if deploy is None else DeployMark(version=deploy.version, at=deploy.at)
    return group_detail(
        group, queries.latest_job(session, fingerprint), queries.alike(session, fingerprint), mark
    )


@blueprint.post("/failures/<fingerprint>/resolution")
@requires(Permission.FAILURES_RESOLVE)
@endpoint(body=Seen, answer=GroupAnswer, errors=(409,))
def resolution_create(fingerprint: str, body: Seen) -> GroupAnswer:
    """Resolve a failure group. It opens again by itself when it comes back."""
    return _changed(service.resolve_group, fingerprint, expected=body.version)


@blueprint.post("/failures/<fingerprint>/reopening")
@requires(Permission.FAILURES_RESOLVE)
@endpoint(body=Seen, answer=GroupAnswer, errors=(409,))
def reopening_create(fingerprint: str, body: Seen) -> GroupAnswer:
    """Open a resolved or ignored failure group again."""
    return _changed(service.reopen_group, fingerprint, expected=body.version)


@blueprint.post("/failures/<fingerprint>/ignoring")
@requires(Permission.FAILURES_IGNORE)
@endpoint(body=IgnoreRequest, answer=GroupAnswer, errors=(409,))
def ignoring_create(fingerprint: str, body: IgnoreRequest) -> GroupAnswer:
    """Ignore a failure group until a time, so many more failures, or a rate."""
    return _changed(service.ignore_group, fingerprint, body.ignore(), expected=body.version)


@blueprint.put("/failures/<fingerprint>/assignee")
@requires(Permission.FAILURES_ASSIGN)
@endpoint(body=AssigneeRequest, answer=GroupAnswer, errors=(409,))
def assignee_update(fingerprint: str, body: AssigneeRequest) -> GroupAnswer:
    """Say who looks after a failure group."""
    return _changed(service.assign_group, fingerprint, body.assignee, expected=body.version)


@blueprint.put("/failures/<fingerprint>/note")
@requires(Permission.FAILURES_NOTE)
@endpoint(body=NoteRequest, answer=GroupAnswer, errors=(409,))
def note_update(fingerprint: str, body: NoteRequest) -> GroupAnswer:
    """Note what the next one who looks at a failure group should know."""
    return _changed(service.note_group, fingerprint, body.note, expected=body.version)


@blueprint.put("/failures/<fingerprint>/runbook")
@requires(Permission.FAILURES_NOTE)
@endpoint(body=RunbookRequest, answer=GroupAnswer, errors=(409,))
def runbook_update(fingerprint: str, body: RunbookRequest) -> GroupAnswer:
    """Link what is written about a failure group."""
    return _changed(service.link_runbook, fingerprint, body.runbook, expected=body.version)


def _changed(verb: Callable[..., Any], fingerprint: str, *given: Any, expected: int | None) -> GroupAnswer:
    with database.transaction() as session:
        verb(session, current_actor(), fingerprint, *given, expected=expected)
        return group_answer(queries.get_group(session, fingerprint))
