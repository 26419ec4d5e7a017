"""What the search box asks for while somebody types."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from flask import Blueprint, request

from console.access.rules import Permission
from console.jobs.search.completion import complete
from console.web import database
from console.web.permissions import requires

blueprint = Blueprint("search", __name__)


@blueprint.get("/jobs/completions")
@requires(Permission.JOBS_READ)
def completions_show() -> dict[str, Any]:
    """What could stand at the place `at` of the search `q`."""
    text = request.args.get("q", "")
    return asdict(complete(database.session(), text, request.args.get("at", len(text), type=int)))
