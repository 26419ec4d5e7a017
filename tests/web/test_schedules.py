"""Pages of schedules: the list, one, its form with the preview, versions and backfill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from console import clock, db
from console.jobs import registry
from console.jobs.registry import JobType, Limits
from console.schedules import queries
from tests.web.conftest import Browser, page, said

FORM = {"name": "nightly report", "type": "tests.greet", "payload": '{"name": "Ada"}', "kind": "cron", "cron": "30 2 * * *",
        "timezone": "Europe/Berlin", "overlap": "skip", "catch_up": "last"}  # fmt: skip


def made(admin: Browser, **more: str) -> str:
    response = admin.submit("/schedules", **(FORM | more))
    assert response.status_code == 303, said(response)
    return str(response.headers["Location"])


def test_an_empty_list_leads_to_the_form(admin: Browser, support: Browser) -> None:
    shown = page(admin.get("/schedules"))
    assert [link["href"] for link in shown.select(".empty a.primary")] == ["/schedules/new"]
    assert page(support.get("/schedules")).select("a.primary") == []


def test_a_schedule_is_made_seen_paused_and_resumed(admin: Browser, support: Browser) -> None:
    path = made(admin)
    shown = said(support.get("/schedules?q=NIGHT"))
    assert "nightly report At 02:30 every day (Europe/Berlin)" in shown
    assert "Run now" not in shown
    assert "No schedule matches" in said(support.get("/schedules?q=nothing"))
    one = page(support.get(path))
    assert len(one.select("ol.coming li")) == 10
    admin.submit(f"{path}/pause", reason="<b>inventory</b>", until="2001-01-01T00:00")
    assert "Choose a time that is still to come" in said(admin.get(path))
    admin.submit(f"{path}/pause", reason="<b>inventory</b>")
    assert "Paused by admin@example.com" in said(support.get(path))
    assert "Paused: <b>inventory</b>" in said(support.get("/schedules?state=paused"))
    response = admin.submit(f"{path}/resumption", **{"from": "list", "state": "active", "_external": "1"})
    assert response.headers["Location"] == "/schedules?state=active"


def test_run_now_leads_to_its_job(admin: Browser) -> None:
    path = made(admin)
    admin.submit(f"{path}/runs")
    shown = page(admin.get(path))
    job = shown.select_one("a[href^='/jobs/']")
    assert job is not None
    assert admin.get(str(job["href"])).status_code == 200
    assert "1 pending" in said(admin.get("/schedules"))


@pytest.mark.parametrize(("field", "value", "words"), [
    ("cron", "61 2 * * *", "61"), ("timezone", "Mars/Base", "There is no time zone"), ("payload", "{", "This is not JSON"),
    ("payload", '{"nam": 1}', "nam: Extra inputs"), ("starts_at", "tomorrow", "Write a time like"), ("max_runs", "x", "integer"), ("name", "", ""),
])  # fmt: skip
def test_what_does_not_fit_is_said_at_its_field(admin: Browser, field: str, value: str, words: str) -> None:
    response = admin.submit("/schedules", **(FORM | {field: value}))
    assert response.status_code == 422
    wrong = page(response).select_one(f"#{field}-wrong")
    assert wrong is not None
    assert wrong.get_text(strip=True) != ""
    assert words in wrong.get_text()
    kept = page(response).select_one("#cron")
    assert kept is not None
    assert kept["value"] == (value if field == "cron" else FORM["cron"])


class Order(BaseModel, extra="forbid"):
    """A payload with a list, a secret and what lies in another."""

    sku: str
    token: SecretStr | None = None
    notes: list[str] = Field(default_factory=list)


@pytest.fixture
def order_type(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = JobType(name="tests.order", queue="default", schema=Order, limits=Limits(3, 60, 90))
    monkeypatch.setitem(registry._types, kind.name, kind)


def typed_in(response: Any) -> dict[str, str]:
    """What a browser sends of the form as it stands."""
    shown = page(response)
    found = {str(one["name"]): str(one.get("value", "")) for one in shown.select("main form input[name]") if one.get("type") not in ("radio", "checkbox")}
    found |= {str(one["name"]): str(one["value"]) for one in shown.select("main form input[checked]")}
    found |= {str(one["name"]): one.get_text().removeprefix("\n") for one in shown.select("main form textarea[name]")}
    for one in shown.select("main form select[name]"):
        chosen = one.select_one("option[selected]") or one.select_one("option")
        assert chosen is not None
        found[str(one["name"])] = str(chosen.get("value", chosen.get_text()))
    return found


def payload_of(path: str) -> dict[str, Any]:
    with db.reading() as session:
        return queries.get_schedule(session, path.rpartition("/")[2]).definition.payload


@pytest.mark.usefixtures("order_type")
def test_the_payload_has_the_fields_of_its_type_and_keeps_what_is_hidden(admin: Browser, support: Browser) -> None:
    blank = typed_in(admin.get("/schedules/new?type=tests.order")) | {"name": "orders", "payload.sku": "a-1", "payload.token": "hunter2"}
    added = typed_in(admin.submit("/schedules", **blank, reshape="add:payload.notes")) | {"payload.notes.0": "first"}
    path = str(admin.submit("/schedules", **added).headers["Location"])
    assert payload_of(path) == {"sku": "a-1", "token": "hunter2", "notes": ["first"]}
    for person in (admin, support):
        assert "hunter2" not in person.get(path).text
    form = admin.get(f"{path}/edit")
    assert "hunter2" not in form.text
    as_json = admin.submit(f"{path}/edit", **typed_in(form), reshape="json")
    assert '"token": "[hidden]"' in typed_in(as_json)["payload"]
    changed = typed_in(as_json)
    admin.submit(f"{path}/edit", **(changed | {"payload": changed["payload"].replace("a-1", "b-2")}))
    assert payload_of(path) == {"sku": "b-2", "token": "hunter2", "notes": ["first"]}
    admin.submit(f"{path}/edit", **(typed_in(admin.get(f"{path}/edit")) | {"payload.token": "other", "payload.sku": "$schedule"}))
    assert payload_of(path) == {"sku": "$schedule", "token": "other", "notes": ["first"]}
    assert "hunter2" not in admin.get(path).text


@pytest.mark.usefixtures("order_type")
def test_fields_of_another_type_are_not_taken_for_its_own(admin: Browser) -> None:
    typed = typed_in(admin.get("/schedules/new?type=tests.greet")) | {"name": "orders", "type": "tests.order", "payload.name": "Ada"}
    response = admin.submit("/schedules", **typed)
    assert response.status_code == 422
    assert "Its fields are shown below now" in said(response)
    assert page(response).find(id="payload.sku") is not None
    wrong = admin.submit("/schedules", **(typed_in(response) | {"payload.sku": ""}))
    assert page(wrong).find(id="payload.sku-wrong").get_text() == "Fill this in."  # type: ignore[union-attr]
    fresh = admin.submit("/schedules", **(typed | {"reshape": "type"}))
    assert (fresh.status_code, page(fresh).find(id="payload.sku") is not None) == (200, True)


def test_the_preview_says_in_words_and_marks_what_the_clocks_do(support: Browser) -> None:
    typed = {"kind": "cron", "cron": "30 2 29 3 *", "timezone": "Europe/Berlin", "starts_at": "2027-03-01T00:00"}
    shown = said(support.submit("/schedules/preview", **typed))
    assert "At 02:30 on the 29th day of March" in shown or "02:30" in shown
    typed |= {"cron": "30 2 28 3 *"}  # the last Sunday of March 2027
    assert "right after the clocks go forward" in said(support.submit("/schedules/preview", **typed))
    broken = page(support.submit("/schedules/preview", **(typed | {"cron": "x"})))
    wrong = broken.select_one("#cron-wrong[hx-swap-oob]")
    assert wrong is not None
    assert wrong.get_text(strip=True) != ""


def test_an_edit_is_a_version_and_can_be_restored(admin: Browser) -> None:
    path = made(admin)
    typed = {str(field["name"]): str(field.get("value", "")) for field in page(admin.get(f"{path}/edit")).select("form input[type=hidden]")}
    assert admin.submit(f"{path}/edit", **(FORM | {"cron": "0 3 * * *", "rev": typed["rev"]})).status_code == 303
    assert "cron: 30 2 * * * → 0 3 * * *" in said(admin.get(path))
    late = admin.submit(f"{path}/edit", **(FORM | {"cron": "0 4 * * *", "rev": typed["rev"]}))
    assert late.status_code == 409
    assert "changed this schedule meanwhile" in said(late)
    admin.submit(f"{path}/versions/1/restoration")
    assert "At 02:30 every day" in said(admin.get(path))


def test_a_backfill_is_estimated_first(admin: Browser) -> None:
    path = made(admin, kind="every", every="1", unit="hours", timezone="UTC")
    now = clock.now().replace(tzinfo=None, microsecond=0)
    span = {"start": (now - timedelta(hours=3)).isoformat(), "end": now.isoformat()}
    assert "3 jobs" in said(admin.get(f"{path}/backfill?start={span['start']}&end={span['end']}"))
    assert admin.submit(f"{path}/backfill", **span).status_code == 303
    assert "3 pending" in said(admin.get("/schedules"))
    wrong = admin.submit(f"{path}/backfill", **(span | {"end": "2200-01-01T00:00"}))
    assert wrong.status_code == 422
    assert "Choose a span that is over" in said(wrong)


def test_a_copy_rests_and_the_original_can_be_deleted(admin: Browser) -> None:
    path = made(admin)
    copy = admin.submit(f"{path}/duplicates").headers["Location"]
    assert "nightly report (copy)" in said(admin.get(copy))
    assert admin.submit(f"{path}/removal").headers["Location"] == "/schedules"
    assert admin.get(path).status_code == 404
