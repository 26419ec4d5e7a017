"""`/metrics`, for Prometheus."""

from __future__ import annotations

from flask import Blueprint, Response

from console.access.rules import Permission
from console.web import database
from console.web.permissions import requires
from console.web.problems import METRICS_PATH

blueprint = Blueprint("metrics", __name__)


@blueprint.get(METRICS_PATH)
@requires(Permission.METRICS_READ)
def index() -> Response:
    """Everything that is measured, in Prometheus' text format."""
    from console.metrics import exposition  # a process that is never asked does not pay for the library

    return Response(exposition.text(database.session()), content_type=exposition.CONTENT_TYPE)
