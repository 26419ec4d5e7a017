"""A job tells how far it is while it runs."""

from __future__ import annotations

from console.jobs.rules import ENDED, State
from tests.crash.conftest import Start, dispatch, job, wait_for


def test_progress_moves_and_ends_at_a_hundred(start: Start) -> None:
    start("work")
    start("recorder")
    steps = dispatch("demo.progress", {"chunks": 10, "seconds_each": 0.4})[0]
    seen: list[tuple[State, int | None, str | None]] = []

    def has_ended() -> bool:
        line = job(steps).line
        seen.append((line.state, line.progress, line.progress_note))
        return line.state in ENDED

    wait_for(has_ended)
    while_running = {progress for state, progress, _ in seen if state == State.PROCESSING and progress is not None}
    assert len(while_running) >= 4
    assert [progress for _, progress, _ in seen if progress is not None] == sorted(
        progress for _, progress, _ in seen if progress is not None
    )
    assert (job(steps).line.state, job(steps).line.progress) == (State.COMPLETED, 100)
    assert any(note and note.startswith("step ") for _, _, note in seen)
