"""`/api/v1/openapi.json`: what the API can do. Open to anyone: it tells nothing of any job."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app

from console.web.openapi import document
from console.web.permissions import public

PREFIX = "/api/v1/"

blueprint = Blueprint("openapi", __name__, url_prefix="/api/v1")


@blueprint.get("/openapi.json")
@public
def show() -> dict[str, Any]:
    """The document."""
    return document(current_app, PREFIX)
