"""`celeriac failed --group`, `celeriac failures` and `celeriac deploys`"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from console import clock
from tests.factories.failures import record_failures
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def test_groups_instead_of_jobs(celeriac: Celeriac, job: Job) -> None:
    often = record_failures(3)
    record_failures(job_type="shop.refund", at=clock.now() - timedelta(minutes=5))
    lines = celeriac("failed", "--group").stdout.splitlines()
    assert lines[0].split()[:3] == ["FINGERPRINT", "STATE", "TYPE"]
    assert lines[1].split()[:6] == [often, "open", "shop.charge", "3", "3", "3"]
    assert len(lines) == 3
    assert [one["fingerprint"] for one in celeriac.json("failed", "--type", "shop.charge", "--group")["data"]] == [often]


def test_the_jobs_of_a_group(celeriac: Celeriac, job: Job) -> None:
    group = record_failures(2)
    record_failures(function="refund")
    assert len(celeriac.json("failed", "--group", group)["data"]) == 2
    told = celeriac("failed", "--group", group)
    assert "shop.charge: ValueError: order <n> was refused in shop/orders.py:charge" in told.stderr
    assert "no failure group" in celeriac("failed", "--group", "0" * 16, exit_code=4).stderr


def test_what_can_be_done(celeriac: Celeriac, job: Job) -> None:
    group = record_failures()
    celeriac("failures", "note", group, "Tell the bank.")
    celeriac("failures", "runbook", group, "https://wiki.example.com/cards")
    celeriac("failures", "resolve", group)
    assert "resolved already" in celeriac("failures", "resolve", group, exit_code=3).stderr
    assert celeriac("failures", "list").stderr == "No open failure group.\n"
    [found] = celeriac.json("failures", "list", "--state", "resolved")["data"]
    assert (found["note"], found["runbook"]) == ("Tell the bank.", "https://wiki.example.com/cards")
    assert found["state_by"].startswith("cli:")
    celeriac("failures", "open", group)
    celeriac("failures", "ignore", group, "--for", "4h", "--more", "100")
    [found] = celeriac.json("failures", "list", "--state", "ignored")["data"]
    assert found["ignore_left"] == 100
    celeriac("failures", "assign", group)
    celeriac("failures", "assign", group, "nobody@example.com", exit_code=2)


@pytest.mark.parametrize("options", [[], ["--for", "soon"], ["--for", "0h"], ["--until", "x"], ["--more", "0"], ["--for", "²h"]])
def test_nonsense_is_refused(celeriac: Celeriac, job: Job, options: list[str]) -> None:
    celeriac("failures", "ignore", record_failures(), *options, exit_code=2)


def test_deploys(celeriac: Celeriac, job: Job) -> None:
    assert "No deploy is marked" in celeriac("deploys", "list").stderr
    added = celeriac.json("deploys", "add", "1.4.2", "--note", "cards", "--at", "2026-03-01T12:00:00+00:00")
    assert (added["version"], added["at"]) == ("1.4.2", "2026-03-01T12:00:00.000Z")
    assert "1.4.2" in celeriac("deploys", "list").stdout
    assert [one["id"] for one in celeriac.json("deploys", "list")["data"]] == [added["id"]]
    celeriac("deploys", "add", "", exit_code=2)
    celeriac("deploys", "add", "x", "--at", "yesterday", exit_code=2)
    celeriac("deploys", "remove", added["id"])
    celeriac("deploys", "remove", added["id"], exit_code=4)
