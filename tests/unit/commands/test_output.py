"""How the commands print."""

from __future__ import annotations

import os

import pytest

from console.commands import output


def test_columns_are_aligned_and_numbers_stand_right(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("NAME", "N"), [("a", 5), ("longer", 12_345)], right=["N"])
    assert capsys.readouterr().out.splitlines() == ["NAME        N", "a           5", "longer  12345"]


def test_nothing_is_cut_when_it_is_read_by_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("A",), [("x" * 500,)])
    assert "x" * 500 in capsys.readouterr().out


def test_a_row_fits_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    output.table(("ID", "ERROR", "N"), [("0199c2f1", "x" * 500, 3)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == 40
    assert lines[1].startswith("0199c2f1  xxx")
    assert lines[1].endswith("…  3")


def test_a_cell_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("A",), [("\x1b]0;owned\x07\nnext\r",)])
    assert capsys.readouterr().out == "A\n ]0;owned  next\n"


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "-"), (0, "0 ms"), (340, "340 ms"), (1_840, "1.8 s"), (12_900, "12 s"), (60_000, "1 min"),
        (7_199_000, "1 h"), (172_800_000, "2 d"),
    ],
)
def test_durations_in_the_unit_a_person_would_say(ms: int | None, said: str) -> None:
    assert output.duration(ms) == said


def test_counted() -> None:
    assert (output.counted(1), output.counted(2_000), output.counted(0)) == ("1 job", "2,000 jobs", "0 jobs")
