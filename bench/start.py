"""From a fresh clone to a signed-in page, the second start, and the memory of everything at rest."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median

import click

from bench.frame import environment, machine, servers, ups, web
from bench.frame.timing import Figures, note
from bench.frame.ups import Up
from console import clock
from console.config import PROJECT_DIR
from console.errors import Unavailable

CACHES = ("XDG_CACHE_HOME", "UV_CACHE_DIR", "PIP_CACHE_DIR", "XDG_CONFIG_HOME")
NOT_CLONED = (".git", ".venv", "var", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "dist")


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=3, show_default=True, help="How many warm starts.")
@click.option("--rest", type=click.FloatRange(0), default=10, show_default=True, help="Seconds until memory is read.")
def start(rounds: int, rest: float) -> Figures:
    """Measure the time from `./celeriac up` to a signed-in page, and memory.

    Cold: in a fresh clone, without environment, data or anything in a cache, so that the time has all downloads in it
    and depends on the network. Warm: the same again. A page counts when the Overview came, signed in with the
    password that `up` printed. Memory is the proportional set size of all processes, some seconds after the page.
    """
    with servers.directory() as home:
        checkout = _clone(home / "celeriac")
        (home / "home").mkdir()
        began = clock.monotonic()
        with _up(checkout, home) as running:
            password = running.password
            web.signed_in(running.url, password)
            cold_s = clock.monotonic() - began
            note(f"  cold: {cold_s:.1f} s")
        warm, memory = [], {}
        for number in range(rounds):
            began = clock.monotonic()
            with _up(checkout, home) as running:
                web.signed_in(running.url, password)
                warm.append(clock.monotonic() - began)
                note(f"  warm, round {number + 1} of {rounds}: {warm[-1]:.2f} s")
                if number == rounds - 1:
                    time.sleep(rest)
                    memory = {kind: machine.pss_mb(pids) for kind, pids in running.pids().items()}
    return {
        "cold_s": round(cold_s, 1),
        "warm_s": round(median(warm), 2),
        "memory_mb": round(sum(memory.values()), 1),
        **{f"memory_{kind}_mb": used for kind, used in memory.items()},
    }


def _clone(place: Path) -> Path:
    """A fresh clone of this checkout: what is committed. Where there is no git, a copy of what a clone would have."""
    if not (PROJECT_DIR / ".git").exists():
        shutil.copytree(PROJECT_DIR, place, ignore=shutil.ignore_patterns(*NOT_CLONED))
        return place
    done = subprocess.run(
        ["git", "clone", "--quiet", str(PROJECT_DIR), str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Unavailable(f"git clone failed: {done.stderr.strip()}")
    return place


def _up(checkout: Path, home: Path) -> AbstractContextManager[Up]:
    """`up` in that clone, by an account that has nothing yet."""
    variables = environment.clean(HOME=str(home / "home"))
    for name in CACHES:
        variables.pop(name, None)
    return ups.up(home / "data", command=[checkout / "celeriac"], env=variables)
