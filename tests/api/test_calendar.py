"""`/api/v1/schedules/calendar`, `…/heat` and `…/spread`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from console import clock, db
from console.schedules import coming
from console.schedules.models import ScheduleFire
from tests.api.conftest import Program, problem

SAID = {"type": "elsewhere.task", "kind": "cron", "cron": "0 * * * *", "queue": "heavy"}


def made(admin: Program, count: int) -> list[str]:
    return [admin.post("/schedules", json=SAID | {"name": f"s{n:02}"}).json["id"] for n in range(count)]


def test_the_calendar_tells_past_and_coming_runs_by_hour(admin: Program, support: Program) -> None:
    one, _ = made(admin, 2)
    now = clock.now().replace(minute=0, second=0, microsecond=0)
    with db.writing() as session:
        for at, state in ((now - timedelta(hours=1), "skipped"), (now - timedelta(minutes=30), "missed")):
            session.execute(insert(ScheduleFire).values(schedule_id=one, nominal_at=at, trigger="time", state=state, at=at, slots=3, reason="", overdue=False))
    window = {"start": (now - timedelta(hours=1)).isoformat(), "end": (now + timedelta(hours=2)).isoformat()}
    past, _, coming_hour = support.get("/schedules/calendar", query_string=window).json["data"]
    assert (past["runs"], past["is_exact"], past["entries"][0]["coming"]) == (6, True, False)
    assert sorted(one["outcome"] for one in past["entries"][0]["outcomes"]) == ["missed", "skipped"]
    assert [(one["name"], one["coming"], one["runs"]) for one in coming_hour["entries"]] == [("s00", True, 1), ("s01", True, 1)]
    for chosen in ("state=paused", "q=s01", "type=other", "flagged=true"):
        assert support.get(f"/schedules/calendar?{chosen}", query_string=None).status_code == 422  # without a window
        some = support.get("/schedules/calendar", query_string=window | dict([chosen.split("=")])).json["data"]
        assert sum(hour["runs"] for hour in some) == (1 + (clock.now() < now) if chosen == "q=s01" else 0)
    far = window | {"end": (now + timedelta(days=9)).isoformat()}
    assert problem(support.get("/schedules/calendar", query_string=far), 422)["errors"][0]["field"] == "end"


def test_heat_and_spread(admin: Program, support: Program) -> None:
    made(admin, 10)
    heat = support.get("/schedules/heat").json
    full_hours = 24 - (heat["start"][14:19] == "00:00")  # the first of them is over by now
    assert heat["peak"]["second"] == 10 and heat["crowded"] == full_hours and heat["looked"] == heat["total"] == 10
    assert {sum(one["queues"].values()) for one in heat["data"] if one["most"]} == {10}
    assert len(heat["collisions"][0]["schedules"]) == 10
    asked = {"way": "shift", "over_s": 600, "at": heat["collisions"][0]["at"]}
    plan = support.post("/schedules/spread/estimate", json=asked).json
    assert (plan["before"]["runs"], plan["after"]["runs"]) == (10, 1)
    assert len(plan["changes"]) == 9 and plan["changes"][-1]["changes"] == {"cron": ["0 * * * *", "9 * * * *"]}
    order = asked | {"since": plan["since"], "plan": plan["plan"]}
    problem(support.post("/schedules/spread", json=order), 403)
    problem(admin.post("/schedules/spread", json=order | {"plan": "other"}), 409)
    assert len(admin.post("/schedules/spread", json=order).json["changed"]) == 9
    assert support.get("/schedules/heat").json["crowded"] == 0
    assert admin.get("/schedules/s09").json["ver"] == 2
    assert problem(admin.post("/schedules/spread/estimate", json={"way": "sideways"}), 422)


def test_of_very_many_a_sample_is_looked_at(admin: Program, support: Program) -> None:
    made(admin, 60)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(coming, "MAX_READ", 30)
        heat = support.get("/schedules/heat").json
        assert 5 < heat["looked"] < 31 and heat["total"] == 60
        assert abs(heat["peak"]["second"] - 60) <= 1
        plan = support.post("/schedules/spread/estimate", json={}).json
        assert plan["looked"] == 60 and len(plan["changes"]) == 60, "those of the worst second are all asked for"
