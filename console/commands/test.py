"""`celeriac test`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

import click

from console import config
from console.config import PROJECT_DIR
from console.errors import NotConfigured

IN_PARALLEL = ("--numprocesses=3", "--dist=worksteal")
"""The slow ones mostly wait for processes that they have killed; three keep two cores at work."""


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED)
def test(pytest_args: tuple[str, ...]) -> None:
    """Run all tests, or those that PYTEST_ARGS select, with pytest.

    They use a real Valkey, a real PostgreSQL and a real browser. The servers come with the Python packages; a browser
    is installed when none launches here. All tests run in several processes; a selection runs in one.
    """
    if not (PROJECT_DIR / "tests").is_dir():
        raise NotConfigured("The tests come with the source, not with the installed package. Clone the repository.")
    if find_spec("pytest") is None:
        raise NotConfigured("What the tests need is not installed. Run `./celeriac test` in the source.")
    config.override(CELERIAC_TEST_INSTALL="1")
    os.chdir(PROJECT_DIR)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pytest", *(pytest_args or IN_PARALLEL)])
