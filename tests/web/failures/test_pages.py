"""Reading failures: groups, the matrix, one group."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import pytest

from console import clock, db
from console.actor import SYSTEM
from console.deploys import service as deploys
from console.jobs import bulk
from console.jobs.filters import Condition, JobFilter
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.factories.actions import work
from tests.web.conftest import Browser, page, said


def rows(browser: Browser, path: str = "/failures") -> list[str]:
    return [" ".join(row.get_text(" ").split()) for row in page(browser.get(path)).select("table.failures tbody tr")]


def test_nothing_has_failed(support: Browser) -> None:
    assert "Nothing has failed yet" in said(support.get("/failures"))
    assert "No failed job is stored" in said(support.get("/failures/matrix"))


def test_failures_of_the_same_cause_are_one_line(support: Browser, fail: Callable[..., str]) -> None:
    fail(3)
    fail(1, function="refund")
    shown = rows(support)
    assert len(shown) == 2
    assert sum("order <n> was refused" in line for line in shown) == 2
    assert any(" 3 3 3 " in f" {line} " and "shop/orders.py:charge" in line for line in shown)


@pytest.mark.parametrize(
    ("sort", "first"), [("last", "late"), ("count", "often"), ("total", "often"), ("new", "late")]
)
def test_sorting(support: Browser, fail: Callable[..., str], sort: str, first: str) -> None:
    fail(5, at=clock.now() - timedelta(hours=3), error="often")
    fail(1, at=clock.now() - timedelta(hours=2), error="early")
    fail(2, error="late")
    assert rows(support, f"/failures?sort={sort}")[0].startswith(first)


def test_filters(support: Browser, fail: Callable[..., str]) -> None:
    fail(job_type="shop.refund", error="KeyError")
    fail()
    assert len(rows(support, "/failures?type=shop.refund")) == 1
    assert len(rows(support, "/failures?text=keyerr")) == 1
    assert rows(support, "/failures?text=100%25") == []
    assert rows(support, "/failures?assignee=ada@example.com") == []
    assert len(rows(support, "/failures?assignee=-")) == 2
    assert rows(support, "/failures?state=resolved") == []
    assert len(rows(support, "/failures?state=all")) == 2


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("state=nonsense", 422), ("sort=nonsense", 422), ("text=%00", 422), ("type=" + "x" * 300, 422),
        ("page=-4", 200), ("page=x", 200), ("page=99999999999999999999", 200),
    ],
)
def test_nonsense(support: Browser, fail: Callable[..., str], query: str, status: int) -> None:
    fail()
    assert support.get(f"/failures?{query}").status_code == status


def test_an_unknown_group(support: Browser) -> None:
    assert support.get("/failures/0000000000000000").status_code == HTTPStatus.NOT_FOUND


def test_the_matrix_counts_what_its_links_show(support: Browser, fail: Callable[..., str]) -> None:
    fail(2)
    fail(3, at=clock.now() - timedelta(days=3))
    fail(1, job_type="shop.refund", at=clock.now() - timedelta(days=30))
    shown = page(support.get("/failures/matrix"))
    lines = {
        str(row.select_one("th").get_text()).strip(): [cell.get_text(" ").split()[0] for cell in row.select("td")]  # type: ignore[union-attr]
        for row in shown.select("table.matrix tbody tr")
    }
    assert lines == {"shop.charge": ["2", "0", "0", "3", "0"], "shop.refund": ["0", "0", "0", "0", "1"]}
    for link in shown.select("table.matrix td a"):
        listed = page(support.get(str(link["href"]))).select("#job-table tbody tr")
        assert len(listed) == int(link.get_text(" ").split()[0])


def test_a_retried_failure_is_no_more_open(support: Browser, fail: Callable[..., str]) -> None:
    group = fail(3)
    with db.reading() as session:
        job_id = session.query(JobStatus).filter_by(fingerprint=group).first().id  # type: ignore[union-attr]
    support.submit(f"/jobs/{job_id}/retry")
    assert "2 jobs not retried" in said(support.get(f"/failures/{group}"))
    cells = page(support.get("/failures/matrix?open=1")).select("table.matrix td")
    assert cells[0].get_text(" ").split()[0] == "2"


def test_a_group_says_what_its_failures_have_in_common(support: Browser, fail: Callable[..., str]) -> None:
    for _ in range(3):
        fail(payload={"user_id": 4711, "version": "1.4", "password": "hunter2", "items": [1, 2]}, worker="celery@b")
    group = fail(payload={"user_id": 12, "version": "1.4", "items": []})
    shown = said(support.get(f"/failures/{group}"))
    assert "version 1.4 4 · 100 %" in shown
    assert "user_id 4711 3 · 75 % 12 1 · 25 %" in shown
    assert "celery@b 3 · 75 %" in shown
    assert "2 entries 3" in shown
    common = page(support.get(f"/failures/{group}")).select_one(".alike")
    assert common is not None
    assert "hunter2" not in common.get_text()


def test_a_group_shows_its_latest_example_with_folded_frames(support: Browser, fail: Callable[..., str]) -> None:
    group = fail(2)
    shown = page(support.get(f"/failures/{group}"))
    example = shown.select_one(".traceback")
    assert example is not None
    assert "1 call in libraries" in example.get_text()
    assert shown.select_one("a[href^='/jobs/failure-']") is not None


def test_a_group_whose_jobs_are_gone_stays(admin: Browser, fail: Callable[..., str]) -> None:
    group = fail(2)
    bulk.do_to_all(db.writing, bulk.FLUSH, SYSTEM, JobFilter(conditions=(Condition("group", group),)))
    shown = said(admin.get(f"/failures/{group}"))
    assert "None of its jobs is stored any more" in shown
    assert "0 jobs not retried" in shown
    assert "Ever 2" in shown


def test_deploys_are_on_the_chart_and_blamed(support: Browser, fail: Callable[..., str]) -> None:
    with db.writing() as session:
        deploys.add_deploy(session, SYSTEM, "1.4.2", clock.now() - timedelta(minutes=4))
    group = fail()
    shown = support.get(f"/failures/{group}")
    assert "4 min after deploy 1.4.2" in said(shown)
    drawn = json.loads(str(page(shown).select_one("#failures-chart")["data-chart"]))  # type: ignore[index]
    assert [mark["version"] for mark in drawn["deploys"]] == ["1.4.2"]
    assert sum(drawn["failed"]) == 1
    overview = json.loads(str(page(support.get("/")).select_one("#throughput")["data-chart"]))  # type: ignore[index]
    assert [mark["version"] for mark in overview["deploys"]] == ["1.4.2"]


@pytest.mark.parametrize("name", ["24h", "7d", "30d", "nonsense"])
def test_every_range_counts_what_happened_in_it(support: Browser, fail: Callable[..., str], name: str) -> None:
    group = fail(2, at=clock.now() - timedelta(minutes=1))
    drawn = json.loads(
        str(page(support.get(f"/failures/{group}?range={name}")).select_one("#failures-chart")["data-chart"])  # type: ignore[index]
    )
    assert sum(drawn["failed"]) == 2


def test_the_group_leads_to_its_jobs_and_to_their_retry(support: Browser, fail: Callable[..., str]) -> None:
    group = fail(3)
    fail(2, function="refund")
    listed = page(support.get(f"/jobs?q=group:{group}")).select("#job-table tbody tr")
    assert len(listed) == 3
    retry = page(support.get(f"/failures/{group}")).select_one("[data-key=retry]")
    assert retry is not None
    form = page(support.get(str(retry["href"]))).select_one("main form")
    assert form is not None
    assert "Retry 3 jobs?" in form.get_text()
    fields = {str(field["name"]): str(field["value"]) for field in form.select("input[type=hidden]") if field["name"] != "csrf_token"}
    sent = support.submit("/actions", **fields)
    assert f"group:{group}" in said(support.get(sent.headers["Location"]))
    work()
    with db.reading() as session:
        states = [job.state for job in session.query(JobStatus).filter_by(fingerprint=group)]
        others = session.query(JobStatus).filter(JobStatus.fingerprint != group, JobStatus.retried_as.is_not(None)).count()
    assert states == [State.FAILED] * 3
    assert others == 0


def test_a_job_leads_to_those_like_it(support: Browser, fail: Callable[..., str]) -> None:
    group = fail(4)
    with db.reading() as session:
        job_id = session.query(JobStatus).filter_by(fingerprint=group).first().id  # type: ignore[union-attr]
    link = page(support.get(f"/jobs/{job_id}")).select_one(f"a[href='/failures/{group}']")
    assert link is not None
    assert link.get_text() == "Like 3 others"


def test_many_groups_have_pages(support: Browser, fail: Callable[..., str]) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    for first in letters[:3]:
        for second in letters[:18]:
            fail(error=f"Error{first}{second}")
    assert len(rows(support)) == 50
    assert len(rows(support, "/failures?page=2")) == 4


@pytest.mark.parametrize(
    ("address", "root"), [("/failures", "failure-list"), ("/failures/matrix", "failure-matrix"), ("/failures/GROUP", "failure")]
)
def test_a_page_brings_itself_up_to_date(support: Browser, fail: Callable[..., str], address: str, root: str) -> None:
    address = address.replace("GROUP", fail())
    shown = page(support.get(address)).select_one(f"[data-live=failures] > #{root}")
    assert shown is not None
    part = page(support.get(address, headers={"HX-Request": "true"}))
    assert part.select_one(f"#{root}") is not None and part.select_one("nav.rail, .frame") is None
    assert len(part.select("[data-row]")) == len(shown.select("[data-row]")) == (root != "failure")
