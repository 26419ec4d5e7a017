"""`celeriac bench`: what can be measured is listed and described, and one of it is measured."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median

import click
import pytest

from bench.frame import jobs, machine, sites, timing
from console import db
from console.commands import bench
from console.config import PROJECT_DIR
from console.errors import Unavailable
from console.jobs.rules import State
from tests.integration.commands.conftest import Celeriac

CELERIAC = [sys.executable, "-m", "console"]
BENCHES = ["burst", "live", "reads", "recorder", "retention", "retry", "schedules", "start", "tracking"]


def described(name: str) -> str:
    """The row of the reference for a bench."""
    text = (PROJECT_DIR / "docs/reference/cli.md").read_text().partition("## celeriac bench")[2].partition("\n## ")[0]
    [row] = re.findall(rf"^\| `{name}` \|.*$", text, flags=re.MULTILINE) or [""]
    return row


def command(name: str) -> click.Command:
    return bench.bench.get_command(click.Context(bench.bench), name)  # type: ignore[return-value]


def test_all_are_listed_with_what_they_measure(celeriac: Celeriac) -> None:
    listed = celeriac("bench").stdout.splitlines()[1:]
    assert [line.split()[0] for line in listed] == BENCHES
    assert {"live", "start"} <= set(BENCHES)
    assert all(len(line.split()) > 5 for line in listed)
    assert all(f"\n  {name} " in celeriac("bench", "--help").stdout for name in BENCHES)


@pytest.mark.parametrize("name", BENCHES)
def test_each_is_described_with_its_options(name: str) -> None:
    row = described(name)
    assert row, f"cli.md does not describe the bench {name}"
    options = {option for parameter in command(name).params for option in parameter.opts}
    assert "--json" in options
    assert {option for option in options - {"--json"} if f"`{option}" not in row} == set()
    assert command(name).help


def test_an_unknown_one_is_refused_with_those_that_there_are(celeriac: Celeriac) -> None:
    said = celeriac("bench", "nonsense", exit_code=2).output
    assert "There is no bench 'nonsense'." in said
    assert "live, " in said


def test_without_the_source_it_says_where_the_benches_are(tmp_path: Path) -> None:
    shutil.copytree(PROJECT_DIR / "console", tmp_path / "console", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [*CELERIAC, "bench", "live"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "The benches come with the source" in done.stderr


@pytest.mark.slow
def test_live_prints_its_figures_as_one_last_line() -> None:
    command = [*CELERIAC, "bench", "live", "--jobs", "3", "--rate", "10", "--pages", "1", "--burst", "20", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["environment"]["cores"] >= 1
    assert 0 <= figures["commit_p95_ms"] <= figures["end_to_screen_p95_ms"]
    assert (figures["jobs"], figures["dispatched"]) == (3, 20)
    row = described("live")
    assert [name for name in figures if name not in ("bench", "environment") and f"`{name}`" not in row] == []


@pytest.mark.slow
def test_a_site_runs_jobs_on_servers_of_its_own_and_leaves_nothing() -> None:
    with sites.site("postgresql") as here:
        with here.running("work", "recorder") as started:
            here.celeriac("dispatch", "demo.noop", "--count", "20")
            jobs.wait_stored(20)
            assert jobs.counts()[State.COMPLETED] == 20
            assert db.engine().dialect.name == "postgresql"
            assert machine.pss_mb([started["work"].pid]) > 10
        assert not here.processes
        left = here.start("recorder")
        with pytest.raises(Unavailable, match="There is no job type"):
            here.celeriac("dispatch", "no.such.type")
    assert left.poll() is not None
    assert not here.data.exists()


def test_variants_take_turns() -> None:
    order: list[str] = []

    def variant(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    found = timing.interleaved(2, {"a": lambda: variant("a", 1.0), "b": lambda: variant("b", 3.0)})
    assert order == ["a", "b", "b", "a"]
    assert {name: median(values) for name, values in found.items()} == {"a": 1.0, "b": 3.0}


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (90, 9), (95, 10), (100, 10), (0, 1)])
def test_a_percentile_is_one_of_the_values(percent: float, expected: int) -> None:
    assert timing.percentile([3, 1, 2, 10, 9, 8, 7, 6, 5, 4], percent) == expected
