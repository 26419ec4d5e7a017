"""`/live?topics=overview,jobs,job:ID&since=MS`: the event stream of an open page."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from flask import Blueprint, Response, g, request

from console import clock
from console.errors import InvalidInput, NotAllowed
from console.web import live
from console.web.permissions import may, signed_in

MAX_TOPICS = 20

PermissionOf = Callable[[str], StrEnum | None]
"""The permission that a topic needs; None: there is no such topic."""


def blueprint_for(permission_of: PermissionOf) -> Blueprint:
    """The route, for topics that a higher layer knows."""
    blueprint = Blueprint("live", __name__)

    @blueprint.before_app_request
    def note_beginning() -> None:
        """A page says when it was asked for, in ms since 1970: what changed after that it may not show."""
        g.live_since = clock.now_ms()

    @blueprint.get("/live")
    @signed_in
    def stream() -> Response:
        """What changed, as it changes, and at once what did `since`. Each topic needs the permission of its page."""
        topics = _wanted(permission_of)
        opened = live.hub.open(topics, request.args.get("since", type=int))
        response = Response(live.events(opened), mimetype="text/event-stream")
        response.call_on_close(lambda: live.hub.close(opened))
        response.headers["X-Accel-Buffering"] = "no"
        return response

    return blueprint


def _wanted(permission_of: PermissionOf) -> frozenset[str]:
    topics = frozenset(filter(None, request.args.get("topics", "").split(",")))
    if not 1 <= len(topics) <= MAX_TOPICS:
        raise InvalidInput(f"Name 1 to {MAX_TOPICS} topics.")
    for topic in sorted(topics):
        permission = permission_of(topic)
        if permission is None:
            raise InvalidInput(f"There is no topic {topic!r}.")
        if not may(permission):
            raise NotAllowed(f"This needs the permission {permission}.")
    return topics

