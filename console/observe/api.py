"""REST route of observed applications: `/api/v1/sources`."""

from __future__ import annotations

from datetime import timedelta

import redis
from flask import Blueprint

from console import clock
from console.access.rules import Permission
from console.errors import Unavailable
from console.observe import queries, status
from console.observe.schemas import GapAnswer, SourceAnswer, SourceList
from console.observe.status import SourceStatus
from console.web import database
from console.web.permissions import requires
from console.web.rest import endpoint

blueprint = Blueprint("observe_api", __name__, url_prefix="/api/v1")


@blueprint.get("/sources")
@requires(Permission.QUEUES_READ)
@endpoint(answer=SourceList)
def index() -> SourceList:
    """List the applications that `celeriac observe` reads, and what it missed of them."""
    try:
        found = status.sources()
    except redis.RedisError as error:
        raise Unavailable("The broker does not answer. Is it running, is BROKER_URL right?") from error
    gaps = queries.list_gaps(database.session(), timedelta(days=1))
    return SourceList(data=[_answer(one) for one in found], gaps=[GapAnswer.model_validate(gap) for gap in gaps])


def _answer(source: SourceStatus) -> SourceAnswer:
    last = source.last_event_ms
    return SourceAnswer(
        name=source.name,
        observed=source.observed,
        broker=source.broker,
        at=clock.from_ms(source.at_ms),
        since=clock.from_ms(source.since_ms),
        last_event_at=None if last is None else clock.from_ms(last),
        events=source.events,
        waiting_bytes=source.waiting_bytes,
        depths=source.depths,
        unacked=source.unacked,
        workers=source.workers,
        error=source.error,
    )
