"""Pages of deploy marks."""

from __future__ import annotations

from flask import Blueprint, flash, render_template, request, url_for
from werkzeug.wrappers import Response

from console.access.rules import Permission
from console.deploys import queries, service
from console.errors import InvalidInput
from console.web import database, htmx
from console.web.permissions import current_actor, requires

blueprint = Blueprint("deploys", __name__)


@blueprint.get("/deploys")
@requires(Permission.DEPLOYS_READ)
def index() -> str:
    """Deploys, newest first, and how to add one."""
    return _list()


@blueprint.post("/deploys")
@requires(Permission.DEPLOYS_EDIT)
def create() -> Response | tuple[str, int]:
    """Marks that a version went live now."""
    try:
        with database.transaction() as session:
            service.add_deploy(
                session, current_actor(), request.form.get("version", ""), note=request.form.get("note", "")
            )
    except InvalidInput as error:
        return _list({one["field"]: one["message"] for one in error.errors}), error.status
    flash("Marked. Charts show it from now on.", "success")
    return htmx.go(url_for("deploys.index"))


@blueprint.post("/deploys/<deploy_id>/removal")
@requires(Permission.DEPLOYS_EDIT)
def destroy(deploy_id: str) -> Response:
    """Takes a mark away that should not be there."""
    with database.transaction() as session:
        service.remove_deploy(session, current_actor(), deploy_id)
    flash("The mark is gone.", "success")
    return htmx.go(url_for("deploys.index"))


def _list(errors: dict[str, str] | None = None) -> str:
    deploys = queries.list_deploys(database.session(), limit=200)
    return render_template("deploys/index.html", deploys=deploys, errors=errors or {}, typed=request.form)
