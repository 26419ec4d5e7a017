"""The environment of what a bench starts: that of this machine, without any setting of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from console.errors import Unavailable

OURS = ("CELERIAC_", "QUEUE_", "MAIL_", "DATABASE_URL", "BROKER_URL", "SECRET_KEY")
FOR_BROWSERS = ("CELERIAC_TEST_BROWSER", "CELERIAC_TEST_INSTALL")


def clean(**more: str) -> dict[str, str]:
    """Variables for a process: those of this one, without our settings and Python's, and `more`."""
    given = os.environ.items()  # noqa: TID251 - of what is started, not settings
    kept = {name: value for name, value in given if not _is_ours(name) and not name.startswith("PYTHON")}
    return kept | more


def forget_settings() -> None:
    """Takes our settings out of this process: a bench measures what it sets up, not what happens to be set."""
    for name in [name for name in os.environ if _is_ours(name)]:  # noqa: TID251
        del os.environ[name]  # noqa: TID251


def with_packages(*requirements: str) -> Path:
    """The Python of an environment with those packages, made once and kept in ~/.cache. Raises `Unavailable`."""
    home = Path.home() / ".cache" / "celeriac-bench" / "-".join(sorted(requirements)).replace("/", "_")
    python = home / "bin" / "python"
    if not (home / "done").exists():
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(python), "-m", "pip", "install", "--quiet", *requirements])
        (home / "done").touch()
    return python


def _is_ours(name: str) -> bool:
    return name.startswith(OURS) and name not in FOR_BROWSERS


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean())
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:5])} failed: {(done.stderr or done.stdout).strip()[-500:]}")
