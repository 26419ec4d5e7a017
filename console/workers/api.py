"""REST route of workers: `/api/v1/workers`."""

from __future__ import annotations

from flask import Blueprint

from console.access.rules import Permission
from console.web import database
from console.web.permissions import requires
from console.web.rest import endpoint
from console.workers import queries
from console.workers.schemas import WorkerAnswer, WorkerList

blueprint = Blueprint("workers_api", __name__, url_prefix="/api/v1")


@blueprint.get("/workers")
@requires(Permission.QUEUES_READ)
@endpoint(answer=WorkerList)
def index() -> WorkerList:
    """List workers heard of within the last day, living ones first."""
    return WorkerList(data=[WorkerAnswer.model_validate(worker) for worker in queries.list_workers(database.session())])
