"""The command line. A command is imported when it is run, so that `celeriac --help` is quick."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from console import __version__
from console.errors import CeleriacError, Unavailable

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("console.commands.up:up", "Start everything on this machine; Ctrl-C stops it."),
    "test": ("console.commands.test:test", "Install what the tests need and run them."),
    "bench": ("console.commands.bench:bench", "Measure it on this machine."),
    "doctor": ("console.commands.doctor:doctor", "Check every part and say what to do."),
    "migrate": ("console.commands.migrate:migrate", "Bring the database to the schema of this version."),
    "web": ("console.commands.web:web", "Serve the pages and the API."),
    "work": ("console.commands.work:work", "Run jobs."),
    "beat": ("console.commands.beat:beat", "Publish jobs when they are due."),
    "recorder": ("console.commands.recorder:recorder", "Store what happens to jobs."),
    "observe": ("console.commands.observe:observe", "Record what other Celery applications do, untouched."),
    "demo": ("console.commands.demo:demo", "Dispatch demo jobs until stopped."),
    "logs": ("console.commands.logs:logs", "Show what a job logged."),
    "failed": ("console.commands.failed:failed", "List failed jobs."),
    "retry": ("console.commands.retry:retry", "Run failed jobs again."),
    "failures": ("console.commands.failures:failures", "Resolve, ignore, assign and note failure groups."),
    "schedules": ("console.commands.schedules:schedules", "List, make and change schedules."),
    "blackouts": ("console.commands.blackouts:blackouts", "Times at which no schedule fires."),
    "deploys": ("console.commands.deploys:deploys", "Mark which version went live when."),
    "show": ("console.commands.show:show", "Show one job."),
    "reschedule": ("console.commands.reschedule:reschedule", "Change when waiting jobs run."),
    "move": ("console.commands.move:move", "Move waiting jobs to another queue."),
    "flush": ("console.commands.flush:flush", "Delete failed jobs."),
    "actions": ("console.commands.actions:actions", "Follow and undo what is done to many jobs."),
    "prune": ("console.commands.prune:prune", "Delete what is kept no longer."),
    "refused": ("console.commands.refused:refused", "Events that could not be stored: look, replay, drop."),
    "cancel": ("console.commands.cancel:cancel", "Cancel jobs."),
    "export": ("console.commands.export:export", "Write jobs into a file."),
    "searches": ("console.commands.searches:searches", "List, keep and delete saved searches."),
    "dispatch": ("console.commands.dispatch:dispatch", "Dispatch jobs."),
    "users": ("console.commands.users:users", "List, add and change people."),
    "tokens": ("console.commands.tokens:tokens", "Make, list and revoke API tokens."),
    "monitor": ("console.commands.monitor:monitor", "Show queues, workers and what is wrong."),
}
"""Name → where the command is ("module:attribute") and what it is for, in one line. New commands go here."""

UNREACHABLE = {
    "sqlalchemy.exc.OperationalError": "The database does not answer, or refuses us. Is DATABASE_URL right?",
    "sqlalchemy.exc.InterfaceError": "The database does not answer, or refuses us. Is DATABASE_URL right?",
    "redis.exceptions.ConnectionError": "The broker does not answer, or refuses us. Is BROKER_URL right?",
    "redis.exceptions.TimeoutError": "The broker does not answer in time. Is BROKER_URL right?",
}


def _stopped(error: CeleriacError) -> click.ClickException:
    """An error of ours as click prints it: what is wrong on standard error, and an exit code that scripts can use."""
    stopped = click.ClickException(error.detail)
    stopped.exit_code = error.exit_code  # type: ignore[misc]  # click reads it from the instance
    return stopped


class Commands(click.Group):
    """A group whose commands are imported when they are run. Each gets the option `--data`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every name, in the order of the alphabet."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; none when there is no such name."""
        if cmd_name not in COMMANDS:
            return None
        place, purpose = COMMANDS[cmd_name]
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        command.short_help = purpose
        _accept_data(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs the command; what people can put right is told to them without a traceback."""
        try:
            return super().invoke(ctx)
        except CeleriacError as error:
            raise _stopped(error) from error
        except tuple(_loaded(UNREACHABLE)) as error:
            raise _stopped(Unavailable(_unreachable(error))) from error


def _loaded(names: dict[str, str]) -> list[type[Exception]]:
    """Those exception classes whose module is imported; one that is not cannot have been raised."""
    places = [name.rpartition(".") for name in names]
    return [getattr(sys.modules[module], name) for module, _, name in places if module in sys.modules]


def _unreachable(error: Exception) -> str:
    kind = type(error)
    advice = UNREACHABLE.get(f"{kind.__module__}.{kind.__qualname__}", "Something we need does not answer.")
    said = next(iter(str(getattr(error, "orig", None) or error).strip().splitlines()), "nothing")
    return f"{advice} It said: {said}\n`celeriac doctor` checks everything."


def _use_data(_ctx: click.Context, _option: click.Parameter, value: Path | None) -> None:
    if value is not None:
        from console import config

        config.override(CELERIAC_DATA=str(value.absolute()))


def _accept_data(command: click.Command) -> None:
    """Gives the command, and each below it, `--data`, unless it hands on what it does not know itself."""
    if command.context_settings.get("ignore_unknown_options") or any(p.name == "data" for p in command.params):
        return
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _accept_data(below)
        return
    command.params.append(
        click.Option(
            ["--data"], type=click.Path(path_type=Path), expose_value=False, is_eager=True, callback=_use_data,
            metavar="DIRECTORY", help="Where Celeriac keeps its data; also CELERIAC_DATA.  [default: var]",
        )
    )


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="celeriac")
def main() -> None:
    """Celeriac, the operations console for Celery.

    Start with `celeriac up`; then open the address that it prints.
    """
