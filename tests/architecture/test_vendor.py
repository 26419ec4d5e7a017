"""Vendored browser files are what CHECKSUMS says they are, whole and licensed."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

STATIC = Path(__file__).parents[2] / "static"
VENDOR = STATIC / "vendor"
FIRST_VISIT = 250_000
"""Bytes that all scripts, styles and icons may weigh when compressed."""


def listed() -> dict[str, str]:
    lines = (VENDOR / "CHECKSUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


def present() -> set[str]:
    return {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()} - {"CHECKSUMS"}


def test_every_vendored_file_is_listed_and_every_listed_file_is_there() -> None:
    assert present() == set(listed())


def test_every_vendored_file_has_the_content_that_was_pinned() -> None:
    changed = [
        name for name, digest in listed().items() if hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() != digest
    ]
    assert changed == []


def test_every_vendored_package_names_its_version_and_carries_its_licence() -> None:
    folders = [path for path in VENDOR.iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        assert folder.name.rpartition("-")[2][0].isdigit(), folder.name
        assert (folder / "LICENSE").is_file(), folder.name


def test_a_first_visit_stays_within_its_budget() -> None:
    files = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".svg"}]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < FIRST_VISIT
