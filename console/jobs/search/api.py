"""REST routes of saved searches: `/api/v1/searches…`."""

from __future__ import annotations

from flask import Blueprint
from pydantic import Field

from console.access.rules import Permission
from console.jobs.search.saved import MAX_NAME, Saved, delete_saved, list_saved, save_search
from console.jobs.search.terms import MAX_TEXT
from console.web import database
from console.web.permissions import current_actor, requires
from console.web.rest import Answer, Input, Instant, Line, Output, endpoint

blueprint = Blueprint("searches_api", __name__, url_prefix="/api/v1")


class SearchRequest(Input):
    """A search to keep. One of the same name that the token has is replaced."""

    name: Line = Field(min_length=1, max_length=MAX_NAME, description="What to call it.")
    q: str = Field("", max_length=MAX_TEXT, description="The search, as in the box of the Jobs page.")
    shared: bool = Field(False, description="Whether all who may see jobs see it, too.")


class SearchAnswer(Output):
    """A saved search."""

    id: str
    name: str
    q: str
    shared: bool
    owner: str
    changed_at: Instant


class SearchList(Output):
    """The token's own searches and the shared ones, by name."""

    data: list[SearchAnswer]
    next: None = None


class Deleted(Output):
    """What was deleted."""

    name: str


@blueprint.get("/searches")
@requires(Permission.JOBS_READ)
@endpoint(answer=SearchList)
def index() -> SearchList:
    """List saved searches."""
    return SearchList(data=[_answer(one) for one in list_saved(database.session(), current_actor())])


@blueprint.post("/searches")
@requires(Permission.JOBS_READ)
@endpoint(body=SearchRequest, answer=SearchAnswer, status=201, other_statuses=(200,), errors=(409,))
def create(body: SearchRequest) -> Answer:
    """Keep a search under a name. 200 instead of 201: it replaced one of that name."""
    with database.transaction() as session:
        saved, is_new = save_search(session, current_actor(), body.name, body.q, body.shared)
    return Answer(201 if is_new else 200, _answer(saved).model_dump_json())


@blueprint.delete("/searches/<search_id>")
@requires(Permission.JOBS_READ)
@endpoint(answer=Deleted)
def destroy(search_id: str) -> Deleted:
    """Delete a saved search: the token's own, or, for an admin, any shared one."""
    with database.transaction() as session:
        return Deleted(name=delete_saved(session, current_actor(), search_id))


def _answer(saved: Saved) -> SearchAnswer:
    return SearchAnswer.model_validate(saved)
