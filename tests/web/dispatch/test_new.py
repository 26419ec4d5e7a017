"""/jobs/new: the form that dispatches, and what it does with what is typed."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
import redis
from flask import Flask
from PIL import Image

from console import db
from console.config import settings
from console.files import service as files
from console.jobs.models import JobStatus
from tests.web.conftest import Browser, page, said


@pytest.fixture(autouse=True)
def job_types(app: Flask) -> None:
    """Ours, beside the one of the tests."""
    import tasks  # noqa: F401


def stored() -> list[JobStatus]:
    with db.reading() as session:
        return session.query(JobStatus).order_by(JobStatus.id).all()


def png() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(out, "PNG")
    out.seek(0)
    return out


def beside(response: Any, name: str) -> str:
    found = page(response).find(id=f"{name}-wrong")
    assert found is not None
    return found.get_text()


def test_lists_what_can_be_dispatched(admin: Browser) -> None:
    shown = page(admin.get("/jobs/new"))
    assert shown.select_one("a[href='/jobs/new?type=emails.send']") is not None
    assert page(admin.get("/jobs")).select_one("a[href='/jobs/new']") is not None


def test_the_form_has_a_field_for_each_of_the_payload(admin: Browser) -> None:
    shown = page(admin.get("/jobs/new?type=emails.send"))
    assert shown.select_one("input[name='payload.to'][required]") is not None
    choices = shown.select("select[name='payload.template'] option")
    assert [choice.get_text() for choice in choices] == [
        "default: generic", "generic", "task_reminder", "password_reset", "verify_address", "alert",
    ]
    assert shown.select_one("textarea[name='payload.values']") is not None
    numbers = page(admin.get("/jobs/new?type=demo.sleep")).select_one("input[name='payload.seconds']")
    assert numbers is not None
    assert (numbers["type"], numbers["value"], numbers["min"], numbers["max"]) == ("number", "", "0", "3600")
    assert "empty: 1.0" in said(admin.get("/jobs/new?type=demo.sleep"))
    assert page(admin.get("/jobs/new?type=demo.stuck")).select_one("input[type=checkbox][checked]") is not None
    assert page(admin.get("/jobs/new?type=heavy.thumbnails")).select_one("input[type=file]") is not None
    assert admin.get("/jobs/new?type=no.such").status_code == 404


def test_what_is_typed_is_dispatched(admin: Browser, broker: redis.Redis) -> None:
    response = admin.submit(
        "/jobs",
        **{
            "type": "tests.greet", "payload.name": "Ada", "payload.times": "3", "queue": "slow", "priority": "3",
            "tags": "night, retry me", "unique_key": "k", "count": "1",
        },
    )
    [job] = stored()
    assert response.headers["Location"] == f"/jobs/{job.id}"
    assert (job.queue, job.priority, job.unique_key, job.tags) == ("slow", 3, "k", '["night", "retry", "me"]')
    with db.reading() as session:
        assert session.get_one(JobStatus, job.id).payload == '{"args":[],"kwargs":{"name":"Ada","times":3}}'
    again = admin.submit("/jobs", type="tests.greet", unique_key="k")
    assert again.headers["Location"] == f"/jobs/{job.id}"
    assert "has not ended yet" in said(admin.get(f"/jobs/{job.id}"))
    assert len(stored()) == 1


def test_fields_become_json_and_rows_are_added_without_a_script(admin: Browser) -> None:
    typed = {"type": "tests.greet", "payload-type": "tests.greet", "payload.name": "Ada", "payload.times": "many", "tags": "a"}
    shown = page(admin.submit("/jobs", **typed, reshape="json"))
    assert json.loads(shown.find("textarea", id="payload").get_text()) == {"name": "Ada", "times": "many"}  # type: ignore[union-attr]
    assert shown.find(id="tags")["value"] == "a"  # type: ignore[index]
    response = admin.submit("/jobs", type="tests.greet", payload='{"name": "Ada", "times": 77}')
    assert (response.status_code, "times: Input should be less than" in beside(response, "payload")) == (422, True)
    back = page(admin.submit("/jobs", **{"type": "tests.greet", "payload-type": "tests.greet", "payload": '{"times": 77}', "reshape": "fields"}))
    assert back.find(id="payload.times")["value"] == "77"  # type: ignore[index]
    assert stored() == []
    admin.submit("/jobs", type="tests.greet", payload='{"times": 7}')
    assert len(stored()) == 1


def test_several_lead_to_the_list(admin: Browser) -> None:
    response = admin.submit("/jobs", type="tests.greet", count="3", delay="60")
    assert response.headers["Location"] == "/jobs?type=tests.greet"
    assert [job.state for job in stored()] == ["SCHEDULED"] * 3


def test_what_does_not_fit_is_said_beside_its_field_and_what_was_typed_is_kept(admin: Browser) -> None:
    response = admin.submit(
        "/jobs",
        **{"type": "tests.greet", "payload.name": "A" * 51, "payload.times": "many", "count": "0", "at": "noon", "tags": "a b"},
    )
    assert response.status_code == 422
    assert "whole number" in beside(response, "payload.times")
    assert "at most 50 characters" in beside(response, "payload.name")
    assert beside(response, "count")
    assert beside(response, "at")
    shown = page(response)
    assert shown.find(id="payload.times")["value"] == "many"  # type: ignore[index]
    assert shown.find(id="payload.name")["value"] == "A" * 51  # type: ignore[index]
    assert shown.find(id="tags")["value"] == "a b"  # type: ignore[index]
    assert shown.find(id="payload.times")["aria-invalid"] == "true"  # type: ignore[index]
    assert stored() == []


@pytest.mark.parametrize(
    ("kind", "typed", "field"),
    [
        ("emails.send", {"payload.to": "ada@example.com", "payload.subject": "x", "payload.values": "{"}, "payload.values"),
        ("emails.send", {"payload.to": "nobody", "payload.subject": "x"}, "payload.to"),
        ("emails.send", {"payload.to": "ada@example.com"}, "payload.subject"),
        ("emails.send", {"payload.to": "ada@example.com", "payload.subject": "x", "payload.template": "own"}, "payload.template"),
        ("demo.sleep", {"payload.seconds": "nan"}, "payload.seconds"),
        ("demo.sleep", {"delay": "5", "at": "2030-01-01T10:00"}, "at"),
        ("demo.sleep", {"unique_key": "k", "count": "2"}, "unique_key"),
    ],
)
def test_each_mistake_stands_at_its_field(admin: Browser, kind: str, typed: dict[str, str], field: str) -> None:
    response = admin.submit("/jobs", **{"type": kind, **typed})
    assert response.status_code == 422
    assert beside(response, field)
    assert stored() == []


def test_pictures_are_uploaded_kept_over_a_mistake_and_given_to_the_job(admin: Browser) -> None:
    response = admin.submit(
        "/jobs", **{"type": "heavy.thumbnails", "payload.size": "5", "payload.upload": [(png(), "a.png"), (png(), "b.png")]}
    )
    assert response.status_code == 422
    assert beside(response, "payload.size")
    [kept] = settings().uploads_dir.iterdir()
    hidden = page(response).select_one("input[type=hidden][name='payload.upload']")
    assert hidden is not None
    assert hidden["value"] == kept.name
    response = admin.submit("/jobs", **{"type": "heavy.thumbnails", "payload.upload": kept.name, "payload.size": "32"})
    assert response.status_code == 303
    assert [job.type for job in stored()] == ["heavy.thumbnails"]


def test_what_is_no_picture_is_said_at_the_field(admin: Browser) -> None:
    response = admin.submit("/jobs", **{"type": "heavy.thumbnails", "payload.upload": [(io.BytesIO(b"x"), "a.png")]})
    assert response.status_code == 422
    assert "a.png: It is no picture" in beside(response, "payload.upload")


def test_a_form_of_another_site_dispatches_nothing(admin: Browser) -> None:
    assert admin.submit_forged("/jobs", type="tests.greet").status_code == 400
    assert stored() == []


def test_the_files_of_a_job_can_be_downloaded_from_its_page(admin: Browser, support: Browser, job: Any, outsider: Browser) -> None:
    job_id = job("COMPLETED")
    assert support.get(f"/jobs/{job_id}/files").status_code == 404
    folder = files.result_folder(job_id)
    folder.mkdir(parents=True)
    (folder / "a.webp").write_bytes(b"a")
    (folder / "b.webp").write_bytes(b"b")
    assert page(support.get(f"/jobs/{job_id}")).select_one(f"a[href='/jobs/{job_id}/files']") is not None
    response = support.get(f"/jobs/{job_id}/files")
    assert response.headers["Content-Disposition"] == f"attachment; filename={job_id}.zip"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    with zipfile.ZipFile(io.BytesIO(response.data)) as packed:
        assert packed.namelist() == ["a.webp", "b.webp"]
    response.close()
    assert outsider.get(f"/jobs/{job_id}/files").status_code == 302
