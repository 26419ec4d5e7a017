"""Batch jobs run in this process, on real data."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from console import db
from console.audit.service import SYSTEM
from console.config import settings
from console.jobs import service
from console.jobs.registry import job_type


def run(name: str, job_id: str, **payload: object) -> dict[str, object]:
    import tasks

    job = tasks.app.tasks[name]
    job.push_request(id=job_id, retries=0, delivery_info={})
    try:
        return dict(job.run(**payload))
    finally:
        job.pop_request()


def test_an_export_goes_on_where_it_stopped(sqlite_database: Engine, broker: object) -> None:
    import tasks  # noqa: F401

    with db.writing() as session:
        service.dispatch(session, SYSTEM, job_type("demo.noop"), {}, count=1_200)
    whole = run("heavy.export_jobs", "export-1", type="demo.noop")
    assert whole["rows"] == 1_200
    path = Path(str(whole["file"]))
    lines = path.read_text().splitlines(keepends=True)
    cut = path.parent.parent / "export-2"
    cut.mkdir()
    from console.jobs import queries
    from console.jobs.filters import JobFilter

    with db.reading() as session:
        first = queries.list_jobs(session, JobFilter(type="demo.noop"), None, 500)
    assert first.next is not None
    begun = "".join(lines[:501]).encode()
    (cut / "jobs.csv").write_bytes(begun + b"half a li")
    (cut / "checkpoint.json").write_text(json.dumps({"cursor": first.next.encode(), "rows": 500, "bytes": len(begun)}))
    run("heavy.export_jobs", "export-2", type="demo.noop")
    with (cut / "jobs.csv").open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert len(ids) == len(set(ids)) == 1_200
    assert not (cut / "checkpoint.json").exists()


def test_thumbnails_leave_out_what_is_no_picture(sqlite_database: Engine, broker: object) -> None:
    folder = settings().files_dir / "album"
    folder.mkdir(parents=True)
    Image.new("RGB", (800, 400), "red").save(folder / "wide.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    done = run("heavy.thumbnails", "thumbs-1", folder="album", size=100)
    assert (done["made"], done["pictures"]) == (1, 2)
    with Image.open(folder / "thumbnails-100" / "wide.png.webp") as small:
        assert small.size == (100, 50)


def test_a_folder_elsewhere_is_refused(sqlite_database: Engine, broker: object, setting: Callable[[str, str], None]) -> None:
    from tasks.errors import PermanentFailure

    settings().files_dir.mkdir(parents=True)
    with pytest.raises(PermanentFailure):
        run("heavy.thumbnails", "thumbs-2", folder="../../..")
