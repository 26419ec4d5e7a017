"""Which schedules are found, how many there are and how long they take, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from console import clock, db
from console.actor import SYSTEM
from console.jobs import histogram
from console.jobs.histogram import Histogram, bucket_of
from console.jobs.models import JobRollup, JobStatus
from console.schedules import lists, queries, service
from console.schedules.definition import parse_definition
from console.schedules.lists import ScheduleFilter, counts, counts_up_to, list_schedules
from console.schedules.models import Schedule
from console.schedules.queries import Backfill
from console.schedules.usual import usual_run

pytestmark = pytest.mark.usefixtures("database", "broker")


def definition(name: str, **given: Any) -> Any:
    return parse_definition({"name": name, "type": "shop.sync", "kind": "every", "every": 1, "unit": "hours"} | given)


def make(name: str, **given: Any) -> str:
    with db.writing() as session:
        return service.create_schedule(session, SYSTEM, definition(name, **given))


def found(after: str | None = None, limit: int = 50, **wanted: Any) -> tuple[list[str], str | None]:
    with db.reading() as session:
        views, following = list_schedules(session, ScheduleFilter(**wanted), after, limit)
        return [one.name for one in views], following


def test_a_text_is_searched_in_name_and_type_whatever_its_case() -> None:
    one = make("Ärger im Lager", type="shop.Sync_Stock")
    make("100% of it")
    assert found(text="ÄRGER")[0] == found(text="sync_")[0] == found(text="R IM L")[0] == ["Ärger im Lager"]
    assert found(text="0%")[0] == ["100% of it"]
    assert found(text="%")[0] == ["100% of it"]
    with db.writing() as session:
        service.edit_schedule(session, SYSTEM, one, definition("Renamed"))
    assert (found(text="ärger")[0], found(text="renam")[0]) == ([], ["Renamed"])
    with db.writing() as session:
        service.delete_schedule(session, SYSTEM, one)
    assert found(text="renam") == ([], None)


def test_pages_of_a_search_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        made = make(f"report {number}")
        if number in (3, 6):
            with db.writing() as session:
                service.pause_schedule(session, SYSTEM, made)
    make("other")
    first, following = found(text="report", limit=3)
    assert (first, following) == (["report 0", "report 1", "report 2"], "report 2")
    assert found(text="report", after=following, limit=3) == (["report 3", "report 4", "report 5"], "report 5")
    assert found(text="report", after="report 5", limit=3) == (["report 6"], None)
    monkeypatch.setattr(lists, "MOST_LOOKED_AT", 4)
    assert found(text="report", state="paused", limit=2) == (["report 3"], "report 3")
    assert found(text="report", state="ended", limit=2) == ([], "report 3"), "a page can be empty, and there is more"
    assert found(text="report", state="paused", after="report 3", limit=2) == (["report 6"], None)


@pytest.mark.parametrize("most", [1, 1_000])
def test_those_that_somebody_should_look_at(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(lists, "MOST_LOOKED_AT", most)
    ids = {name: make(name) for name in ("broken", "fine", "late", "later")}
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.id == ids["broken"]).values(problem="It cannot."))
        past = clock.now() - timedelta(minutes=5)
        session.execute(update(Schedule).where(Schedule.id.in_([ids["late"], ids["later"]])).values(due_at=past))
    assert found(flagged=True)[0] == ["broken", "late", "later"]
    with db.reading() as session:
        assert counts_up_to(session) == {"active": 4, "paused": 0, "ended": 0, "late": 2} == counts(session)
        assert counts_up_to(session, 1)["active"] == 2


def test_own_runs_tell_how_long_it_takes_once_there_are_enough() -> None:
    one = make("often")
    now = clock.now().replace(minute=30) - timedelta(hours=1)
    with db.writing() as session:
        jobs = service.backfill_schedule(session, SYSTEM, one, Backfill(now - timedelta(hours=6), now))
        day = clock.from_ms(clock.to_ms(now) // 86_400_000 * 86_400_000)
        runtimes = histogram.dump(Histogram({bucket_of(60_000): 9}))
        session.add(JobRollup(grain="day", dimension="type", name="shop.sync", shard=0, at=day, runtimes=runtimes))
    for done, expected in ((2, (60_000, 60_000, 0)), (6, (300, 600, 6))):
        with db.writing() as session:
            for place, job_id in enumerate(jobs[:done], 1):
                session.execute(update(JobStatus).where(JobStatus.id == job_id).values(runtime_ms=100 * place))
        with db.reading() as session:
            views, _ = list_schedules(session)
            each = queries.usual_of_each(session, views, queries.last_fires(session, [one]))[one]
            assert each == usual_run(session, "shop.sync", one)
            assert each is not None
            assert (round(each.median_ms, -2), round(each.p95_ms, -2), each.own_runs) == pytest.approx(expected, rel=0.03)
            assert usual_run(session, "no.such") is None
