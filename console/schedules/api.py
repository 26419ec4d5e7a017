"""REST routes of schedules: `/api/v1/schedules…`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Blueprint
from sqlalchemy.orm import Session

from console import clock
from console.access.once import once
from console.access.rules import Permission
from console.errors import InvalidInput, NotFound
from console.schedules import queries, service
from console.schedules.hiding import hide_in_versions, hide_in_view
from console.schedules.lists import list_schedules
from console.schedules.queries import ScheduleView
from console.schedules.schemas import (
    BackfillAnswer,
    BackfillRequest,
    ComingList,
    DuplicateRequest,
    Gone,
    MadeAnswer,
    PauseRequest,
    PreviewAnswer,
    RevRequest,
    RunList,
    ScheduleAnswer,
    ScheduleEdit,
    ScheduleList,
    ScheduleRequest,
    SchedulesQuery,
    VersionList,
    WindowQuery,
    coming_answer,
    run_answer,
    run_of,
    schedule_answer,
    version_answer,
)
from console.schedules.words import explain
from console.web import database
from console.web.permissions import current_actor, may, requires
from console.web.rest import Answer, Output, PageQuery, endpoint

blueprint = Blueprint("schedules_api", __name__, url_prefix="/api/v1")
LARGEST_MS = 253_402_300_799_999


@blueprint.get("/schedules")
@requires(Permission.SCHEDULES_READ)
@endpoint(query=SchedulesQuery, answer=ScheduleList)
def index(query: SchedulesQuery) -> ScheduleList:
    """List schedules by name."""
    session = database.session()
    shown, following = list_schedules(session, query.filter(), query.cursor or None, query.limit)
    return ScheduleList(data=_answers(session, shown), next=following)


@blueprint.post("/schedules")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=ScheduleRequest, answer=ScheduleAnswer, status=201)
def create(body: ScheduleRequest) -> ScheduleAnswer:
    """Make a schedule. It is active at once."""
    with database.transaction() as session:
        made = service.create_schedule(session, current_actor(), body.definition())
        return _answers(session, [queries.get_schedule(session, made)])[0]


@blueprint.post("/schedules/preview")
@requires(Permission.SCHEDULES_READ)
@endpoint(body=ScheduleRequest, answer=PreviewAnswer)
def preview(body: ScheduleRequest) -> PreviewAnswer:
    """Say in words what a definition means, and when it would fire next. Nothing is stored."""
    wanted = body.definition()
    runs = queries.preview(database.session(), wanted)
    return PreviewAnswer(words=explain(wanted), data=[run_of(run, "", wanted.name, wanted.type) for run in runs])


@blueprint.get("/schedules/coming")
@requires(Permission.SCHEDULES_READ)
@endpoint(query=WindowQuery, answer=ComingList)
def coming(query: WindowQuery) -> ComingList:
    """List the coming runs of all schedules, in order."""
    window = queries.coming_runs(database.session(), query.start, query.end, limit=query.limit)
    return ComingList(data=[coming_answer(one) for one in window.runs], is_complete=window.is_complete)


@blueprint.get("/schedules/<schedule_id>")
@requires(Permission.SCHEDULES_READ)
@endpoint(answer=ScheduleAnswer)
def show(schedule_id: str) -> ScheduleAnswer:
    """Show a schedule, by its id or its name."""
    session = database.session()
    return _answers(session, [queries.get_schedule(session, schedule_id)])[0]


@blueprint.put("/schedules/<schedule_id>")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=ScheduleEdit, answer=ScheduleAnswer, errors=(409,))
def update(schedule_id: str, body: ScheduleEdit) -> ScheduleAnswer:
    """Change a schedule, from now on. The version before is kept."""
    return _ask(service.edit_schedule, schedule_id, body.definition(), rev=body.rev)


@blueprint.delete("/schedules/<schedule_id>")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(answer=Gone, errors=(409,))
def destroy(schedule_id: str) -> Gone:
    """Delete a schedule and its history. Its jobs stay."""
    with database.transaction() as session:
        return Gone(name=service.delete_schedule(session, current_actor(), schedule_id))


@blueprint.post("/schedules/<schedule_id>/pause")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=PauseRequest, answer=ScheduleAnswer, errors=(409,))
def pause_create(schedule_id: str, body: PauseRequest) -> ScheduleAnswer:
    """Pause a schedule, for good or until a time."""
    return _ask(service.pause_schedule, schedule_id, body.reason, body.until, rev=body.rev)


@blueprint.post("/schedules/<schedule_id>/resumption")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=RevRequest, answer=ScheduleAnswer, errors=(409,))
def resumption_create(schedule_id: str, body: RevRequest) -> ScheduleAnswer:
    """Go on with a paused schedule, from its next time on."""
    return _ask(service.resume_schedule, schedule_id, rev=body.rev)


@blueprint.get("/schedules/<schedule_id>/runs")
@requires(Permission.SCHEDULES_READ)
@endpoint(query=PageQuery, answer=RunList)
def runs_index(schedule_id: str, query: PageQuery) -> RunList:
    """List what a schedule did, newest first, with the jobs it made."""
    session = database.session()
    before = None
    if query.cursor:
        if not (query.cursor.isascii() and query.cursor.isdigit() and int(query.cursor) <= LARGEST_MS):
            raise InvalidInput("cursor: This is no cursor of this list.", [{"field": "cursor", "message": "Unknown."}])
        before = clock.from_ms(int(query.cursor))
    found = queries.get_schedule(session, schedule_id)
    shown, following = queries.list_fires(session, found.id, before, query.limit)
    return RunList(data=[run_answer(one) for one in shown], next=str(clock.to_ms(following)) if following else None)


@blueprint.post("/schedules/<schedule_id>/runs")
@requires(Permission.SCHEDULES_RUN)
@endpoint(answer=MadeAnswer, status=201, idempotent=True, errors=(409,))
def runs_create(schedule_id: str) -> Answer:
    """Run a schedule now, beside its own times."""
    return once(None, partial(_run, schedule_id))


@blueprint.post("/schedules/<schedule_id>/backfills/estimate")
@requires(Permission.SCHEDULES_RUN)
@endpoint(body=BackfillRequest, answer=BackfillAnswer)
def backfills_estimate(schedule_id: str, body: BackfillRequest) -> BackfillAnswer:
    """Say how many past times a backfill would run. Nothing is done."""
    plan = queries.plan_backfill(database.session(), schedule_id, body.wanted())
    return BackfillAnswer(count=len(plan.times), left_out=plan.left_out, seconds=plan.seconds, job_ids=[])


@blueprint.post("/schedules/<schedule_id>/backfills")
@requires(Permission.SCHEDULES_RUN)
@endpoint(body=BackfillRequest, answer=BackfillAnswer, status=201, errors=(409,))
def backfills_create(schedule_id: str, body: BackfillRequest) -> BackfillAnswer:
    """Run past times of a schedule, at most 1,000 at once."""
    with database.transaction() as session:
        plan = queries.plan_backfill(session, schedule_id, body.wanted())
        made = service.backfill_schedule(session, current_actor(), schedule_id, body.wanted())
    return BackfillAnswer(count=len(made), left_out=plan.left_out, seconds=plan.seconds, job_ids=made)


@blueprint.post("/schedules/<schedule_id>/duplicates")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=DuplicateRequest, answer=ScheduleAnswer, status=201, errors=(409,))
def duplicates_create(schedule_id: str, body: DuplicateRequest) -> ScheduleAnswer:
    """Make a paused copy of a schedule."""
    with database.transaction() as session:
        made = service.duplicate_schedule(session, current_actor(), schedule_id, body.name)
        return _answers(session, [queries.get_schedule(session, made)])[0]


@blueprint.get("/schedules/<schedule_id>/versions")
@requires(Permission.SCHEDULES_READ)
@endpoint(answer=VersionList)
def versions_index(schedule_id: str) -> VersionList:
    """List the definitions that a schedule had, with what changed."""
    session = database.session()
    found = queries.get_schedule(session, schedule_id)
    versions = queries.list_versions(session, found.id)
    if not may(Permission.JOBS_SEE_SENSITIVE):
        versions = hide_in_versions(versions)
    return VersionList(data=[version_answer(one) for one in versions])


@blueprint.post("/schedules/<schedule_id>/versions/<ver>/restoration")
@requires(Permission.SCHEDULES_EDIT)
@endpoint(body=RevRequest, answer=ScheduleAnswer, errors=(409,))
def restoration_create(schedule_id: str, ver: str, body: RevRequest) -> ScheduleAnswer:
    """Give a schedule the definition that it had in that version."""
    if not (ver.isascii() and ver.isdigit() and len(ver) < 9):
        raise NotFound(f"There is no version {ver[:20]!r}.")
    return _ask(service.restore_version, schedule_id, int(ver), rev=body.rev)


def _run(schedule_id: str, session: Session) -> tuple[int, Output]:
    return 201, MadeAnswer(job_id=service.run_schedule(session, current_actor(), schedule_id))


def _answers(session: Session, views: Sequence[ScheduleView]) -> list[ScheduleAnswer]:
    """As much of them as whoever asks may see."""
    usual, sees_all = queries.usual_of_each(session, views), may(Permission.JOBS_SEE_SENSITIVE)
    return [schedule_answer(one if sees_all else hide_in_view(one), usual[one.id]) for one in views]


def _ask(verb: Any, schedule_id: str, *given: Any, rev: int | None) -> ScheduleAnswer:
    with database.transaction() as session:
        verb(session, current_actor(), schedule_id, *given, rev=rev)
        return _answers(session, [queries.get_schedule(session, schedule_id)])[0]
