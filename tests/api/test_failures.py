"""/api/v1/failures… and /api/v1/deploys…"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from console import clock
from tests.api.conftest import Program, problem
from tests.factories.failures import record_failures


def ask(program: Program, path: str) -> Any:
    response = program.get(path)
    assert response.status_code == 200, response.text
    return response.json


def test_groups_as_a_list_and_alone(support: Program) -> None:
    group = record_failures(3, payload={"user_id": 4711})
    record_failures(job_type="shop.refund")
    assert ask(support, "/failures?sort=total")["data"][0]["fingerprint"] == group
    assert [one["type"] for one in ask(support, "/failures?type=shop.refund")["data"]] == ["shop.refund"]
    shown = ask(support, f"/failures/{group}")
    assert (shown["group"]["total"], shown["group"]["open"], shown["group"]["state"]) == (3, 3, "open")
    assert sum(shown["group"]["trend"]) == 3
    assert shown["payloads"] == [{"key": "user_id", "jobs": 3, "different": 1, "top": [{"value": "4711", "jobs": 3}]}]
    assert shown["workers"] == [{"name": "celery@a", "jobs": 3}]
    assert shown["deploy_before"] is None
    assert shown["latest_job"].startswith("failure-")
    [row, _] = ask(support, "/failures/matrix")["data"]
    assert row["type"] == "shop.charge"
    assert row["cells"][0] == {"age": "last hour", "jobs": 3, "exact": True}
    assert ask(support, "/failures/matrix?open=true")["more"] == 0


def test_what_can_be_done(support: Program) -> None:
    group = record_failures()
    path = f"/failures/{group}"
    assert support.post(f"{path}/resolution", json={"version": 0}).json["state"] == "resolved"
    problem(support.post(f"{path}/resolution", json={}), 409)
    problem(support.post(f"{path}/reopening", json={"version": 0}), 409)
    assert support.post(f"{path}/reopening", json={"version": 1}).json["state"] == "open"
    until = (clock.now() + timedelta(hours=1)).isoformat()
    ignored = support.post(f"{path}/ignoring", json={"until": until, "more": 10}).json
    assert (ignored["state"], ignored["ignore_left"], ignored["version"]) == ("ignored", 10, 3)
    problem(support.post(f"{path}/ignoring", json={}), 422)
    assert support("PUT", f"{path}/note", json={"note": "x"}).json["note"] == "x"
    assert support("PUT", f"{path}/runbook", json={"runbook": "https://a.b"}).json["runbook"] == "https://a.b"
    problem(support("PUT", f"{path}/runbook", json={"runbook": "javascript:x"}), 422)
    assert support("PUT", f"{path}/assignee", json={"assignee": ""}).json["assignee"] is None
    problem(support("PUT", f"{path}/assignee", json={"assignee": "nobody@example.com"}), 422)
    problem(support.post("/failures/0000000000000000/resolution", json={}), 404)


@pytest.mark.parametrize("query", ["state=x", "sort=x", "page=0", "limit=999", "nonsense=1"])
def test_nonsense(support: Program, query: str) -> None:
    problem(support.get(f"/failures?{query}"), 422)


def test_deploys(admin: Program, support: Program) -> None:
    at = (clock.now() - timedelta(minutes=4)).isoformat()
    added = admin.post("/deploys", json={"version": "1.4.2", "at": at, "note": "cards"})
    assert added.status_code == 201
    group = record_failures()
    assert ask(support, f"/failures/{group}")["deploy_before"]["version"] == "1.4.2"
    assert [one["id"] for one in ask(support, "/deploys?limit=5")["data"]] == [added.json["id"]]
    problem(support.post("/deploys", json={"version": "1"}), 403)
    problem(admin.post("/deploys", json={"version": " "}), 422)
    problem(admin.post("/deploys", json={"version": "1", "at": "2999-01-01T00:00:00Z"}), 422)
    problem(support("DELETE", f"/deploys/{added.json['id']}"), 403)
    assert admin("DELETE", f"/deploys/{added.json['id']}").json == {"id": added.json["id"]}
    problem(admin("DELETE", f"/deploys/{added.json['id']}"), 404)
