"""REST routes of files: `/api/v1/uploads`."""

from __future__ import annotations

from flask import Blueprint, request
from werkzeug.exceptions import UnsupportedMediaType

from console.access.rules import Permission
from console.errors import InvalidInput
from console.files import service
from console.files.schemas import UploadAnswer
from console.web import database
from console.web.bodies import takes_files
from console.web.permissions import current_actor, requires
from console.web.rest import endpoint

FIELD = "file"

blueprint = Blueprint("files_api", __name__, url_prefix="/api/v1")


@blueprint.post("/uploads")
@takes_files
@requires(Permission.JOBS_DISPATCH)
@endpoint(answer=UploadAnswer, status=201, files=FIELD)
def create() -> UploadAnswer:
    """Upload pictures for a job that is dispatched next."""
    kept = service.keep_pictures(database.transaction, current_actor(), _given())
    return UploadAnswer.model_validate(kept)


def _given() -> list[service.Given]:
    """The files of the form. Raises `InvalidInput` for anything else in it."""
    if request.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the files as a form: Content-Type: multipart/form-data.")
    if others := sorted({name or "" for name in (*request.form, *request.files)} - {FIELD}):
        said = [{"field": name, "message": f"Is not known. Known: {FIELD}."} for name in others]
        raise InvalidInput(f"{others[0]}: is not known.", said)
    return [service.Given(file.filename or "", file.stream) for file in request.files.getlist(FIELD)]
