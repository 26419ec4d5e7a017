"""REST routes of queues and throughput: `/api/v1/queues` and `/api/v1/metrics/throughput`."""

from __future__ import annotations

from flask import Blueprint

from console.access.rules import Permission
from console.broker.valkey import broker
from console.queues import queries
from console.queues.schemas import (
    RANGES,
    BucketAnswer,
    QueueAnswer,
    QueueList,
    Throughput,
    ThroughputQuery,
)
from console.web import database
from console.web.permissions import requires
from console.web.rest import endpoint

blueprint = Blueprint("queues_api", __name__, url_prefix="/api/v1")


@blueprint.get("/queues")
@requires(Permission.QUEUES_READ)
@endpoint(answer=QueueList)
def index() -> QueueList:
    """List queues, by name."""
    found = queries.list_queues(database.session(), broker())
    return QueueList(data=[QueueAnswer.model_validate(queue) for queue in found])


@blueprint.get("/metrics/throughput")
@requires(Permission.OVERVIEW_READ)
@endpoint(query=ThroughputQuery, answer=Throughput)
def throughput_show(query: ThroughputQuery) -> Throughput:
    """Show what happened to jobs, in buckets of time.

    It is counted by minute and queue as jobs come and end, so it stays when jobs are deleted.
    """
    span, grain = RANGES[query.range]
    buckets = queries.throughput(database.session(), span, grain, query.queue)
    return Throughput(
        range=query.range,
        grain_s=int(grain.total_seconds()),
        data=[BucketAnswer.model_validate(bucket) for bucket in buckets],
    )
