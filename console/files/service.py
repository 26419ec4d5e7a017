"""Files that people give to jobs, and files that jobs leave: on the disk that web, workers and beat share.

<data>/uploads/<id>/<name>     given for one job; removed when it has ended well, or is too old
<data>/results/<job id>/…      left by a job; removed when too old
"""

from __future__ import annotations

import re
import shutil
import tempfile
import unicodedata
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from sqlalchemy.orm import Session

from console import clock, ids
from console.audit.service import Actor, record
from console.config import settings
from console.errors import InvalidInput, NotFound, TooLarge
from console.files import pictures

MB = 1024 * 1024
MOST_FILES = 500
CHUNK = 256 * 1024
CHECKPOINT = "checkpoint.json"
UNFINISHED = ".new"


@dataclass(frozen=True, slots=True)
class Given:
    """A file as it comes in; its name is what somebody claims."""

    name: str
    stream: IO[bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is kept. `name` is relative to its folder."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that wait for a job."""

    id: str
    files: tuple[Kept, ...]
    expires_at: datetime


def keep_pictures(
    transaction: Callable[[], AbstractContextManager[Session]], actor: Actor, given: Sequence[Given]
) -> Upload:
    """Keeps pictures for a job that is dispatched next.

    Raises `InvalidInput` naming what is no picture, and `TooLarge`; then nothing is kept.
    """
    if not 1 <= len(given) <= MOST_FILES:
        raise _refused(f"Send 1 to {MOST_FILES} pictures.")
    upload_id = ids.new_id()
    folder, making = settings().uploads_dir / upload_id, settings().uploads_dir / f".{upload_id}"
    making.mkdir(parents=True, mode=0o700)
    try:
        kept = tuple(_write(making, given))
        with transaction() as session:
            record(session, actor, "uploads.create", "upload", upload_id, files=len(kept))
            making.rename(folder)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Upload(upload_id, kept, clock.now() + timedelta(days=settings().upload_days))


def upload_folder(upload_id: str) -> Path:
    """Where the files of an upload are. Raises `NotFound` when it is gone, or never was."""
    folder = settings().uploads_dir / upload_id
    if not _is_id(upload_id) or folder.is_symlink() or not folder.is_dir():
        raise NotFound(
            f"There is no upload {upload_id!r}. It is gone once a job has used it, or after {settings().upload_days} "
            "days. Upload the files again."
        )
    return folder


def forget_upload(upload_id: str) -> None:
    """Removes an upload; a second time does nothing."""
    if _is_id(upload_id):
        shutil.rmtree(settings().uploads_dir / upload_id, ignore_errors=True)


def result_folder(job_id: str) -> Path:
    """Where a job leaves its files. Raises `InvalidInput` for an id that could name another place."""
    if not _is_id(job_id):
        raise InvalidInput(f"A job with the id {job_id!r} cannot keep files: its id is no UUID.")
    return settings().results_dir / job_id


def results_of(job_id: str) -> list[Kept]:
    """The finished files of a job, by name."""
    if not _is_id(job_id):
        return []
    folder = result_folder(job_id)
    return [Kept(str(path.relative_to(folder)), path.stat().st_size) for path in _finished(folder)]


def forget_results(job_ids: Iterable[str]) -> None:
    """Removes what jobs left, because nobody knows these jobs any more; a second time does nothing."""
    if settings().results_dir.is_dir():
        for job_id in filter(_is_id, job_ids):
            shutil.rmtree(settings().results_dir / job_id, ignore_errors=True)


def open_results(job_id: str) -> tuple[str, IO[bytes]]:
    """A job's files to download, and what to call them: the file if it is one, else a zip of all. The caller closes it.

    Raises `NotFound` when there are none.
    """
    folder = result_folder(job_id) if _is_id(job_id) else Path()
    found = list(_finished(folder)) if _is_id(job_id) else []
    if not found:
        raise NotFound(f"Job {job_id!r} has no files. They are kept for {settings().result_days} days.")
    if len(found) == 1:
        return found[0].name, found[0].open("rb")
    return f"{job_id}.zip", _packed(folder, found)


def sweep(now: datetime) -> int:
    """Removes uploads and results that are too old, and returns how many."""
    ages = {settings().uploads_dir: settings().upload_days, settings().results_dir: settings().result_days}
    gone = 0
    for root, days in ages.items():
        oldest = clock.to_ms(now - timedelta(days=days)) / 1_000
        for folder in root.iterdir() if root.is_dir() else ():
            is_ours = _is_id(folder.name.removeprefix(".")) and not folder.is_symlink()
            if is_ours and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
    return gone


def safe_name(name: str, ending: str) -> str:
    """A name that stands for nothing but a file in its folder: ASCII, without path, not hidden, with this ending."""
    last = re.split(r"[/\\]", name)[-1]
    plain = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode()
    before, dot, _ = plain.rpartition(".")
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", before if dot else plain).strip("-")[:80]
    return f"{stem or 'picture'}{ending}"


def _write(folder: Path, given: Sequence[Given]) -> Iterator[Kept]:
    left = settings().upload_mb * MB
    for number, file in enumerate(given, 1):
        try:
            name = safe_name(file.name, pictures.ending_of(file.stream))
        except pictures.NotAPicture as error:
            raise _refused(f"{file.name[:100]}: {error}") from None
        if (folder / name).exists():
            name = f"{number}-{name}"
        with (folder / name).open("xb") as kept:
            while chunk := file.stream.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise TooLarge(f"An upload may have {settings().upload_mb} MB in all. Send fewer files at once.")
                kept.write(chunk)
            yield Kept(name, kept.tell())


def _finished(folder: Path) -> Iterator[Path]:
    """Whole files below a folder; a link may lead anywhere, so none is followed."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in sorted(folder.rglob("*")):
        is_whole = path.name != CHECKPOINT and path.suffix != UNFINISHED and not path.name.startswith(".")
        if is_whole and path.is_file() and path.resolve() == folder.resolve() / path.relative_to(folder):
            yield path


def _packed(folder: Path, found: Sequence[Path]) -> IO[bytes]:
    """A zip on the disk that is gone when it is closed."""
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    try:
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in found:
                packed.write(path, path.relative_to(folder))
        archive.seek(0)
    except BaseException:
        archive.close()
        raise
    return archive


def _is_id(text: str) -> bool:
    """Whether it is a UUID as we write them, which is also a safe name of a folder."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _refused(message: str) -> InvalidInput:
    return InvalidInput(message, [{"field": "file", "message": message}])
