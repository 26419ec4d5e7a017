"""`/api/v1/schedules…`: who may, what comes back, and that two people do not overwrite each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import redis

from console import clock
from tests.api.conftest import Program, problem

SAID = {"name": "hourly", "type": "demo.greet", "payload": {"name": "Ada"}, "kind": "every", "every": 1, "unit": "hours"}
KEY = {"Idempotency-Key": "run-1"}


def made(admin: Program, **more: Any) -> Any:
    said = SAID | {"type": "elsewhere.task", "payload": {}} | more
    response = admin.post("/schedules", json=said)
    assert response.status_code == 201, response.text
    return response.json


def test_a_schedule_is_made_changed_paused_restored_and_deleted(admin: Program) -> None:
    one = made(admin)
    path, said = f"/schedules/{one['id']}", {**one["definition"], "every": 2}
    assert (one["words"], one["state"], one["rev"]) == ("Every hour", "active", 0)
    changed = admin("PUT", path, json=said | {"rev": 0}).json
    assert (changed["words"], changed["ver"], changed["rev"]) == ("Every 2 hours", 2, 1)
    assert "changed this schedule meanwhile" in problem(admin("PUT", path, json=said | {"every": 3, "rev": 0}), 409)["detail"]
    until = (clock.now() + timedelta(days=1)).isoformat()
    assert admin.post(f"{path}/pause", json={"reason": "inventory", "until": until}).json["state"] == "paused"
    problem(admin.post(f"{path}/pause", json={}), 409)
    assert admin.post(f"{path}/resumption", json={}).json["state"] == "active"
    assert admin.post(f"{path}/versions/1/restoration", json={}).json["words"] == "Every hour"
    versions = admin.get(f"{path}/versions").json["data"]
    assert [(one["ver"], one["changes"]) for one in versions][:2] == [(3, {"every": [2, 1]}), (2, {"every": [1, 2]})]
    copy = admin.post(f"{path}/duplicates", json={}).json
    assert (copy["name"], copy["state"]) == ("hourly (copy)", "paused")
    assert [one["name"] for one in admin.get("/schedules?limit=1").json["data"]] == ["hourly"]
    assert admin.get("/schedules?limit=1").json["next"] == "hourly"
    assert [one["name"] for one in admin.get("/schedules?state=paused&q=HOUR").json["data"]] == ["hourly (copy)"]
    assert admin("DELETE", path).json == {"name": "hourly"}
    problem(admin.get(path), 404)


def test_run_now_backfill_and_what_came_of_it(admin: Program, broker: redis.Redis) -> None:
    path = f"/schedules/{made(admin)['id']}"
    first = admin.post(f"{path}/runs", headers=KEY)
    assert admin.post(f"{path}/runs", headers=KEY).json == first.json
    assert broker.llen("default") == 1
    span = {"start": (clock.now() - timedelta(hours=5)).isoformat(), "end": clock.now().isoformat()}
    assert admin.post(f"{path}/backfills/estimate", json=span).json["count"] == 5
    assert len(admin.post(f"{path}/backfills", json=span).json["job_ids"]) == 5
    again = admin.post(f"{path}/backfills", json=span).json
    assert (again["count"], again["left_out"]) == (0, 5)
    page = admin.get(f"{path}/runs?limit=2").json
    assert [one["trigger"] for one in page["data"]] == ["manual", "backfill"]
    assert len(admin.get(f"{path}/runs?cursor={page['next']}").json["data"]) == 4


def test_a_preview_says_what_is_meant_and_what_is_wrong(support: Program) -> None:
    said = SAID | {"kind": "cron", "cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    answer = support.post("/schedules/preview", json=said).json
    assert answer["words"] == "At 02:30 every day (Europe/Berlin)" and len(answer["data"]) == 10
    errors = problem(support.post("/schedules/preview", json=said | {"cron": "30 2 30 2 *"}), 422)["errors"]
    assert errors[0]["field"] == "cron"


def test_a_blackout_moves_the_next_time_and_cannot_go_while_it_is_used(admin: Program) -> None:
    today = f"{clock.now() - timedelta(days=1):%Y-%m-%d}..{clock.now() + timedelta(days=1):%Y-%m-%d}"
    problem(admin.post("/schedules", json=SAID | {"type": "x", "blackouts": ["inventory"]}), 422)
    admin("PUT", "/blackouts/inventory", json={"text": "2020-01-01"})
    before = made(admin, blackouts=["inventory"])["next_at"]
    assert admin("PUT", "/blackouts/inventory", json={"text": today, "rev": 0}).json["rev"] == 1
    assert admin.get("/schedules/hourly").json["next_at"] > before
    problem(admin("PUT", "/blackouts/inventory", json={"text": today, "rev": 0}), 409)
    assert "hourly keeps to" in problem(admin("DELETE", "/blackouts/inventory"), 409)["detail"]
    estimate = admin.post("/blackouts/inventory/estimate", json={"text": "2020-01-01"}).json
    assert estimate["gone"] == 0 and 24 <= estimate["back"] <= 48 and estimate["affected"][0]["name"] == "hourly"
    assert admin.post("/blackouts/new/estimate", json={"text": today, "add": ["hourly"]}).json["users"] == 1
    assert admin.get("/blackouts/inventory").json["rev"] == 1
    assert admin("PUT", "/blackouts/new", json={"text": "2020-01-02", "add": ["hourly"]}).status_code == 200
    assert admin.get("/schedules/hourly").json["definition"]["blackouts"] == ["inventory", "new"]
    assert admin("DELETE", "/blackouts/inventory?detach=true").json == {"name": "inventory"}
    assert admin.get("/schedules/hourly").json["next_at"] == before


def test_support_looks_and_changes_nothing(admin: Program, support: Program) -> None:
    one = made(admin)
    path = f"/schedules/{one['id']}"
    assert support.get(path).json["name"] == "hourly"
    made(admin, name="secret", payload={"password": "hunter2", "day": 1})
    for path in ("/schedules/secret", "/schedules?q=secret", "/schedules/secret/versions"):
        assert "hunter2" not in support.get(path).text and "[hidden]" in support.get(path).text
        assert "hunter2" in admin.get(path).text
    path = f"/schedules/{one['id']}"
    problem(admin("PUT", path, json=SAID | {"type": "x", "payload": {"password": "[hidden]"}}), 422)
    problem(admin.post("/schedules", json=SAID | {"name": "r", "type": "celeriac.retention", "payload": {}}), 422)
    for verb in ("runs", "pause", "resumption", "duplicates", "backfills"):
        problem(support.post(f"{path}/{verb}", json={}), 403)
    problem(support("PUT", path, json=SAID), 403)
    problem(support("DELETE", path), 403)
