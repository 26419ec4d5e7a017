"""What was received is read once, in order, wherever it was cut and whenever its reader was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.observe import journal
from console.observe.journal import JournalReader, JournalWriter

MESSAGES = [[b"message", b"c", b"%d:" % number + b"x\r\n" * (number % 40)] for number in range(400)]
BYTES = b"".join(journal.frame(channel, body) for _, channel, body in MESSAGES)


@pytest.mark.parametrize("piece", [1, 7, 100, 5_000])
def test_messages_are_found_wherever_they_are_cut(piece: int) -> None:
    found, left = [], b""
    for at in range(0, len(BYTES), piece):
        messages, used = journal.split(left + BYTES[at : at + piece])
        left = (left + BYTES[at : at + piece])[used:]
        found += messages
    assert found == MESSAGES


@pytest.mark.parametrize("killed_after", [1, 2, 5, 9])
def test_a_reader_goes_on_where_the_last_one_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    monkeypatch.setattr(journal, "FILE_BYTES", 1_500)
    monkeypatch.setattr(journal, "READ_BYTES", 700)
    writer = JournalWriter(tmp_path, 1_000)
    for at in range(0, len(BYTES), 333):
        writer.write(BYTES[at : at + 333])
    first, found = JournalReader(tmp_path, None), []
    for _ in range(killed_after):
        found += first.read()
    kept = first.position()
    while kept is None:
        found += first.read()
        kept = first.position()
    first.forget()
    second = JournalReader(tmp_path, kept)
    while messages := second.read() or second.read() or second.read():
        found += messages
    assert found == MESSAGES


def test_a_new_connection_does_not_go_on_with_the_half_message_of_the_last(tmp_path: Path) -> None:
    JournalWriter(tmp_path, 1_000).write(BYTES[:-5])
    JournalWriter(tmp_path, 2_000).write(journal.frame(b"c", b"next"))
    reader, found = JournalReader(tmp_path, None), []
    while messages := reader.read():
        found += messages
    assert found == [*MESSAGES[:-1], [b"message", b"c", b"next"]]


def test_two_observers_do_not_share_a_folder(tmp_path: Path) -> None:
    first, _ = journal.claim(tmp_path, "shop")
    second, _ = journal.claim(tmp_path, "shop")
    assert (first.name, second.name) == ("shop", "shop.2")
