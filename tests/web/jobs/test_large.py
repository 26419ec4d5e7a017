"""Real sizes: the page of a job stays small and quick whatever the job is like."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from console import clock, db
from console.jobs.models import JobAttempt
from console.jobs.rules import State
from tests.web.conftest import Browser, page, said

MOST_BYTES, MOST_SECONDS = 300_000, 0.2
FIVE_MB = 5_000_000


def opened(browser: Browser, job_id: str) -> TestResponse:
    """The page, measured at its best: other tests share the machine."""
    took = []
    for _ in range(10):
        began = time.perf_counter()
        response = browser.get(f"/jobs/{job_id}")
        took.append(time.perf_counter() - began)
        if took[-1] < MOST_SECONDS:
            break
    assert response.status_code == 200
    assert len(response.data) < MOST_BYTES
    assert min(took) < MOST_SECONDS, took
    return response


@pytest.mark.parametrize(
    "kwargs",
    [
        {"body": "x" * (FIVE_MB - 100)},
        {"numbers": [1234567] * (FIVE_MB // 9 - 10)},
        {"rows": [{"id": n, "name": f"person {n}", "token": "hunter2"} for n in range(90_000)]},
        {"deep": {str(n): {"a": "<b>" * 300} for n in range(5_000)}},
    ],
    ids=["one text", "numbers", "rows", "markup"],
)
def test_five_megabytes_of_payload(support: Browser, job: Callable[..., str], kwargs: dict[str, Any]) -> None:
    payload = json.dumps({"args": [], "kwargs": kwargs})
    assert 4_000_000 < len(payload) <= FIVE_MB + 500_000
    response = opened(support, job(payload=payload))
    assert "download all of it" in said(response)
    assert "hunter2" not in response.text


def test_the_whole_of_it_is_a_download_away(support: Browser, job: Callable[..., str]) -> None:
    made = job(payload=json.dumps({"args": [], "kwargs": {"body": "x" * FIVE_MB}}))
    assert len(support.get(f"/jobs/{made}/payload").get_json()["kwargs"]["body"]) == FIVE_MB


def test_a_traceback_of_ten_thousand_lines(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.RETRYING)
    frame = '  File "/srv/shop/tree.py", line {}, in walk\n    return walk(node.left)\n'
    traceback = "Traceback (most recent call last):\n" + "".join(map(frame.format, range(5_000))) + "RecursionError: deep\n"
    assert traceback.count("\n") > 10_000
    with db.writing() as session:
        for number in (1, 2):
            session.add(JobAttempt(job_id=made, run=0, attempt=number, state="RETRYING", error_type="RecursionError", traceback=traceback))
    response = opened(support, made)
    assert "The end of a traceback of 10,003 lines" in said(response)
    assert "RecursionError: deep" in response.text
    assert "same as attempt 1" in said(response)
    whole = str(page(response).select_one("#attempt-0-2 a[hx-get]")["hx-get"])  # type: ignore[index]
    assert support.get(whole).text == traceback
    assert "line 4999" in support.fragment(whole).text
    assert page(support.fragment(whole)).select_one("#traceback-0-2") is not None


def test_a_thousand_attempts(support: Browser, job: Callable[..., str]) -> None:
    at = clock.now_ms() - 10_000_000
    moments = [[at + n * 1_000, "retry" if n % 2 else "started", 0, n // 2, "work@here"] for n in range(500)]
    made = job(State.RETRYING, timeline=json.dumps(moments), attempts=1_000)
    with db.writing() as session:
        session.add_all(
            JobAttempt(
                job_id=made, run=0, attempt=number, state="RETRYING", error_type="ValueError", error_message=f"try {number}",
                traceback="Traceback (most recent call last):\n" + '  File "/srv/a.py", line 1, in a\n    b()\n' * 200,
                finished_at=clock.from_ms(at + number * 1_000), worker="work@here",
            )
            for number in range(1, 1_001)
        )
    response = opened(support, made)
    shown = page(response)
    assert [str(one["id"]) for one in shown.select(".attempt")] == [f"attempt-0-{n}" for n in range(1_000, 990, -1)]
    assert len(shown.select(".timeline li[class^=m-]")) < 60
    older = str(shown.select("#attempts .pager a")[-1]["href"])
    shown = page(support.get(older))
    assert [str(one["id"]) for one in shown.select(".attempt")] == [f"attempt-0-{n}" for n in range(990, 980, -1)]
    shown = page(support.get(f"/jobs/{made}?attempts=0.8"))
    assert [str(one["id"]) for one in shown.select(".attempt")] == [f"attempt-0-{n}" for n in range(7, 0, -1)]
    assert "Earlier" not in shown.select_one("#attempts .pager").get_text()  # type: ignore[union-attr]


@pytest.mark.parametrize("place", ["", "x", "99999.1", "1.99999999999", "0.x", "1.2.3", "-1.0", "9" * 40, "0.99", "٣.1"])
def test_an_attempt_that_there_is_not(support: Browser, job: Callable[..., str], place: str) -> None:
    made = job()
    assert support.get(f"/jobs/{made}/attempts/{place}/traceback").status_code in (404, 422)
    assert support.get(f"/jobs/{made}?attempts={place}").status_code in (200, 422)


def test_binary_arguments(support: Browser, job: Callable[..., str]) -> None:
    made = job(type="shop.store", payload=json.dumps({"args": [repr(b"\x00\xff" * 6), repr(bytes(900))[:500]], "kwargs": {}}))
    text = said(support.get(f"/jobs/{made}"))
    assert "12 bytes: 00 ff 00 ff 00 ff 00 ff 00 ff 00 ff" in text
    assert "124 bytes or more: 00 00" in text


def test_letters_that_are_none(support: Browser, job: Callable[..., str]) -> None:
    made = job(payload='{"args": [], "kwargs": {"name": "\\ud800x", "\\udfff": 1, "zero": "\\u0000"}}')
    assert support.get(f"/jobs/{made}").status_code == 200
    assert support.get(f"/jobs/{made}/payload").status_code == 200
    assert support.get(f"/jobs/{made}/edit").status_code == 200
    assert support.submit(f"/jobs/{made}/edit", json='{"kwargs": {"name": "\\ud800"}}').status_code in (200, 422)
    assert support.submit(f"/jobs/{made}/edit", json='{"kwargs": {"name": "\\u0000"}}', send="1").status_code == 303
