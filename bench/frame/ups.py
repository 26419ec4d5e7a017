"""A whole `celeriac up`, as people start it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from bench.frame import environment, machine
from bench.frame.sites import CELERIAC
from console import config
from console.embedded import ports
from console.embedded.orphans import ends_with_parent
from console.errors import Unavailable

STOP_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Up:
    """One that is ready. `password` is that of the first admin, empty when it was told at an earlier start."""

    data: Path
    url: str
    password: str
    process: subprocess.Popen[str]

    @property
    def variables(self) -> dict[str, str]:
        """Settings with which another process works on the same data; see `sites.in_force`."""
        runtime = json.loads((self.data / config.RUNTIME_FILE).read_text())
        return {
            "CELERIAC_DATA": str(self.data),
            "BROKER_URL": runtime["broker_url"],
            "DATABASE_URL": runtime.get("database_url") or f"sqlite:///{self.data / config.DATABASE_FILE}",
        }

    def celeriac(self, *arguments: str) -> str:
        """Runs a command on its data; what that printed."""
        command = [*CELERIAC, *arguments, "--data", str(self.data)]
        done = subprocess.run(command, env=environment.clean(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unavailable(f"`celeriac {' '.join(arguments)}` failed: {done.stderr.strip()[-800:]}")
        return done.stdout

    def pids(self) -> dict[str, list[int]]:
        """The processes by kind: `up` itself, `valkey`, `web`, `work`, `beat`, `recorder`, each with its children."""
        kinds = {"up": [self.process.pid]}
        for child in psutil.Process(self.process.pid).children():
            kind = "valkey" if "valkey" in child.name() else child.cmdline()[-1]
            kinds.setdefault(kind, []).extend(machine.tree(child.pid))
        return kinds


@contextmanager
def up(
    data: Path, *options: str, command: Sequence[str | Path] = CELERIAC, env: dict[str, str] | None = None
) -> Iterator[Up]:
    """Starts it on a free port and yields as soon as it says that it is ready. Raises `Unavailable` if it does not."""
    port = ports.find_free()
    process = subprocess.Popen(
        [*command, "up", "--data", str(data), "--port", str(port), *options],
        env=environment.clean() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
        preexec_fn=ends_with_parent(signal.SIGTERM),
    )
    assert process.stdout
    try:
        said = _until_ready(process.stdout)
        found = re.search(r"Password\s+(\S+)", said)
        yield Up(data, f"http://127.0.0.1:{port}", found[1] if found else "", process)
    finally:
        process.terminate()
        process.communicate(timeout=STOP_TIMEOUT_S)


def _until_ready(output: IO[str]) -> str:
    said = ""
    for line in output:
        said += line
        if line.startswith("  Ready at"):
            return said
    raise Unavailable(f"`celeriac up` does not start: {said[-800:]}")
