"""What may come in, under which name it is kept, what goes out, and when it is removed."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import Engine

from console import clock, db
from console.actor import SYSTEM
from console.audit.models import AuditEntry
from console.config import settings
from console.errors import InvalidInput, NotFound, TooLarge
from console.files import pictures, service

JOB = "01a20c9e-8ba4-703a-a9c3-072ef8ecc26d"


@pytest.fixture(autouse=True)
def ready(sqlite_database: Engine) -> None:
    """A database for the audit, and a data directory."""


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind)
    return out.getvalue()


def bomb() -> bytes:
    """A PNG of some hundred bytes that says it has 100,000 × 100,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1_000)) + chunk(b"IEND", b"")


def keep(*given: tuple[str, bytes]) -> service.Upload:
    return service.keep_pictures(db.writing, SYSTEM, [service.Given(name, io.BytesIO(data)) for name, data in given])


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.is_dir() else []


@pytest.mark.parametrize("kind", sorted(pictures.ENDINGS))
def test_every_format_is_kept_with_its_own_ending(kind: str) -> None:
    kept = keep(("holiday.exe", picture(kind)))
    [file] = kept.files
    assert file.name == f"holiday{pictures.ENDINGS[kind]}"
    assert (service.upload_folder(kept.id) / file.name).read_bytes() == picture(kind)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd", "passwd.png"), ("..\\..\\boot.ini", "boot.png"), ("/abs/olute.png", "olute.png"),
        (".htaccess", "picture.png"), ("..", "picture.png"), ("", "picture.png"), ("a\0b.png", "a-b.png"),
        ("Übersicht Größe.PNG", "Ubersicht-Groe.png"), ("日本.png", "picture.png"), ("x" * 500, "x" * 80 + ".png"),
        ("-rf.png", "rf.png"), ("a/b/c d.tar.gz", "c-d-tar.png"), ("con:.png", "con.png"),
    ],
)
def test_a_name_never_leads_out_of_its_folder(name: str, kept: str) -> None:
    upload = keep((name, picture()))
    assert [file.name for file in upload.files] == [kept]
    assert everything(settings().uploads_dir) == [upload.id, f"{upload.id}/{kept}"]


def test_equal_names_do_not_replace_each_other() -> None:
    assert [file.name for file in keep(("a.png", picture()), ("a.png", picture()), ("a.jpg", picture())).files] == [
        "a.png", "2-a.png", "3-a.png",
    ]


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"%!PS-Adobe\n", picture()[:30], picture("WEBP")[:12]],
)
def test_what_is_no_picture_is_refused_and_nothing_is_kept(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"bad\.png: It is"):
        keep(("good.png", picture()), ("bad.png", data))
    assert everything(settings().uploads_dir) == []


def test_a_picture_that_unpacks_into_gigabytes_is_refused() -> None:
    with pytest.raises(InvalidInput, match="too large"):
        keep(("bomb.png", bomb()))
    wide = picture(size=(40_001, 1_000))
    with pytest.raises(InvalidInput, match=r"40001 × 1000 pixels: too large"):
        keep(("wide.png", wide))


def test_too_much_is_refused_and_nothing_is_kept(setting: Callable[[str, str], None]) -> None:
    setting("CELERIAC_UPLOAD_MB", "1")
    heavy = picture("BMP", (600, 400))  # 720 kB
    with pytest.raises(TooLarge):
        keep(("one.bmp", heavy), ("two.bmp", heavy))
    assert everything(settings().uploads_dir) == []


def test_an_upload_is_audited() -> None:
    kept = keep(("a.png", picture()))
    with db.reading() as session:
        entry = session.query(AuditEntry).filter_by(action="uploads.create").one()
    assert kept.id in str(vars(entry))


@pytest.mark.parametrize("name", ["", ".", "..", "../files", "a/../b", "/etc", JOB.upper(), JOB])
def test_an_upload_is_found_by_its_id_only(name: str) -> None:
    (settings().data / "files").mkdir(parents=True)
    settings().uploads_dir.mkdir(parents=True)
    with pytest.raises(NotFound):
        service.upload_folder(name)
    service.forget_upload(name)
    assert (settings().data / "files").is_dir()


def test_an_upload_that_is_a_link_is_none(tmp_path: Path) -> None:
    settings().uploads_dir.mkdir(parents=True)
    (settings().uploads_dir / JOB).symlink_to(tmp_path)
    with pytest.raises(NotFound):
        service.upload_folder(JOB)


def test_one_file_is_downloaded_as_it_is_and_several_in_a_zip() -> None:
    folder = service.result_folder(JOB)
    folder.mkdir(parents=True)
    (folder / "jobs.csv").write_text("id\n1\n")
    (folder / "checkpoint.json").write_text("{}")
    name, stream = service.open_results(JOB)
    with stream:
        assert (name, stream.read()) == ("jobs.csv", b"id\n1\n")
    (folder / "more").mkdir()
    (folder / "more" / "b.txt").write_text("b")
    (folder / "half.new").write_text("half")
    name, stream = service.open_results(JOB)
    assert name == f"{JOB}.zip"
    with stream, zipfile.ZipFile(stream) as packed:
        assert {entry: packed.read(entry) for entry in packed.namelist()} == {"jobs.csv": b"id\n1\n", "more/b.txt": b"b"}


def test_links_among_results_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("secret")
    folder = service.result_folder(JOB)
    folder.mkdir(parents=True)
    (folder / "secret").symlink_to(tmp_path / "elsewhere" / "secret")
    (folder / "elsewhere").symlink_to(tmp_path / "elsewhere")
    assert service.results_of(JOB) == []
    with pytest.raises(NotFound):
        service.open_results(JOB)


@pytest.mark.parametrize("job_id", ["..", "../uploads", "", ".", "album", "/etc"])
def test_no_other_folder_can_be_downloaded(job_id: str) -> None:
    assert service.results_of(job_id) == []
    with pytest.raises(NotFound):
        service.open_results(job_id)


def test_what_is_too_old_is_removed_and_nothing_else() -> None:
    old, new = keep(("a.png", picture())), keep(("a.png", picture()))
    service.result_folder(JOB).mkdir(parents=True)
    (settings().results_dir / "of-somebody").mkdir()
    eight_days_ago = clock.to_ms(clock.now() - timedelta(days=8)) / 1_000
    os.utime(settings().uploads_dir / old.id, (eight_days_ago, eight_days_ago))
    assert service.sweep(clock.now()) == 1
    assert [path.name for path in settings().uploads_dir.iterdir()] == [new.id]
    assert service.sweep(clock.now() + timedelta(days=31)) == 2
    assert [path.name for path in settings().results_dir.iterdir()] == ["of-somebody"]
