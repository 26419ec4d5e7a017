"""Batch work: in chunks, with progress, going on after a failure where it stopped."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, ClassVar, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

from console import db
from console.config import settings
from console.errors import InvalidInput, NotFound
from console.files import pictures
from console.files import service as files
from console.jobs import queries
from console.jobs.filters import Cursor, JobFilter, parse_states
from console.jobs.policies import Fixed
from console.jobs.registry import DISPATCHING
from console.jobs.search.language import format_filter, parse
from tasks.errors import PermanentFailure
from tasks.job import Job

PAGE = 500
COLUMNS = (
    "id",
    "type",
    "queue",
    "state",
    "attempts",
    "worker",
    "enqueued_at",
    "started_at",
    "finished_at",
    "runtime_ms",
    "reason",
    "error_type",
    "error_message",
    "tags",
    "source",
    "retry_of",
    "retried_as",
)
_JSON_END = "\n]\n"
IMAGE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tiff"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a job came, in a file of its own that is replaced as a whole. `state` is JSON-able."""

    path: Path

    def read(self) -> dict[str, Any]:
        """What was kept last; empty at the very beginning."""
        try:
            return dict(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return {}

    def write(self, state: dict[str, Any]) -> None:
        """Keeps the state; a kill in the middle leaves the one before."""
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(state))
        beside.replace(self.path)

    def clear(self) -> None:
        """The job is done."""
        self.path.unlink(missing_ok=True)


class HeavyJob(Job):
    """Base of batch jobs: queue `heavy`, files of their own, a checkpoint."""

    abstract = True
    queue_name = "heavy"
    retry_policy = Fixed((60, 300))

    def folder(self) -> Path:
        """The job's own folder; what is in it can be downloaded from the job's page when it has ended."""
        try:
            path = files.result_folder(str(self.request.id))
        except InvalidInput as error:
            raise PermanentFailure(error.detail) from None
        path.mkdir(parents=True, exist_ok=True)
        return path

    def checkpoint(self) -> Checkpoint:
        """Shared by all attempts of the job."""
        return Checkpoint(self.folder() / "checkpoint.json")


class ExportPayload(BaseModel):
    """Which jobs to export; as the filter of the jobs list. `states`: any case.

    `filter`: a whole filter as JSON, in place of the others; exports that the Jobs page starts have it.
    """

    format: Literal["csv", "json"] = "csv"
    filter: str = Field("", max_length=20_000)
    states: list[str] = Field(default_factory=list)
    queue: str = ""
    type: str = ""
    text: str = ""

    @field_validator("states")
    @classmethod
    def _known(cls, states: list[str]) -> list[str]:
        return [str(state) for state in parse_states(states)]

    @field_validator("filter")
    @classmethod
    def _readable(cls, text: str) -> str:
        """What a search could mean, so that it cannot fail in the middle."""
        try:
            parse(format_filter(JobFilter.from_json(text))) if text else None
        except (ValueError, TypeError, KeyError, AttributeError, InvalidInput) as error:
            raise ValueError(f"It is no filter that Celeriac wrote: {error}") from None
        return text

    def wanted(self) -> JobFilter:
        """The jobs that are meant."""
        if self.filter:
            return JobFilter.from_json(self.filter)
        return JobFilter(states=parse_states(self.states), queue=self.queue, type=self.type, text=self.text)


class ExportJobs(HeavyJob):
    """Writes matching jobs to a CSV or JSON file, newest first."""

    name = "heavy.export_jobs"
    schema = ExportPayload
    chunk: ClassVar[int] = PAGE

    def handle(self, payload: ExportPayload) -> dict[str, Any]:
        """Returns the file's path and how many jobs it holds."""
        wanted, is_csv = payload.wanted(), payload.format == "csv"
        path, checkpoint = self.folder() / f"jobs.{payload.format}", self.checkpoint()
        kept = checkpoint.read()
        with db.reading() as session:
            total = max(1, queries.count_jobs(session, wanted)[0])
        with path.open("a", newline="", encoding="utf-8") as file:
            file.truncate(int(kept.get("bytes", 0)))
            rows, write = int(kept.get("rows", 0)), _write_csv if is_csv else _write_json
            for jobs, following in _pages(wanted, Cursor.decode(str(kept.get("cursor", "")))):
                write(file, jobs, is_first=not rows)
                file.write(_JSON_END if following is None and not is_csv else "")
                file.flush()
                os.fsync(file.fileno())
                rows += len(jobs)
                if following:
                    checkpoint.write({"cursor": following.encode(), "rows": rows, "bytes": file.tell()})
                self.progress(min(rows, total), total, f"{rows:,} jobs")
        checkpoint.clear()
        return {"file": str(path), "rows": rows}


