"""The Overview page: what is wrong now, and how it goes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template, request

from console import clock
from console.access.rules import Permission
from console.broker.valkey import broker
from console.deploys.queries import marks
from console.jobs.filters import JobFilter
from console.jobs.queries import count_by_state
from console.observe.queries import GapView, incomplete, list_gaps
from console.overview.ranges import DEFAULT, RANGES
from console.queues.health import find_problems
from console.queues.latency import latency_by_queue
from console.queues.queries import Bucket, failing_types, list_queues, throughput
from console.queues.recording import look_if_it_answers
from console.web import database, htmx
from console.web.permissions import requires
from console.workers.queries import list_workers

blueprint = Blueprint("overview", __name__)


@blueprint.get("/")
@requires(Permission.OVERVIEW_READ)
def index() -> str:
    """Everything at a glance. htmx gets the body alone."""
    name = request.args.get("range", DEFAULT)
    span, grain = RANGES.get(name, RANGES[DEFAULT])
    session = database.session()
    queues = list_queues(session, broker())
    recording = look_if_it_answers(session) if any(queue.depth is not None for queue in queues) else None
    buckets, gaps = throughput(session, span, grain), list_gaps(session, span, limit=500)
    return render_template(
        "overview/_body.html" if htmx.is_fragment() else "overview/index.html",
        range_name=name if name in RANGES else DEFAULT,
        ranges=tuple(RANGES),
        queues=queues,
        latencies=latency_by_queue(session, [queue.name for queue in queues]),
        problems=find_problems(session, queues, recording),
        recording=recording,
        gaps=gaps,
        workers=list_workers(session),
        counts=count_by_state(session, JobFilter()),
        failing=failing_types(session, span),
        buckets=buckets,
        chart=_chart(buckets, grain, gaps) | {"deploys": marks(session, buckets[0].at)},
    )


def _chart(buckets: list[Bucket], grain: timedelta, gaps: list[GapView]) -> dict[str, Any]:
    """The series of the chart, as `static/js/chart.js` reads them; times in ms since 1970."""
    measures = ("enqueued", "completed", "failed", "retried", "cancelled")
    series = {name: [getattr(bucket, name) for bucket in buckets] for name in measures}
    at = [clock.to_ms(bucket.at) for bucket in buckets]
    unobserved = sum(bucket.completed is None for bucket in buckets) * int(grain.total_seconds()) // 60
    notes = [incomplete(gaps, bucket.at, grain) for bucket in buckets]
    return series | {
        "at": at,
        "grain_ms": int(grain.total_seconds()) * 1000,
        "unobserved_min": unobserved,
        "incomplete": notes,
    }
