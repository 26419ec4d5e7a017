"""REST routes of actions: `/api/v1/actions…`."""

from __future__ import annotations

from functools import partial

from flask import Blueprint
from sqlalchemy.orm import Session

from console.access.once import once
from console.access.rules import Permission
from console.actions import queries, service
from console.actions.estimate import estimate
from console.actions.permits import Verb, check_may
from console.actions.schemas import (
    ActionAnswer,
    ActionDetailAnswer,
    ActionList,
    ActionRequest,
    ActionsQuery,
    ActionWanted,
    EstimateAnswer,
    RateRequest,
    action_answer,
    action_detail_answer,
    estimate_answer,
)
from console.actions.service import Plan
from console.jobs.filters import Cursor
from console.web import database
from console.web.permissions import current_actor, may, requires
from console.web.rest import Answer, Output, endpoint

blueprint = Blueprint("actions_api", __name__, url_prefix="/api/v1")


@blueprint.get("/actions")
@requires(Permission.JOBS_READ)
@endpoint(query=ActionsQuery, answer=ActionList)
def index(query: ActionsQuery) -> ActionList:
    """List bulk actions, newest first."""
    shown, following = queries.list_actions(database.session(), Cursor.decode(query.cursor), query.limit)
    return ActionList(data=[action_answer(one) for one in shown], next=following.encode() if following else None)


@blueprint.post("/actions")
@requires(Permission.JOBS_READ)
@endpoint(body=ActionRequest, answer=ActionAnswer, status=201, idempotent=True)
def create(body: ActionRequest) -> Answer:
    """Begin a bulk action. A beat works on it in the background.

    Needs `jobs.retry`, `jobs.cancel` or `jobs.flush` too, as the kind is.
    """
    check_may(body.kind)
    plan = body.plan(sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    return once(body, partial(_begin, plan))


@blueprint.post("/actions/estimates")
@requires(Permission.JOBS_READ)
@endpoint(body=ActionWanted, answer=EstimateAnswer)
def estimates_create(body: ActionWanted) -> EstimateAnswer:
    """Say how many jobs an action would mean and how long it would take. Nothing is done."""
    check_may(body.kind)
    wanted = body.filter(sees_all=may(Permission.JOBS_SEE_SENSITIVE))
    return estimate_answer(estimate(database.session(), body.kind, wanted, body.rate))


@blueprint.get("/actions/<action_id>")
@requires(Permission.JOBS_READ)
@endpoint(answer=ActionDetailAnswer)
def show(action_id: str) -> ActionDetailAnswer:
    """Show how a bulk action stands, and the jobs that it made."""
    session = database.session()
    found = queries.get_action(session, action_id)
    return action_detail_answer(found, queries.made_by_state(session, action_id))


@blueprint.post("/actions/<action_id>/pause")
@requires(Permission.JOBS_READ)
@endpoint(answer=ActionAnswer, errors=(409,))
def pause_create(action_id: str) -> ActionAnswer:
    """Pause a bulk action. Nothing more is done when the answer comes."""
    return _ask(action_id, service.pause_action)


@blueprint.post("/actions/<action_id>/resumption")
@requires(Permission.JOBS_READ)
@endpoint(answer=ActionAnswer, errors=(409,))
def resumption_create(action_id: str) -> ActionAnswer:
    """Go on with a bulk action that is paused, failed, or whose trial is undecided."""
    return _ask(action_id, service.resume_action)


@blueprint.post("/actions/<action_id>/stop")
@requires(Permission.JOBS_READ)
@endpoint(answer=ActionAnswer, errors=(409,))
def stop_create(action_id: str) -> ActionAnswer:
    """Stop a bulk action for good. What was done stays done."""
    return _ask(action_id, service.stop_action)


@blueprint.post("/actions/<action_id>/undo")
@requires(Permission.JOBS_READ)
@endpoint(answer=ActionAnswer, errors=(409,))
def undo_create(action_id: str) -> ActionAnswer:
    """Undo a flush: the jobs come back as they were."""
    return _ask(action_id, service.undo_action)


@blueprint.put("/actions/<action_id>/rate")
@requires(Permission.JOBS_READ)
@endpoint(body=RateRequest, answer=ActionAnswer, errors=(409,))
def rate_update(action_id: str, body: RateRequest) -> ActionAnswer:
    """Change the rate of a bulk action that is not over."""
    return _ask(action_id, partial(service.set_rate, rate=body.rate))


def _ask(action_id: str, verb: Verb) -> ActionAnswer:
    with database.transaction() as session:
        check_may(queries.get_action(session, action_id).kind)
        verb(session, current_actor(), action_id)
        return action_answer(queries.get_action(session, action_id))


def _begin(plan: Plan, session: Session) -> tuple[int, Output]:
    made = service.create_action(session, current_actor(), plan)
    return 201, action_answer(queries.get_action(session, made))