class ThumbnailsPayload(BaseModel):
    """Where the pictures are, and the longest side of a thumbnail in pixels."""

    upload: str = Field("", description="Pictures to upload.", json_schema_extra={"format": "upload"})
    folder: str = Field("", description="Or a folder that lies below files/ in CELERIAC_DATA.")
    size: int = Field(256, ge=16, le=4_096, description="Longest side, in pixels.")

    @model_validator(mode="after")
    def _one_source(self, info: ValidationInfo) -> ThumbnailsPayload:
        if bool(self.upload) == bool(self.folder):
            raise ValueError("Give pictures to upload, or a folder.")
        if self.upload and info.context == DISPATCHING:
            try:
                files.upload_folder(self.upload)
            except NotFound as error:
                raise ValueError(error.detail) from None
        return self


class Thumbnails(HeavyJob):
    """Makes a small WebP of each picture; those that exist already are left."""

    name = "heavy.thumbnails"
    schema = ThumbnailsPayload

    def handle(self, payload: ThumbnailsPayload) -> dict[str, Any]:
        """Returns how many were made and which files are no pictures. What was uploaded is then removed."""
        if not payload.upload:
            source = _inside(settings().files_dir, payload.folder)
            return self._shrink_all(source, source / f"thumbnails-{payload.size}", payload.size)
        try:
            source = files.upload_folder(payload.upload)
        except NotFound as error:
            if done := self._done():
                return done
            raise PermanentFailure(error.detail) from None
        result = self._shrink_all(source, self.folder(), payload.size)
        self.checkpoint().write(result)
        files.forget_upload(payload.upload)
        return result

    def _done(self) -> dict[str, Any]:
        """What a process reported that died after the work, before the job counted as done."""
        return self.checkpoint().read()

    def _shrink_all(self, source: Path, target: Path, size: int) -> dict[str, Any]:
        target.mkdir(exist_ok=True)
        found = sorted(path for path in source.iterdir() if _may_be_picture(path))
        made, bad = 0, []
        for number, picture in enumerate(found, 1):
            small = target / f"{picture.name}.webp"
            if not small.exists():
                try:
                    _shrink(picture, small, size)
                    made += 1
                except (pictures.NotAPicture, OSError, SyntaxError, ValueError) as error:
                    bad.append(f"{picture.name}: {error}")
            self.progress(number, len(found), picture.name)
        return {"folder": target.name, "made": made, "pictures": len(found), "unreadable": bad[:100]}


def _write_csv(file: IO[str], jobs: Sequence[queries.JobLine], *, is_first: bool) -> None:
    writer = csv.writer(file)
    if is_first:
        writer.writerow(COLUMNS)
    writer.writerows([_cell(_told(job, name)) for name in COLUMNS] for job in jobs)


def _write_json(file: IO[str], jobs: Sequence[queries.JobLine], *, is_first: bool) -> None:
    """One list, a job on each line, that `_JSON_END` makes whole."""
    lines = [json.dumps({name: _told(job, name) for name in COLUMNS}) for job in jobs]
    file.write("[\n" if is_first else ",\n" if lines else "")
    file.write(",\n".join(lines))


def _told(job: queries.JobLine, name: str) -> Any:
    value = getattr(job, name)
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _pages(wanted: JobFilter, cursor: Cursor | None) -> Iterator[tuple[list[queries.JobLine], Cursor | None]]:
    while True:
        with db.reading() as session:
            page = queries.list_jobs(session, wanted, cursor, PAGE)
        yield page.jobs, page.next
        if page.next is None:
            return
        cursor = page.next


def _cell(value: Any) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    if value is None:
        return ""
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _inside(root: Path, name: str) -> Path:
    """The folder of that name below `root`. Raises `PermanentFailure` when it lies elsewhere or is not there."""
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_dir():
        raise PermanentFailure(f"There is no folder {name!r} below {root}. Put the pictures there first.")
    return path


def _may_be_picture(path: Path) -> bool:
    """By its name; a link could lead out of the folder."""
    return path.suffix.lower() in IMAGE_ENDINGS and not path.is_symlink() and path.is_file()


def _shrink(picture: Path, small: Path, size: int) -> None:
    beside = small.with_suffix(".new")
    with pictures.opened(picture) as image:
        image.thumbnail((size, size))
        image.convert("RGBA" if "A" in image.getbands() else "RGB").save(beside, "WEBP", quality=80)
    beside.replace(small)
