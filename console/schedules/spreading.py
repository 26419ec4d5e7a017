"""Spreading schedules that begin in the same second: a plan with its effect first, then edits like any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from console import clock
from console.actor import Actor
from console.errors import Conflict, InvalidInput
from console.schedules import coming, service
from console.schedules.heat import AT_LEAST, Heat, Peak, heat_of, runs_at
from console.schedules.models import Schedule
from console.schedules.outlook import Outlook, look_ahead
from console.schedules.recurrence import wrong
from console.schedules.rules import GRACE
from console.schedules.spread import MAX_MOVED, Move, Stays, Way, digest_of, spread, suggested_window

WINDOW = timedelta(hours=24)
LONGEST_S = 86_400
STALE = timedelta(hours=1)
"""So old a plan may be when it is carried out."""
BEGUN = timedelta(seconds=3)
"""So long before its time a schedule is left alone."""
WORST = 5
"""Collisions whose schedules are asked for by name, when there are too many schedules to look at all."""


@dataclass(frozen=True, slots=True)
class SpreadRequest:
    """What is to be spread: all collisions of the coming day, or the one at that time.

    `over_s`: over so many seconds; None: as many as fit. `since`: when the plan was made; None: it is made now.
    """

    way: Way = Way.JITTER
    over_s: int | None = None
    at_least: int = AT_LEAST
    at: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """How much begins at once. `collisions`: seconds with as many as were asked for; `runs`: at the time asked for."""

    peak: Peak
    collisions: int
    runs: int | None


@dataclass(frozen=True, slots=True)
class SpreadPlan:
    """What would be changed, what would stay, and what that does to the coming day.

    `digest` names the plan. `looked`: at so many of `total` schedules; the effect is of those.
    """

    way: Way
    over_s: int
    since: datetime
    moves: list[Move]
    stays: list[Stays]
    before: Effect
    after: Effect
    digest: str
    looked: int
    total: int


def plan_spread(session: Session, wanted: SpreadRequest) -> SpreadPlan:
    """What spreading would do; nothing is changed. Raises `InvalidInput`."""
    since = wanted.since or coming.step_before(clock.now())
    if not since - timedelta(minutes=5) <= clock.now() <= since + STALE:
        raise wrong("since", "This plan is too old, or not of today. Make it anew.")
    if wanted.over_s is not None and not 1 <= wanted.over_s <= LONGEST_S:
        raise wrong("over_s", f"Use 1 to {LONGEST_S:,} seconds.")
    window = max(since, clock.now()), since + WINDOW
    plans = _plans(session, since, wanted)
    texts = coming.texts_of(session, plans.plans)
    now = look_ahead(plans.plans, texts, *window)
    hits = [hit for hit in _heat(now, since, wanted).collisions if wanted.at in (None, hit.at)]
    over_s = wanted.over_s or suggested_window(max((hit.runs for hit in hits), default=0), wanted.way)
    moves, stays = spread(list({one.id: one for hit in hits for one in hit.members}.values()), wanted.way, over_s)
    changed = {move.plan.id: move.plan.changed(move.after, since) for move in moves}
    then = look_ahead([changed.get(one.id, one) for one in plans.plans], texts, *window)
    return SpreadPlan(
        wanted.way, over_s, since, moves, stays, _effect(now, since, wanted), _effect(then, since, wanted),
        digest_of(moves), len(plans.plans), max(plans.total, len(plans.plans)),
    )  # fmt: skip


def apply_spread(session: Session, actor: Actor, wanted: SpreadRequest, digest: str) -> list[str]:
    """Does what the plan of that digest says, all of it or nothing, and returns the names of what was changed.

    Raises `InvalidInput`, or `Conflict` when something has changed since the plan was made.
    """
    plan = plan_spread(session, wanted)
    if plan.digest != digest:
        raise Conflict("Schedules have changed since this plan was made. Look at it again, then decide.")
    _refuse_begun(session, [move.plan.id for move in plan.moves])
    for move in plan.moves:
        try:
            service.edit_schedule(
                session, actor, move.plan.id, move.after, rev=move.plan.rev, why=f"spread over {plan.over_s} s"
            )
        except InvalidInput as error:
            raise InvalidInput(f"{move.plan.name}: {error.detail}", error.errors) from None
    return sorted(move.plan.name for move in plan.moves)


def _refuse_begun(session: Session, ids: Sequence[str]) -> None:
    """An edit counts from now on: a run that is due in this very moment would be lost."""
    now = clock.now()
    begun = select(Schedule.name).where(Schedule.id.in_(ids), Schedule.due_at.between(now - GRACE, now + BEGUN))
    if name := session.scalar(begun.order_by(Schedule.due_at).limit(1)):
        raise Conflict(f"{name} is due in this very moment. Try again in some seconds.")


def _plans(session: Session, since: datetime, wanted: SpreadRequest) -> coming.Sample:
    """All schedules; of very many a sample, and those that are due next in one of the worst seconds."""
    sample = coming.sample(session, since + WINDOW)
    if len(sample.plans) == sample.total:
        return sample
    found = {one.id: one for one in sample.plans}
    outlook = sample.look(max(since, clock.now()), since + WINDOW)
    worst = [hit.at for hit in _heat(outlook, since, wanted).collisions[:WORST]] if wanted.at is None else [wanted.at]
    for at in worst:
        found |= {one.id: one for one in coming.due_at(session, at, at + timedelta(seconds=1), MAX_MOVED)}
    return coming.Sample(list(found.values()), sample.texts, sample.total)


def _heat(outlook: Outlook, since: datetime, wanted: SpreadRequest) -> Heat:
    return heat_of(outlook, since, since + WINDOW, coming.STEP_S, wanted.at_least)


def _effect(outlook: Outlook, since: datetime, wanted: SpreadRequest) -> Effect:
    heat = _heat(outlook, since, wanted)
    return Effect(heat.peak, heat.crowded, None if wanted.at is None else runs_at(outlook, wanted.at))
