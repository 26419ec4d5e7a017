"""`celeriac refused`: events that could not be stored, to be looked at, tried again or dropped."""

from __future__ import annotations

from typing import Any

import click

from console import clock
from console.commands import output
from console.commands.context import examples
from console.errors import InvalidInput
from console.jobs import refused as kept

SHOWN = 100


@click.command(epilog=examples("celeriac refused", "celeriac refused --replay"))
@click.option("--replay", is_flag=True, help="Put them all back on the event stream, to be stored after all.")
@click.option("--drop", is_flag=True, help="Forget them all.")
@click.option("--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="List so many, oldest first.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
def refused(replay: bool, drop: bool, limit: int, is_json: bool) -> None:
    """List events that no row could be made of, with what was wrong with each.

    The recorder puts them aside so that they keep no other waiting; the newest 10,000 are kept. Replay them when the
    cause is mended, for example after an update: an event that was stored already is not stored twice.
    """
    if replay and drop:
        raise InvalidInput("Give --replay or --drop, not both.")
    if replay or drop:
        count = kept.replay() if replay else kept.drop()
        said = f"{'Put back' if replay else 'Dropped'} {output.counted(count, 'event')}."
        if is_json:
            output.as_json({"count": count})
        else:
            click.echo(said)
        return
    found = [one for one, _ in zip(kept.all_refused(), range(limit), strict=False)]
    if is_json:
        output.as_json({"data": [_shown(one) for one in found]})
    elif found:
        output.table(["KIND", "JOB", "AT", "WHY"], [list(_shown(one).values())[:4] for one in found])
    else:
        click.echo("No event was refused.")


def _shown(one: kept.Refused) -> dict[str, Any]:
    return {
        "kind": one.event.kind.name.lower(),
        "job_id": one.event.job_id,
        "at": clock.from_ms(one.event.at_ms).isoformat(),
        "why": one.why,
        "data": one.event.data,
    }
