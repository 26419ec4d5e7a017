"""A worker is killed with its children: what becomes of the job that it ran."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from console import clock
from console.config import LEAST_RETRY_AFTER_S, settings
from console.jobs.rules import ENDED, State
from tests.crash.conftest import Start, dispatch, is_known, job, wait_for

SHOP = """
import sys
import time
from pathlib import Path

from celery import Celery

from console.tracking import track

app = Celery("shop", broker="{broker}")
track(app, spool=Path("{spool}"))


@app.task(name="shop.pack")
def pack(seconds):
    time.sleep(seconds)
"""


def kill_all(process: subprocess.Popen[bytes]) -> None:
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for one in tree:
        one.kill()
    process.wait()


def starts(job_id: str) -> int:
    return [moment.kind for moment in job(job_id).timeline].count("started")


@pytest.mark.slow
def test_an_acknowledged_job_fails_and_any_other_runs_again(start: Start) -> None:
    worker = start("work")
    start("recorder")
    start("beat")
    acknowledged = dispatch("demo.at_most_once", {"seconds": 100})[0]
    held = dispatch("demo.sleep", {"seconds": 5})[0]
    wait_for(lambda: all(job(one).line.state == State.PROCESSING for one in (acknowledged, held)))
    kill_all(worker)
    killed_at = clock.now()
    start("work")
    wait_for(lambda: starts(held) == 2, LEAST_RETRY_AFTER_S)
    print(f"queued again and started after {(clock.now() - killed_at).total_seconds():.1f} s")
    wait_for(lambda: job(held).line.state == State.COMPLETED, 10)
    wait_for(lambda: job(acknowledged).line.state in ENDED, (killed_at + timedelta(seconds=60) - clock.now()).total_seconds())
    print(f"counted as failed after {(clock.now() - killed_at).total_seconds():.1f} s")
    line = job(acknowledged).line
    assert (line.state, line.reason, starts(acknowledged)) == (State.RETRYABLE, "worker_lost", 1)
    assert line.error_message is not None
    assert "is gone" in line.error_message
    assert "does not run again by itself" in line.error_message


@pytest.mark.slow
def test_a_job_of_another_application_fails_when_its_worker_is_gone(
    start: Start, broker: object, tmp_path: Path, setting: Callable[[str, str], None]
) -> None:
    (tmp_path / "shop.py").write_text(SHOP.format(broker=settings().broker, spool=tmp_path / "spool"))
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    celery = [sys.executable, "-m", "celery", "--app", "shop"]
    start("recorder")
    start("beat")
    with (tmp_path / "shop.log").open("wb") as log:
        worker = subprocess.Popen(
            [*celery, "worker", "--concurrency", "1", "--hostname", "shop@%h"],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )
        called = subprocess.run(
            [*celery, "call", "shop.pack", "--args", "[100]"],
            env=environment, cwd=tmp_path, check=True, capture_output=True, text=True,
        )
    job_id = called.stdout.strip()
    wait_for(lambda: is_known(job_id) and job(job_id).line.state == State.PROCESSING)
    kill_all(worker)
    wait_for(lambda: job(job_id).line.state in ENDED, 60)
    line = job(job_id).line
    assert (line.state, line.reason) == (State.RETRYABLE, "worker_lost")
    assert "last heard of at" in (line.error_message or "")
    assert line.finished_at is not None
    assert line.finished_at < clock.now() - timedelta(seconds=30)  # it is dated back to the last sign of life
