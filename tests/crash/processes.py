"""Commands of ours and their broker, to be killed, stopped and started again at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from console.embedded.valkey import Valkey
from tests.crash.conftest import wait_for


class Processes:
    """Each is known by the name of its command, or a name of its own."""

    def __init__(self, server: Valkey, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._environment = os.environ | {"BROKER_URL": server.url, "CELERIAC_DATA": str(folder)}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *command: str, name: str = "") -> None:
        """A command of ours, or "broker"; `name` tells several of one command apart."""
        line = self._server.command if command == ("broker",) else [sys.executable, "-P", "-m", "console", *command]
        known = name or command[0]
        with (self._folder / f"{known}.log").open("ab") as log:
            self._running[known] = subprocess.Popen(line, env=self._environment, stdout=log, stderr=log)
        if command == ("broker",):
            wait_for(self._server.is_ready)

    def kill(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGCONT)
        self._running[name].kill()
        self._running[name].wait()

    def has_ended(self, name: str) -> bool:
        return self._running[name].poll() is not None

    def hold(self, name: str, seconds: float) -> None:
        """Stops a process, as a laptop's lid or a hypervisor does, and lets it go on."""
        self._running[name].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._running[name].send_signal(signal.SIGCONT)

    def kill_children(self, name: str) -> None:
        for child in psutil.Process(self._running[name].pid).children():
            child.kill()

    def stop(self) -> None:
        """Ends them all, the broker last."""
        for name in sorted(self._running, key=lambda name: name == "broker"):
            self._running[name].terminate()
            self._running[name].wait(30)
