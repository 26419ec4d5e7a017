"""REST routes of deploy marks: `/api/v1/deploys…`."""

from __future__ import annotations

from flask import Blueprint

from console.access.rules import Permission
from console.deploys import queries, service
from console.deploys.schemas import DeployAnswer, DeployList, DeployRequest, DeploysQuery, Removed
from console.web import database
from console.web.permissions import current_actor, requires
from console.web.rest import endpoint

blueprint = Blueprint("deploys_api", __name__, url_prefix="/api/v1")


@blueprint.get("/deploys")
@requires(Permission.DEPLOYS_READ)
@endpoint(query=DeploysQuery, answer=DeployList)
def index(query: DeploysQuery) -> DeployList:
    """List deploys, newest first."""
    found = queries.list_deploys(database.session(), limit=query.limit)
    return DeployList(data=[DeployAnswer.model_validate(one) for one in found])


@blueprint.post("/deploys")
@requires(Permission.DEPLOYS_EDIT)
@endpoint(body=DeployRequest, answer=DeployAnswer, status=201)
def create(body: DeployRequest) -> DeployAnswer:
    """Mark that a version went live. Charts show it."""
    with database.transaction() as session:
        added = service.add_deploy(session, current_actor(), body.version, body.at, body.note)
        return DeployAnswer.model_validate(added)


@blueprint.delete("/deploys/<deploy_id>")
@requires(Permission.DEPLOYS_EDIT)
@endpoint(answer=Removed)
def destroy(deploy_id: str) -> Removed:
    """Take a deploy mark away that should not be there."""
    with database.transaction() as session:
        service.remove_deploy(session, current_actor(), deploy_id)
    return Removed(id=deploy_id)
