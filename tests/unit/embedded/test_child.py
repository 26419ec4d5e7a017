"""How a process that ends by itself is started again."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from console import clock
from console.embedded.child import FIRST_DELAY_S, LONGEST_DELAY_S, Child, Service


def child_of(tmp_path: Path, code: str) -> Child:
    service = Service("it", [sys.executable, "-c", code], lambda _pid: True, stop_stage=1, stop_timeout_s=5)
    return Child(service, tmp_path / "it.log")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise SystemExit(3)", "ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    ],
)
def test_its_end_is_told_in_words(tmp_path: Path, code: str, said: str) -> None:
    child = child_of(tmp_path, code)
    child.start()
    assert child.note_end() == said
    assert not child.running()


def test_each_failure_in_a_row_doubles_the_wait_up_to_a_bound(tmp_path: Path) -> None:
    child = child_of(tmp_path, "pass")
    waits = []
    for _ in range(10):
        child.start()
        child.note_end()
        waits.append(child.retry_at - clock.monotonic())
    assert waits[0] == pytest.approx(FIRST_DELAY_S, abs=0.1)
    assert waits[1] == pytest.approx(FIRST_DELAY_S * 2, abs=0.1)
    assert waits[-1] == pytest.approx(LONGEST_DELAY_S, abs=0.1)


def test_its_output_is_in_its_log(tmp_path: Path) -> None:
    child = child_of(tmp_path, "import sys; print('said'); print('wrong', file=sys.stderr)")
    child.start()
    child.note_end()
    assert sorted(child.log.read_text().split()) == ["said", "wrong"]
