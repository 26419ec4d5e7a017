"""Downloads of what jobs left."""

from __future__ import annotations

from flask import Blueprint, send_file
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.files import service
from console.web.permissions import requires

blueprint = Blueprint("files", __name__)


@blueprint.get("/jobs/<path:job_id>/files")
@requires(Permission.JOBS_READ)
def index(job_id: str) -> Response:
    """A job's file, or all of them in a zip."""
    name, stream = service.open_results(job_id)
    return send_file(stream, "application/octet-stream", as_attachment=True, download_name=name)
