"""A browser for the tests: one that launches, or one that can be installed. Never a silent skip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from playwright.sync_api import Error, sync_playwright

EXECUTABLE = "CELERIAC_TEST_BROWSER"
"""Environment variable: the executable to use; nothing else is tried then."""
MAY_INSTALL = "CELERIAC_TEST_INSTALL"
"""Environment variable, set by `celeriac test`: whether a browser may be installed."""

ON_PATH = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN_PACKAGES = ("libatomic1", "chromium-headless-shell")
DOWNLOAD_TIMEOUT_S = 300
APT_TIMEOUT_S = 600


class NoBrowser(Exception):
    """No browser launches here. The message says what was tried and what to do."""


@cache
def launch_args() -> dict[str, Any]:
    """Arguments for Playwright's `launch` that were tried and work. Raises `NoBrowser`."""
    tried: list[str] = []
    for name, args in _candidates():
        if problem := _problem(args):
            tried.append(f"  {name}: {problem}")
        else:
            return args
    raise NoBrowser(
        "The browser tests need Chromium, and none launches here. Tried:\n"
        + "\n".join(tried)
        + f"\nInstall one, for example with `apt install chromium` or `playwright install chromium`, "
        f"or name one in {EXECUTABLE}."
    )


def _candidates() -> Iterator[tuple[str, dict[str, Any]]]:
    if named := os.environ.get(EXECUTABLE):
        yield f"{EXECUTABLE}={named}", {"executable_path": named}
        return
    yield "Playwright's own", {}
    yield from _on_path()
    if not os.environ.get(MAY_INSTALL):
        return
    _say("No browser launches here; trying `playwright install`.")
    _run([sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"], DOWNLOAD_TIMEOUT_S)
    yield "Playwright's own, after `playwright install`", {}
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say("That gave none; trying apt-get.")
        _run(["apt-get", "update", "-q"], APT_TIMEOUT_S)
        _run(["apt-get", "install", "-qy", "--no-install-recommends", *DEBIAN_PACKAGES], APT_TIMEOUT_S)
        yield from _on_path()


def _on_path() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ON_PATH:
        if found := shutil.which(name):
            yield found, {"executable_path": found}


def _problem(args: dict[str, Any]) -> str:
    """Why it does not launch, in a line; empty when it does."""
    try:
        with sync_playwright() as playwright:
            playwright.chromium.launch(**args).close()
    except Error as error:
        lines = [line.strip("╔═╗║╚╝ ") for line in str(error).splitlines()]
        return next((line for line in lines if line), "it does not launch")[:200]
    return ""


def _run(command: list[str], timeout_s: int) -> None:
    """Runs an installer; whether it worked is seen by launching what it installed."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": "10000"}
    try:
        done = subprocess.run(
            command, env=environment, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _say(f"{' '.join(command[:4])}: {error}")
        return
    if done.returncode:
        _say(f"{' '.join(command[:4])} failed: {done.stdout.strip().splitlines()[-1:]}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
