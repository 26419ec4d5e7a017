"""`celeriac prune`: deletes at once what upkeep would delete within the hour."""

from __future__ import annotations

import sys
from typing import Any

import click

from console import clock
from console.commands import output
from console.commands.context import examples, require_database
from console.upkeep import retention
from console.upkeep.retention import Removed, Run


@click.command(epilog=examples("celeriac prune --dry-run", "CELERIAC_KEEP_COMPLETED_DAYS=1 celeriac prune"))
@click.option("--dry-run", is_flag=True, help="Say how many jobs would go, and delete nothing.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object.")
def prune(dry_run: bool, is_json: bool) -> None:
    """Delete ended jobs, rollups and keys that are older than the settings say.

    Upkeep does the same every hour. It works in small steps and leaves the others their turn; it can be stopped at
    any time, and goes on where it was when it is called again.
    """
    import tasks  # noqa: F401 - job types may say for how long their jobs are kept

    require_database()
    removed = retention.old_jobs(clock.now()) if dry_run else _remove()
    if is_json:
        output.as_json({"dry_run": dry_run, "count": removed.total(), "removed": _listed(removed)})
        return
    if removed:
        rows = [[what, job_type, output.number(n)] for (what, job_type), n in sorted(removed.items())]
        output.table(["WHAT", "TYPE", "COUNT"], rows, right=["COUNT"])
    click.echo(f"{'Would delete' if dry_run else 'Deleted'} {output.counted(removed.total(), 'row')}.")


def _remove() -> Removed:
    is_watched = sys.stderr.isatty()

    def report(done: Run) -> None:
        if is_watched:
            click.echo(f"\r{output.counted(done.removed.total(), 'row')} deleted", nl=False, err=True)

    done = retention.run(report=report)
    if is_watched and done.removed:
        click.echo("", err=True)
    return done.removed


def _listed(removed: Removed) -> list[dict[str, Any]]:
    return [{"what": what, "type": job_type, "count": n} for (what, job_type), n in sorted(removed.items())]
