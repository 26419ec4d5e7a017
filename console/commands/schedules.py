"""`celeriac schedules`: schedules, and files that say what there is to be."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from console import clock, db
from console.commands import calendar, output
from console.commands.context import examples, operator, require_database
from console.errors import InvalidInput
from console.schedules import files, imports, queries, service
from console.schedules.definition import Definition, parse_definition
from console.schedules.lists import ScheduleFilter, list_schedules
from console.schedules.queries import Backfill, ScheduleView
from console.schedules.schemas import run_answer, schedule_answer
from console.schedules.usual import Usual, usual_run
from console.web.filters import duration_ms

_JSON = click.option("--json", "is_json", is_flag=True, help="Print JSON.")
_SCHEDULE = click.argument("schedule", metavar="SCHEDULE")
_FILE = click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
_LISTS = ("blackouts", "tags")


def _fields(command: Any) -> Any:
    """Adds an option for what a definition says most often, and one for the rest."""
    options = (
        ("--type", "TYPE", "The job type."), ("--cron", "CRON", "Five fields, or six with seconds first; or @daily."),
        ("--every", "SPAN", "Like 30s, 15m, 2h, 1d or 1w."), ("--rrule", "RULE", "A calendar rule of RFC 5545."),
        ("--at", "TIME", "Once, at this time."), ("--timezone", "ZONE", "Like Europe/Berlin; else UTC."),
        ("--payload", "JSON", "The job's payload."), ("--queue", "QUEUE", "In place of the job type's queue."),
        ("--overlap", "POLICY", "skip, queue, allow or cancel, when the last job has not ended."),
        ("--catch-up", "POLICY", "skip, last or all, after no beat ran."),
    )  # fmt: skip
    command = click.option(
        "--set", "more", multiple=True, metavar="FIELD=VALUE", help="Any other field: --set jitter_s=30."
    )(command)
    for name, value, text in reversed(options):
        command = click.option(name, metavar=value, help=text)(command)
    return command


@click.group(
    epilog=examples(
        "celeriac schedules create 'Nightly report' --type reports.make --cron '30 2 * * *' --timezone Europe/Berlin",
        "celeriac schedules apply schedules.yaml",
    )
)
def schedules() -> None:
    """List, make and change schedules, by hand or from a file."""


for _more in (calendar.calendar, calendar.heat, calendar.spread):
    schedules.add_command(_more)


@schedules.command("list", epilog=examples("celeriac schedules list --flagged"))
@click.option("--text", default="", metavar="TEXT", help="Only those with this in name or job type.")
@click.option("--state", type=click.Choice(["active", "paused", "ended"]), default=None, help="Only these.")
@click.option("--flagged", is_flag=True, help="Only those that need a look.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True, metavar="N", help="How many.")
@_JSON
def list_(text: str, state: str | None, flagged: bool, limit: int, is_json: bool) -> None:
    """List schedules, by name."""
    require_database()
    with db.reading() as session:
        found, _ = list_schedules(session, ScheduleFilter(text, state or "", "", flagged), None, limit)
        usual = queries.usual_of_each(session, found)
    if is_json:
        output.as_json({"data": [schedule_answer(one, usual[one.id]).model_dump(mode="json") for one in found]})
    elif not found:
        click.echo("There is no such schedule.")
    else:
        rows = [(one.name, _state(one), one.type, one.words, output.instant(one.next_at), _takes(usual[one.id]),
                 one.fired, one.missed, one.overdue) for one in found]  # fmt: skip
        heads = ("NAME", "STATE", "TYPE", "WHEN", "NEXT", "TAKES", "FIRED", "MISSED", "OVERDUE")
        output.table(heads, rows, right=("TAKES", "FIRED", "MISSED", "OVERDUE"))


@schedules.command(epilog=examples("celeriac schedules show 'Nightly report'"))
@_SCHEDULE
@_JSON
def show(schedule: str, is_json: bool) -> None:
    """Show a schedule, its coming times and its last runs."""
    require_database()
    with db.reading() as session:
        found = queries.get_schedule(session, schedule)
        runs, _ = queries.list_fires(session, found.id, None, 10)
        usual = usual_run(session, found.type, found.id)
        coming = queries.preview(session, found.definition, 5) if found.state == "active" else []
    if is_json:
        answer = schedule_answer(found, usual).model_dump(mode="json")
        output.as_json(answer | {"runs": [run_answer(one).model_dump(mode="json") for one in runs]})
        return
    click.echo(f"{found.name} ({_state(found)}): {found.words}")
    click.echo(f"{found.type} {found.definition.payload}\n")
    if usual:
        click.echo(f"  takes {_takes(usual)}, 95 of 100 runs at most {duration_ms(usual.p95_ms)}")
    for run in coming:
        click.echo(f"  next  {run.local:%a %Y-%m-%d %H:%M:%S %Z}  {run.mark}".rstrip())
    for one in runs:
        click.echo(
            f"  {one.state:8}{output.instant(one.nominal_at)}  {one.job_id or one.reason}  {one.job_state or ''}"
        )


@schedules.command(
    epilog=examples(
        "celeriac schedules create hourly --type demo.noop --every 1h",
        "celeriac schedules create once --type demo.noop --at 2026-12-01T06:00:00Z",
    )
)
@click.argument("name")
@_fields
def create(name: str, more: tuple[str, ...], **given: str | None) -> None:
    """Make a schedule. It is active at once."""
    require_database()
    definition = parse_definition({"name": name} | _said(given, more))
    with db.writing() as session:
        made = service.create_schedule(session, operator(), definition)
        click.echo(f"{made}  {queries.get_schedule(session, made).words}")


@schedules.command(epilog=examples("celeriac schedules edit hourly --every 2h --set jitter_s=60"))
@_SCHEDULE
@_fields
def edit(schedule: str, more: tuple[str, ...], **given: str | None) -> None:
    """Change what is said of a schedule, and nothing else."""
    require_database()
    with db.writing() as session:
        found = queries.get_schedule(session, schedule)
        definition = parse_definition(found.definition.described() | _said(given, more))
        service.edit_schedule(session, operator(), found.id, definition)
        click.echo(queries.get_schedule(session, found.id).words)


@schedules.command(epilog=examples("celeriac schedules pause hourly --reason 'inventory' --until 2026-12-01T06:00:00Z"))
@_SCHEDULE
@click.option("--reason", default="", metavar="TEXT", help="Why.")
@click.option("--until", metavar="TIME", help="Then it goes on by itself.")
def pause(schedule: str, reason: str, until: str | None) -> None:
    """Pause a schedule."""
    _change(schedule, lambda session, one: service.pause_schedule(session, operator(), one, reason, _time(until)))


@schedules.command(epilog=examples("celeriac schedules resume hourly"))
@_SCHEDULE
def resume(schedule: str) -> None:
    """Go on with a paused schedule, from its next time on."""
    _change(schedule, lambda session, one: service.resume_schedule(session, operator(), one))


@schedules.command(epilog=examples("celeriac schedules run hourly"))
@_SCHEDULE
def run(schedule: str) -> None:
    """Make a job of a schedule now, and print its id. Its own times do not move."""
    require_database()
    with db.writing() as session:
        click.echo(service.run_schedule(session, operator(), queries.get_schedule(session, schedule).id))


@schedules.command(
    epilog=examples(
        "celeriac schedules backfill hourly --from 2026-11-01T00:00:00Z --to 2026-11-02T00:00:00Z --dry-run"
    )
)
@_SCHEDULE
@click.option("--from", "start", required=True, metavar="TIME", help="The first time that counts.")
@click.option("--to", "end", required=True, metavar="TIME", help="The first that does not.")
@click.option("--all", "everything", is_flag=True, help="Those that ran, too.")
@click.option("--spacing", type=float, default=0.0, metavar="SECONDS", help="Between two jobs.")
@click.option("--dry-run", is_flag=True, help="Say how many, and do nothing.")
def backfill(schedule: str, start: str, end: str, everything: bool, spacing: float, dry_run: bool) -> None:
    """Run the past times of a schedule, at most 1,000 at once."""
    require_database()
    from_, to = _time(start), _time(end)
    if from_ is None or to is None:
        raise click.UsageError("Give --from and --to.")
    wanted = Backfill(from_, to, not everything, spacing)
    with db.writing() as session:
        found = queries.get_schedule(session, schedule)
        if dry_run:
            plan = queries.plan_backfill(session, found.id, wanted)
            click.echo(f"{output.counted(len(plan.times))} would be made; {plan.left_out} ran already.")
        else:
            made = service.backfill_schedule(session, operator(), found.id, wanted)
            click.echo(f"Made {output.counted(len(made))}.")


@schedules.command(epilog=examples("celeriac schedules delete hourly"))
@_SCHEDULE
def delete(schedule: str) -> None:
    """Delete a schedule and its history. Its jobs stay."""
    require_database()
    with db.writing() as session:
        gone = service.delete_schedule(session, operator(), queries.get_schedule(session, schedule).id)
    click.echo(f"Deleted {gone}.")


@schedules.command(epilog=examples("celeriac schedules export > schedules.yaml"))
@click.option("--owner", default="", metavar="NAME", help="Only those that this file owns.")
def export(owner: str) -> None:
    """Print all schedules as YAML, but for the built-in ones."""
    require_database()
    found: list[ScheduleView] = []
    after: str | None = None
    with db.reading() as session:
        while True:
            page, after = list_schedules(session, ScheduleFilter(), after, 500)
            found += [one for one in page if not one.built_in and (not owner or one.file == owner)]
            if after is None:
                break
        texts = {one.name: one.text for one in queries.list_calendars(session)}
    click.echo(files.write_file([one.definition for one in found], texts, owner), nl=False)


@schedules.command(
    "import",
    epilog=examples(
        "celeriac schedules import schedules.yaml",
        "celeriac schedules import --celery shop.celery:app --python /srv/shop/venv/bin/python",
        "celeriac schedules import --django postgresql+psycopg://shop@db/shop --dry-run",
        "celeriac schedules import --redbeat redis://localhost/1",
    ),
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), required=False)
@click.option("--celery", metavar="MODULE:APP", help="The beat_schedule of this Celery application, or this dict.")
@click.option("--python", default=sys.executable, metavar="PATH", help="With --celery: what can import it.")
@click.option("--django", metavar="URL", help="The tables of django-celery-beat in this database.")
@click.option("--redbeat", metavar="URL", help="The keys of RedBeat in this server.")
@click.option("--dry-run", is_flag=True, help="Print them as YAML, and do nothing.")
def import_(
    file: Path | None, celery: str | None, python: str, django: str | None, redbeat: str | None, dry_run: bool
) -> None:
    """Make the schedules of a file, or of another scheduler, that are not there yet.

    People own them; what is there stays as it is.
    """
    if sum(map(bool, (file, celery, django, redbeat))) != 1:
        raise click.UsageError("Give a file, or one of --celery, --django and --redbeat.")
    require_database()
    if file is not None:
        said = _read(file)
    else:
        found = (
            imports.from_celery(celery, python) if celery
            else imports.from_django(django) if django else imports.from_redbeat(str(redbeat))
        )  # fmt: skip
        for one in found.left_out:
            output.note(f"Left out {one}")
        said = files.File("", found.definitions, {})
    if dry_run:
        click.echo(files.write_file(said.definitions, said.calendars), nl=False)
        return
    with db.writing() as session:
        new = files.import_file(session, operator(), said)
    click.echo(f"Made {output.counted(len(new), 'schedule')}; {len(said.definitions) - len(new)} were there already.")


@schedules.command(epilog=examples("celeriac schedules diff schedules.yaml"))
@_FILE
@click.option("--adopt", is_flag=True, help="Take over those of the same name that people own.")
@_JSON
def diff(file: Path, adopt: bool, is_json: bool) -> None:
    """Say what applying a file would change; exit code 1 when it would change something."""
    require_database()
    with db.reading() as session:
        found = files.compare(session, _read(file), adopt=adopt)
    _print(found, is_json=is_json)
    if found:
        click.get_current_context().exit(1)


@schedules.command(epilog=examples("celeriac schedules apply schedules.yaml", "celeriac schedules apply - --adopt"))
@_FILE
@click.option("--adopt", is_flag=True, help="Take over those of the same name that people own.")
@_JSON
def apply(file: Path, adopt: bool, is_json: bool) -> None:
    """Make it as a file says: all of it or nothing. What the file owned and says no longer is deleted."""
    require_database()
    with db.writing() as session:
        found = files.apply_file(session, operator(), _read(file), adopt=adopt)
    _print(found, is_json=is_json)


def _read(path: Path) -> files.File:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    return files.read_file(text, path.name)


def _print(found: list[files.Change], *, is_json: bool) -> None:
    if is_json:
        output.as_json({"data": [{"what": c.what, "name": c.name, "changes": c.changes, "why": c.why} for c in found]})
        return
    for one in found:
        click.echo(f"{one.what:8}{one.name}  {one.why}".rstrip())
        for name, (old, new) in one.changes.items():
            click.echo(f"          {name}: {old!r} → {new!r}")
    if not found:
        click.echo("Nothing to change.")


def _change(schedule: str, verb: Any) -> None:
    require_database()
    with db.writing() as session:
        found = queries.get_schedule(session, schedule)
        verb(session, found.id)
        click.echo(f"{found.name} is {_state(queries.get_schedule(session, found.id))}.")


def _takes(usual: Usual | None) -> str:
    return duration_ms(usual.median_ms if usual else None)


def _state(one: ScheduleView) -> str:
    return "cannot fire" if one.problem else "late" if one.late else one.state


def _said(given: dict[str, str | None], more: tuple[str, ...]) -> dict[str, Any]:
    """The fields that options name, the kind after what tells the times."""
    said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    kinds = [kind for kind in ("cron", "every", "rrule", "at") if kind in said]
    if len(kinds) > 1:
        raise click.UsageError(f"--{kinds[0]} does not go with --{kinds[1]}.")
    if kinds:
        said["kind"] = "once" if kinds[0] == "at" else kinds[0]
    said |= _span(said["every"]) if "every" in said else {}
    said |= {"payload": _json(said["payload"])} if "payload" in said else {}
    for one in more:
        name, _, value = one.partition("=")
        if name not in Definition.model_fields:
            raise click.UsageError(f"--set: {name!r} is none of {', '.join(Definition.model_fields)}.")
        said[name] = [part.strip() for part in value.split(",")] if name in _LISTS else value or None
    return said


def _span(text: str) -> dict[str, Any]:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    if text[-1:] not in units or not text[:-1].isdigit():
        raise InvalidInput("every: Write it like 30s, 15m, 2h, 1d or 1w.")
    return {"every": int(text[:-1]), "unit": units[text[-1]]}


def _json(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"--payload is not JSON: {error}.") from None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no time; write it like {output.instant(clock.now())}.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
