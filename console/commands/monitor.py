"""`celeriac monitor`: how queues and workers stand, and what is wrong."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import click

from console import clock, db
from console.broker.valkey import broker
from console.commands import output
from console.commands.context import examples, require_database
from console.jobs.filters import JobFilter
from console.jobs.queries import count_by_state
from console.jobs.rules import State
from console.queues.health import Problem, find_problems
from console.queues.queries import Bucket, QueueView, failing_types, list_queues, throughput
from console.queues.recording import Recording, look_if_it_answers
from console.workers.queries import WorkerView, list_workers

LAST, GRAIN = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Report:
    """How everything stands at one moment."""

    at: datetime
    problems: list[Problem]
    recording: Recording | None
    jobs: dict[State, int]
    queues: list[QueueView]
    workers: list[WorkerView]
    failing: list[tuple[str, int, int]]
    last_hour: list[Bucket]


@click.command(
    epilog=examples(
        "celeriac monitor",
        "celeriac monitor --verbose --watch 5",
        "celeriac monitor --json > state.json || echo something is wrong",
    )
)
@click.option("--verbose", is_flag=True, help="Workers, failing job types and the last hour as well.")
@click.option("--watch", type=click.FloatRange(0.2), metavar="SECONDS", help="Look again and again; Ctrl-C ends it.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON; with --watch, one line each time.")
def monitor(verbose: bool, watch: float | None, is_json: bool) -> None:
    """Show queues, workers and jobs, and what is wrong.

    The exit code is 0 when all is well and 1 when something is wrong: the broker does not answer, jobs wait on a
    queue that no worker serves or have waited for over an hour, beat or the recorder is not there.
    """
    require_database()
    report = look()
    _print(report, verbose, is_json, watch)
    try:
        while watch is not None:
            time.sleep(watch)
            report = look()
            _print(report, verbose, is_json, watch)
    except KeyboardInterrupt:
        click.echo(err=True)  # below the ^C that the terminal shows
    sys.exit(1 if report.problems else 0)


def look() -> Report:
    """Reads everything a report says."""
    port = broker()
    with db.reading() as session:
        queues = list_queues(session, port)
        recording = look_if_it_answers(session)
        return Report(
            at=clock.now(),
            problems=find_problems(session, queues, recording),
            recording=recording,
            jobs=count_by_state(session, JobFilter()),
            queues=queues,
            workers=list_workers(session),
            failing=failing_types(session, LAST),
            last_hour=throughput(session, LAST, GRAIN),
        )


def _print(report: Report, verbose: bool, is_json: bool, watch: float | None) -> None:
    if is_json:
        click.echo(json.dumps(_plain(report), indent=None if watch else 2))
        return
    if watch is not None and sys.stdout.isatty():
        click.clear()
    for problem in report.problems:
        click.echo(f"! {problem.text}")
    if not report.problems:
        click.echo("All is well.")
    counts = [f"{output.number(report.jobs[state])} {state}" for state in State if report.jobs.get(state)]
    alive = sum(worker.alive for worker in report.workers)
    click.echo(f"{output.counted(alive, 'worker')} alive. Jobs: {', '.join(counts) or 'none'}.\n")
    _print_queues(report.queues)
    if verbose:
        _print_details(report)


def _print_queues(queues: list[QueueView]) -> None:
    heads = ("QUEUE", "IN BROKER", "PENDING", "RUNNING", "SCHEDULED", "OLDEST WAITS", "WORKERS")
    rows = [
        (
            queue.name,
            "?" if queue.depth is None else output.number(queue.depth),
            output.number(queue.pending),
            output.number(queue.processing),
            output.number(queue.scheduled),
            output.duration(queue.oldest_wait_ms),
            queue.consumers,
        )
        for queue in queues
    ]
    output.table(heads, rows, right=heads[1:])


def _print_details(report: Report) -> None:
    click.echo()
    workers = [
        (
            worker.name,
            "alive" if worker.alive else "gone",
            worker.pid,
            worker.concurrency,
            ",".join(worker.queues),
            output.ago(worker.started_at),
            output.ago(worker.seen_at),
        )
        for worker in report.workers
    ]
    heads = ("WORKER", "STATE", "PID", "CHILDREN", "QUEUES", "STARTED", "HEARD OF")
    output.table(heads, workers, right=("PID", "CHILDREN"))
    hour = _total(report.last_hour)
    click.echo(
        f"\nLast hour: {hour['enqueued']:,} enqueued, {hour['completed']:,} completed, {hour['failed']:,} failed, "
        f"{hour['retried']:,} retried, {hour['cancelled']:,} cancelled."
    )
    if report.failing:
        click.echo()
        rows = [(name, output.number(failed), output.number(ended)) for name, failed, ended in report.failing]
        output.table(("FAILING TYPE", "FAILED", "ENDED"), rows, right=("FAILED", "ENDED"))


def _total(buckets: list[Bucket]) -> dict[str, int]:
    names = ("enqueued", "completed", "failed", "retried", "cancelled")
    return {name: sum(getattr(bucket, name) or 0 for bucket in buckets) for name in names}


def _plain(report: Report) -> dict[str, Any]:
    return {
        "at": output.instant(report.at),
        "ok": not report.problems,
        "problems": [asdict(problem) for problem in report.problems],
        "recording": None if report.recording is None else asdict(report.recording),
        "jobs": {str(state): report.jobs.get(state, 0) for state in State},
        "queues": [asdict(queue) for queue in report.queues],
        "workers": [_plain_worker(worker) for worker in report.workers],
        "last_hour": _total(report.last_hour),
        "failing_types": [{"type": name, "failed": failed, "ended": ended} for name, failed, ended in report.failing],
    }


def _plain_worker(worker: WorkerView) -> dict[str, Any]:
    times = {name: output.instant(getattr(worker, name)) for name in ("started_at", "seen_at", "stopped_at")}
    return asdict(worker) | times
