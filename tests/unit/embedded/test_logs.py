"""The logs of the processes that `up` starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.embedded import logs


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_BYTES", 10)


def test_a_small_log_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "web.log"
    for text in (b"one\n", b"two\n"):
        with logs.opened(path) as log:
            log.write(text)
    assert path.read_text() == "one\ntwo\n"


def test_a_large_log_is_put_aside_and_only_three_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    for number in range(6):
        with logs.opened(path) as log:
            log.write(f"start number {number}\n".encode())
    kept = {file.name: file.read_text().strip() for file in tmp_path.iterdir()}
    assert kept == {
        "web.log": "start number 5", "web.log.1": "start number 4",
        "web.log.2": "start number 3", "web.log.3": "start number 2",
    }


def test_a_log_in_use_is_emptied_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    with logs.opened(path) as log:
        log.write(b"more than ten bytes\n")
        log.flush()
        logs.limit(path)
        log.write(b"next\n")
    assert path.read_text() == "next\n"
    assert (tmp_path / "web.log.1").read_text() == "more than ten bytes\n"


def test_last_lines_are_indented_and_bounded(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    path.write_text("\n".join(f"line {number}" for number in range(100)))
    assert logs.last_lines(path, 2) == "    line 98\n    line 99"
    assert logs.last_lines(tmp_path / "none.log") == ""
