"""POST /api/v1/uploads"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import encode_multipart

from console.config import settings
from tests.api.conftest import Program, problem


@pytest.fixture(autouse=True)
def job_types(app: Flask) -> None:
    """Ours, of which one takes uploads."""
    import tasks  # noqa: F401


def png(size: tuple[int, int] = (8, 8)) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    out.seek(0)
    return out


def send(program: Program, *files: tuple[io.BytesIO, str], **more: Any) -> Any:
    fields = MultiDict([("file", FileStorage(stream, name)) for stream, name in files] + list(more.items()))
    boundary, body = encode_multipart(fields)
    return program.post("/uploads", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def test_pictures_are_kept_and_a_job_gets_them(admin: Program) -> None:
    response = send(admin, (png(), "../one.png"), (png(), "two.png"))
    assert response.status_code == 201, response.text
    assert [file["name"] for file in response.json["files"]] == ["one.png", "two.png"]
    made = admin.post("/jobs", json={"type": "heavy.thumbnails", "payload": {"upload": response.json["id"]}})
    assert made.status_code == 201
    unknown = admin.post("/jobs", json={"type": "heavy.thumbnails", "payload": {"upload": "0199c2f1-6a5e-7cc3-98c4-dc0c0c07398f"}})
    assert "Upload the files again" in problem(unknown, 422)["detail"]


def test_what_is_no_picture_is_a_422_that_names_it(admin: Program) -> None:
    said = problem(send(admin, (png(), "a.png"), (io.BytesIO(b"MZ"), "virus.png")), 422)
    assert said["errors"][0]["field"] == "file"
    assert "virus.png" in said["errors"][0]["message"]
    assert list(settings().uploads_dir.iterdir()) == []


def test_too_much_is_a_413(admin: Program, setting: Callable[[str, str], None]) -> None:
    setting("CELERIAC_UPLOAD_MB", "1")
    problem(send(admin, (io.BytesIO(b"\0" * 3 * 1024 * 1024), "a.png")), 413)


def test_more_than_other_requests_may_have_is_taken(admin: Program) -> None:
    heavy = io.BytesIO()
    Image.new("RGB", (3_000, 2_500)).save(heavy, "BMP")  # 22 MB
    assert heavy.tell() > 20 * 1024 * 1024
    heavy.seek(0)
    assert send(admin, (heavy, "heavy.bmp")).status_code == 201


def test_nothing_json_and_unknown_fields_are_refused(admin: Program) -> None:
    problem(send(admin), 422)
    problem(admin.post("/uploads", json={"file": "x"}), 415)
    said = problem(send(admin, (png(), "a.png"), folder="x"), 422)
    assert said["errors"][0]["field"] == "folder"


def test_support_may_not(support: Program) -> None:
    assert problem(send(support, (png(), "a.png")), 403)["permission"] == "jobs.dispatch"
