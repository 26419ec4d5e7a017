"""REST routes of queues and throughput: `/api/v1/queues` and `/api/v1/metrics/throughput`."""

from __future__ import annotations

from dataclasses import asdict

from flask import Blueprint

from console.access.rules import Permission
from console.broker.valkey import broker
from console.queues import queries, recording
from console.queues.latency import latency_by_queue
from console.queues.schemas import (
    RANGES,
    BucketAnswer,
    LatencyAnswer,
    LatencyList,
    LatencyQuery,
    QueueAnswer,
    QueueList,
    RecordingAnswer,
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


@blueprint.get("/metrics/latency")
@requires(Permission.OVERVIEW_READ)
@endpoint(query=LatencyQuery, answer=LatencyList)
def latency_show(query: LatencyQuery) -> LatencyList:
    """Show how long jobs waited and ran, by queue, as percentiles."""
    found = latency_by_queue(database.session(), span=RANGES[query.range][0])
    data = [LatencyAnswer(queue=name, **asdict(found[name])) for name in sorted(found)]
    return LatencyList(range=query.range, data=data)


@blueprint.get("/metrics/recording")
@requires(Permission.OVERVIEW_READ)
@endpoint(answer=RecordingAnswer)
def recording_show() -> RecordingAnswer:
    """Show how the recording of events stands: how late it is, what waits, what was put aside."""
    return RecordingAnswer.model_validate(recording.look(database.session()))
