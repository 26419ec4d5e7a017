"""A whole Celeriac, as `celeriac up` starts it, for the browser to use."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect

from console import clock
from console.embedded import ports

PHONE, LAPTOP = 390, 1440
FAILS_WITHIN_MS = 90_000


@dataclass(frozen=True, slots=True)
class Console:
    """A running console. `password` is that of admin@localhost."""

    url: str
    password: str
    data: Path

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """What a command of ours prints."""
        command = [sys.executable, "-P", "-m", "console", *arguments, "--data", str(self.data)]
        done = subprocess.run(command, capture_output=True, text=True, input=stdin, check=True, env=clean_environment())
        return done.stdout.strip()


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("CELERIAC_", "BROKER_", "DATABASE_"))}


@contextmanager
def started(data: Path) -> Iterator[Console]:
    """A console on its own data, for the length of the block."""
    port = ports.find_free()
    command = [sys.executable, "-P", "-m", "console", "up", "--data", str(data), "--port", str(port)]
    output = data / "up.out"
    with output.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written, env=clean_environment())
    try:
        limit = clock.monotonic() + 60
        while "Ready at" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert clock.monotonic() < limit, output.read_text()
            time.sleep(0.1)
        [password] = re.findall(r"Password\s+(\S+)", output.read_text())
        yield Console(f"http://127.0.0.1:{port}", password, data)
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Started once for all tests of the browser."""
    with started(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="session")
def admin_cookies(browser: Browser, console: Console) -> StorageState:
    """Of the admin, signed in once: so many sign-ins as there are tests would be refused as guesses."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{console.url}/sign-in")
        page.fill("[name=email]", "admin@localhost")
        page.fill("[name=password]", console.password)
        page.click("button[type=submit]")
        page.wait_for_url(f"{console.url}/")
        return context.storage_state()


def failing(console: Console) -> str:
    """A new job that fails with words nobody can break, in the minute it began in: a chart counts ends, a list beginnings."""
    while clock.now().second > 45:
        time.sleep(0.5)
    return console.run("dispatch", "demo.fail", "--payload", '{"message": "%s"}' % ("unbreakable" * 40))


@pytest.fixture(scope="session")
def failed_job(console: Console) -> str:
    for _ in range(3):
        console.run("dispatch", "demo.noop")
    return failing(console)


@pytest.fixture(scope="session")
def signed_in(browser: Browser, console: Console, failed_job: str, admin_cookies: StorageState) -> StorageState:
    """The cookies of the admin, once there is a job that failed."""
    with browser.new_context(storage_state=admin_cookies) as context:
        page = context.new_page()
        page.goto(f"{console.url}/jobs/{failed_job}")
        expect(page.locator("#job")).to_contain_text("Retryable", timeout=FAILS_WITHIN_MS)
    return admin_cookies


def opened(browser: Browser, state: Any, width: int, theme: str, **more: Any) -> BrowserContext:
    return browser.new_context(
        storage_state=state, viewport={"width": width, "height": 844}, color_scheme=theme, **more  # type: ignore[arg-type]
    )


@pytest.fixture
def page_of(browser: Browser, signed_in: Any) -> Iterator[Page]:
    """A page of the admin, whose scripts must not fail."""
    context = opened(browser, signed_in, LAPTOP, "light")
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    assert problems == []
