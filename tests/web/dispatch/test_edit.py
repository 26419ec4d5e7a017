"""A failed job's payload, edited and retried: checked by the server, shown before it is sent."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from console import db
from console.audit.queries import entries_of
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.web.conftest import Browser, page, said


def sent(broker: redis.Redis) -> list[Any]:
    return [json.loads(base64.b64decode(json.loads(raw)["body"]))[:2] for raw in broker.lrange("default", 0, -1)]


def fields_in(browser: Browser, job_id: str) -> dict[str, str]:
    form = page(browser.get(f"/jobs/{job_id}/edit"))
    return {str(one["name"]): str(one.get("value", "")) for one in form.select("[name^='payload.']")}


def test_the_form_is_filled_and_the_difference_is_shown_before_anything_is_sent(
    support: Browser, job: Callable[..., str], broker: redis.Redis
) -> None:
    made = job()
    fields = fields_in(support, made)
    assert fields == {"payload.name": "Ada", "payload.times": "1"}
    review = support.submit(f"/jobs/{made}/edit", **(fields | {"payload.name": "Bob"}))
    assert review.status_code == 200
    lines = [line.get_text(" ").split(":", 1)[1].strip() for line in page(review).select(".diff .added, .diff .removed")]
    assert lines == ['"name": "Ada",', '"name": "Bob",']
    assert sent(broker) == []
    text = page(review).select_one("[name=json]").get_text()  # type: ignore[union-attr]
    done = support.submit(f"/jobs/{made}/edit", json=text, send="1")
    assert sent(broker) == [[[], {"name": "Bob", "times": 1}]]
    with db.reading() as session:
        old = session.get_one(JobStatus, made)
        assert done.headers["Location"] == f"/jobs/{old.retried_as}"
        assert [entry.action for entry in entries_of(session, "job", made)] == ["jobs.edit"]
    again = support.submit(f"/jobs/{made}/edit", json=text, send="1")
    assert (again.headers["Location"], len(sent(broker))) == (f"/jobs/{made}", 1)
    assert "What was changed" in said(support.get(f"/jobs/{made}"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"payload.name": "x" * 60, "payload.times": "1"}, "at most 50 characters"),
        ({"payload.name": "Ada", "payload.times": "many"}, "Type a whole number."),
        ({"json": "{"}, "This is not JSON"), ({"json": "[]"}, "Write {"),
        ({"json": '{"kwargs": {"nonsense": 1}}', "send": "1"}, "Extra inputs are not permitted"),
        ({"json": '{"args": [1], "kwargs": {}}', "send": "1"}, "Must be empty"),
        ({"json": "[" * 100_000, "send": "1"}, "This is not JSON"), ({"send": "1", "json": ""}, "This is not JSON"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_and_kept(
    support: Browser, job: Callable[..., str], broker: redis.Redis, fields: dict[str, str], message: str
) -> None:
    made = job()
    response = support.submit(f"/jobs/{made}/edit", **fields)
    assert response.status_code == 422
    assert message in said(response)
    assert sent(broker) == []
    if "payload.name" in fields:
        assert page(response).select_one("[name='payload.name']")["value"] == fields["payload.name"]  # type: ignore[index]


def test_a_type_that_is_not_known_here_is_edited_as_json_without_its_secrets(
    support: Browser, job: Callable[..., str], broker: redis.Redis
) -> None:
    made = job(type="shop.pay", payload=json.dumps({"args": [1], "kwargs": {"password": "hunter2", "n": 1}}))
    form = support.get(f"/jobs/{made}/edit")
    assert "hunter2" not in form.text
    text = page(form).select_one("[name=json]").get_text().replace('"n": 1', '"n": 2')  # type: ignore[union-attr]
    review = support.submit(f"/jobs/{made}/edit", json=text)
    assert "hunter2" not in review.text
    support.submit(f"/jobs/{made}/edit", json=page(review).select_one("[name=json]").get_text(), send="1")  # type: ignore[union-attr]
    assert sent(broker) == [[[1], {"password": "hunter2", "n": 2}]]


@pytest.mark.parametrize("state", [State.COMPLETED, State.FAILED, State.PENDING, State.PROCESSING])
def test_only_an_open_failure_can_be_edited(support: Browser, job: Callable[..., str], state: State) -> None:
    made = job(state)
    assert support.get(f"/jobs/{made}/edit").headers["Location"] == f"/jobs/{made}"
    assert support.submit(f"/jobs/{made}/edit", json='{"kwargs": {}}', send="1").headers["Location"] == f"/jobs/{made}"


def test_a_payload_too_large_for_a_form_is_edited_as_a_file(support: Browser, job: Callable[..., str]) -> None:
    made = job(type="shop.pay", payload=json.dumps({"args": ["x" * 300_000], "kwargs": {}}))
    assert support.get(f"/jobs/{made}/edit").headers["Location"] == f"/jobs/{made}"
    assert f"celeriac retry {made} --payload @payload.json" in said(support.get(f"/jobs/{made}"))
