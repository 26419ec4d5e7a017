"""Batch jobs run in this process, on real data."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from console import db
from console.audit.service import SYSTEM
from console.config import settings
from console.errors import InvalidInput
from console.files import service as files
from console.jobs import service
from console.jobs.registry import job_type

FIRST, SECOND = "01a20c9e-8ba4-703a-a9c3-072ef8ecc26d", "01a20c9e-8ba4-703a-a9c3-072ef8ecc26e"


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
    whole = run("heavy.export_jobs", FIRST, type="demo.noop")
    assert whole["rows"] == 1_200
    path = Path(str(whole["file"]))
    lines = path.read_text().splitlines(keepends=True)
    cut = path.parent.parent / SECOND
    cut.mkdir()
    from console.jobs import queries
    from console.jobs.filters import JobFilter

    with db.reading() as session:
        first = queries.list_jobs(session, JobFilter(type="demo.noop"), None, 500)
    assert first.next is not None
    begun = "".join(lines[:501]).encode()
    (cut / "jobs.csv").write_bytes(begun + b"half a li")
    (cut / "checkpoint.json").write_text(json.dumps({"cursor": first.next.encode(), "rows": 500, "bytes": len(begun)}))
    run("heavy.export_jobs", SECOND, type="demo.noop")
    with (cut / "jobs.csv").open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    assert len(ids) == len(set(ids)) == 1_200
    assert not (cut / "checkpoint.json").exists()


@pytest.mark.parametrize("at", [0, 500, 1_000])
def test_an_export_of_a_search_as_json_goes_on_where_it_stopped(sqlite_database: Engine, broker: object, at: int) -> None:
    import tasks  # noqa: F401
    from console.jobs.search.language import parse

    with db.writing() as session:
        service.dispatch(session, SYSTEM, job_type("demo.noop"), {}, count=1_100)
        service.dispatch(session, SYSTEM, job_type("demo.sleep"), {"seconds": 5}, count=3)
    wanted = parse("type:demo.noop -args.seconds:5").to_json()
    whole = run("heavy.export_jobs", FIRST, filter=wanted, format="json")
    text = Path(str(whole["file"])).read_text()
    jobs = json.loads(text)
    assert len({job["id"] for job in jobs}) == len(jobs) == whole["rows"] == 1_100
    if at:
        from console.jobs.filters import Cursor

        cut = files.result_folder(SECOND)
        cut.mkdir(parents=True)
        begun = "".join(text.splitlines(keepends=True)[: at + 1]).removesuffix(",\n").encode()
        last = jobs[at - 1]
        place = Cursor(datetime.fromisoformat(last["enqueued_at"]), last["id"]).encode()
        (cut / "jobs.json").write_bytes(begun + b',\n{"half')
        (cut / "checkpoint.json").write_text(json.dumps({"cursor": place, "rows": at, "bytes": len(begun)}))
        again = run("heavy.export_jobs", SECOND, filter=wanted, format="json")
        assert json.loads(Path(str(again["file"])).read_text()) == jobs


def test_an_export_of_nothing_is_an_empty_list(sqlite_database: Engine, broker: object) -> None:
    done = run("heavy.export_jobs", FIRST, type="nothing", format="json")
    assert json.loads(Path(str(done["file"])).read_text()) == []


@pytest.mark.parametrize("text", ["{", "[]", "{}}", '{"conditions": [{"key": "nonsense", "value": "x"}]}', '{"state": ["x"]}', '{"back_to": "x"}', '{"conditions": [{"wrong": 1}]}'])
def test_a_filter_that_cannot_be_is_refused_before_anything_runs(sqlite_database: Engine, text: str) -> None:
    import tasks  # noqa: F401

    with pytest.raises(InvalidInput):
        job_type("heavy.export_jobs").validate({"filter": text})


def test_thumbnails_leave_out_what_is_no_picture(sqlite_database: Engine, broker: object) -> None:
    folder = settings().files_dir / "album"
    folder.mkdir(parents=True)
    Image.new("RGB", (800, 400), "red").save(folder / "wide.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    done = run("heavy.thumbnails", FIRST, folder="album", size=100)
    assert (done["made"], done["pictures"]) == (1, 2)
    with Image.open(folder / "thumbnails-100" / "wide.png.webp") as small:
        assert small.size == (100, 50)


def test_a_folder_elsewhere_is_refused(sqlite_database: Engine, broker: object, setting: Callable[[str, str], None]) -> None:
    from tasks.errors import PermanentFailure

    settings().files_dir.mkdir(parents=True)
    with pytest.raises(PermanentFailure):
        run("heavy.thumbnails", FIRST, folder="../../..")


def upload(*pictures: tuple[str, bytes]) -> str:
    given = [files.Given(name, io.BytesIO(content)) for name, content in pictures]
    return files.keep_pictures(db.writing, SYSTEM, given).id


def png(width: int = 60, height: int = 30) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "green").save(out, "PNG")
    return out.getvalue()


def test_uploaded_pictures_become_thumbnails_to_download_and_are_removed(sqlite_database: Engine, broker: object) -> None:
    given = upload(("a.png", png(800, 400)), ("b.png", png()))
    done = run("heavy.thumbnails", FIRST, upload=given, size=100)
    assert (done["made"], done["pictures"], done["unreadable"]) == (2, 2, [])
    assert [file.name for file in files.results_of(FIRST)] == ["a.png.webp", "b.png.webp"]
    with Image.open(files.result_folder(FIRST) / "a.png.webp") as small:
        assert small.size == (100, 50)
    assert list(settings().uploads_dir.iterdir()) == []


def test_a_job_that_died_after_its_work_is_done_when_it_runs_again(sqlite_database: Engine, broker: object) -> None:
    given = upload(("a.png", png()))
    first = run("heavy.thumbnails", FIRST, upload=given)
    assert run("heavy.thumbnails", FIRST, upload=given) == first


def test_an_upload_that_is_gone_is_said_so(sqlite_database: Engine, broker: object) -> None:
    from tasks.errors import PermanentFailure

    given = upload(("a.png", png()))
    run("heavy.thumbnails", FIRST, upload=given)
    with pytest.raises(PermanentFailure, match="Upload the files again"):
        run("heavy.thumbnails", SECOND, upload=given)


def test_what_was_never_uploaded_cannot_be_dispatched(sqlite_database: Engine, broker: object) -> None:
    import tasks  # noqa: F401

    for payload in ({"upload": FIRST}, {"upload": "../files"}, {}, {"upload": upload(("a.png", png())), "folder": "x"}):
        with db.writing() as session, pytest.raises(InvalidInput):
            service.dispatch(session, SYSTEM, job_type("heavy.thumbnails"), payload)


def test_links_in_a_folder_are_not_followed(sqlite_database: Engine, broker: object, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    folder = settings().files_dir / "album"
    folder.mkdir(parents=True)
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    assert run("heavy.thumbnails", FIRST, folder="album")["pictures"] == 0


@pytest.mark.parametrize("job_id", ["../../etc", "a/b", "album", "", "01A20C9E-8BA4-703A-A9C3-072EF8ECC26D"])
def test_a_job_whose_id_could_name_another_folder_gets_none(sqlite_database: Engine, broker: object, job_id: str) -> None:
    from tasks.errors import PermanentFailure

    with pytest.raises(PermanentFailure, match="no UUID"):
        run("heavy.export_jobs", job_id)
