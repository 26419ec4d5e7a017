"""Jobs that another broker carries: shown, and let be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from click.testing import CliRunner

from console import db
from console.actions.rules import Kind
from console.cli import main
from console.jobs.models import JobStatus
from console.jobs.rules import State
from console.tracking.messages import ELSEWHERE
from tests.factories.actions import begin, work
from tests.web.conftest import Browser, page, said

OBSERVED = {"source": "shop", "payload": None, "arguments": "('silver spoon',) {'n': 2}"}
FOREIGN = pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"source": "shop"}, "This job belongs to the observed application shop"),
        ({"message": ELSEWHERE}, "This job's application has a broker of its own"),
    ],
    ids=["observed", "elsewhere"],
)


def state_of(job_id: str) -> str:
    with db.reading() as session:
        return session.get_one(JobStatus, job_id).state


@FOREIGN
def test_one_is_refused_with_the_reason(
    support: Browser, job: Callable[..., str], broker: redis.Redis, columns: dict[str, str], why: str
) -> None:
    failed, waiting = job(**columns), job(State.PENDING, **columns)
    running = job(State.PROCESSING, **columns)
    before = set(broker.keys())
    for path in (f"{failed}/retry", f"{waiting}/cancellation", f"{running}/cancellation"):
        response = support.submit(f"/jobs/{path}")
        assert why in said(support.get(response.headers["Location"]))
    for command in (("retry", failed), ("cancel", waiting)):
        done = CliRunner().invoke(main, command)
        assert done.exit_code != 0
        assert why in done.output
    assert [state_of(one) for one in (failed, waiting, running)] == ["RETRYABLE", "PENDING", "PROCESSING"]
    assert {key for key in set(broker.keys()) - before if not key.startswith(b"celeriac:")} == set()


@FOREIGN
def test_selected_ones_are_refused_with_the_reason(
    support: Browser, job: Callable[..., str], columns: dict[str, str], why: str
) -> None:
    foreign, ours = job(State.PENDING, **columns), job(State.PENDING)
    response = support.submit("/jobs/cancellations", id=[foreign, ours])
    shown = said(support.get(response.headers["Location"]))
    assert "Cancelled 1 job." in shown
    assert f"1 job could not be cancelled. {why}" in shown
    assert [state_of(one) for one in (foreign, ours)] == ["PENDING", "CANCELLED"]


@FOREIGN
@pytest.mark.parametrize("address", ["", "text=greet", "after=2020-01-01T00:00:00%2B00:00", "queue=default"])
def test_all_that_match_leave_them_out_and_do_not_count_them(
    support: Browser, job: Callable[..., str], columns: dict[str, str], why: str, address: str
) -> None:
    failed, waiting = [job(**columns), job()], [job(State.PENDING, **columns), job(State.PENDING)]
    assert "Retry 1 job?" in said(support.get(f"/actions/new?kind=retry&{address}"))
    assert "Cancel 1 job?" in said(support.get(f"/actions/new?kind=cancel&{address}"))
    begin(Kind.CANCEL), begin(Kind.RETRY)
    work()
    assert [state_of(one) for one in waiting] == ["PENDING", "CANCELLED"]
    assert [state_of(one) for one in failed] == ["RETRYABLE", "FAILED"]


def test_the_command_leaves_them_out(support: Browser, job: Callable[..., str]) -> None:
    job(source="shop")
    job()
    assert "1 job would be retried." in CliRunner().invoke(main, ["retry", "failed", "--dry-run"]).output
    assert "Retried 1 job." in CliRunner().invoke(main, ["retry", "failed"]).output


def test_failed_ones_can_be_flushed(admin: Browser, job: Callable[..., str]) -> None:
    job(State.FAILED, **OBSERVED)
    assert "Flush 1 job?" in said(admin.get("/actions/new?kind=flush"))
    begin(Kind.FLUSH)
    work()
    with db.reading() as session:
        assert session.query(JobStatus).count() == 0


def test_the_page_offers_nothing_and_shows_the_arguments(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.PENDING, **OBSERVED)
    shown = page(support.get(f"/jobs/{made}"))
    assert shown.select(".job-head form") == []
    assert "('silver spoon',) {'n': 2}" in said(support.get(f"/jobs/{made}"))
    listed = page(support.get("/jobs?text=silver+spoon"))
    assert listed.select_one(f"#job-{made}") is not None
    assert listed.select_one(f"#pick-{made}") is None
