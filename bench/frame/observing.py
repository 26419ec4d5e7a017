"""Observers and peers that listen to a foreign broker, and an application that says more than workers do."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.frame import environment, sites
from console import clock
from console.embedded import ports
from console.embedded.orphans import ends_with_parent
from console.errors import Unavailable
from console.observe import status

ROOT = Path(__file__).parent.parent.parent
FLOWER, ITS_CELERY = "flower==2.2.0", "celery[redis]==5.7.0"
READY_WITHIN_S = 60.0
POLL_S = 0.05


def observe(here: sites.Site, broker: str) -> sites.Process:
    """A `celeriac observe` that hears the broker."""
    began_ms = clock.now_ms()
    process = here.start("observe", "--broker", f"foreign={broker}")
    limit = clock.monotonic() + READY_WITHIN_S
    while not any(one.observed and one.since_ms >= began_ms for one in status.sources()):
        if process.poll() is not None or clock.monotonic() > limit:
            said = here.log("observe").read_text()[-sites.SAID :]
            raise Unavailable(f"`celeriac observe` does not start: {said}")
        time.sleep(POLL_S)
    return process


@contextmanager
def flower(broker: str, log: Path, max_tasks: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Flower that hears the broker and keeps so many tasks, for the length of the block; its address, its process."""
    python = environment.with_packages(FLOWER, ITS_CELERY)
    port = ports.find_free()
    url = f"http://127.0.0.1:{port}"
    options = [f"--port={port}", f"--max-tasks={max_tasks}"]
    command = [str(python), "-m", "celery", "--broker", broker, "flower", *options]
    with log.open("ab") as said:
        process = subprocess.Popen(
            command,
            env=environment.clean(FLOWER_UNAUTHENTICATED_API="1"),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            process_group=0,
            preexec_fn=ends_with_parent(),
        )
    try:
        _wait_answers(f"{url}/healthcheck", process, log)
        yield url, process
    finally:
        process.kill()
        process.wait()


def _wait_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = clock.monotonic() + READY_WITHIN_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            if process.poll() is not None or clock.monotonic() > limit:
                raise Unavailable(f"Flower does not start: {log.read_text()[-sites.SAID :]}") from None
            time.sleep(POLL_S)
        else:
            return


def say(broker: str, speaker: int, jobs: int) -> None:
    """Says of so many jobs that they were received, begun and done, as a worker's main process does.

    With Celery's own dispatcher as the worker has it: events of jobs are sent 24 at once. Runs as a process.
    """
    import uuid

    from celery import Celery

    app = Celery(broker=broker)
    host = f"speaker{speaker}@bench"
    with (
        app.connection_for_write() as connection,
        app.events.Dispatcher(connection, hostname=host, buffer_group={"task"}) as dispatcher,
    ):
        dispatcher.send("worker-online", freq=2.0, sw_ident="py-celery", processed=0, active=0)
        for _ in range(jobs):
            job = str(uuid.uuid4())
            dispatcher.send("task-received", uuid=job, name="foreign.noop", args="()", kwargs="{}", retries=0)
            dispatcher.send("task-started", uuid=job)
            dispatcher.send("task-succeeded", uuid=job, result="None", runtime=0.001)
        dispatcher.flush()


def speaking(broker: str, speaker: int, jobs: int) -> subprocess.Popen[bytes]:
    """Starts a process that says it."""
    program = f"from bench.frame.observing import say; say({broker!r}, {speaker}, {jobs})"
    command = [sys.executable, "-P", "-c", program]
    return subprocess.Popen(command, env=environment.clean(PYTHONPATH=str(ROOT)), preexec_fn=ends_with_parent())
