"""The page of one job."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from console.jobs.rules import State
from tests.web.conftest import Browser, address, page, said


@pytest.mark.parametrize("state", list(State))
def test_each_state_has_its_page(support: Browser, job: Callable[..., str], state: State) -> None:
    made = job(state)
    response = support.get(f"/jobs/{made}")
    assert response.status_code == 200
    assert made in response.text


def test_it_says_why_it_failed(support: Browser, job: Callable[..., str]) -> None:
    shown = said(support.get(f"/jobs/{job()}"))
    assert "ValueError" in shown
    assert "no such name" in shown


def test_ids_of_other_applications(support: Browser, job: Callable[..., str]) -> None:
    job(id="order:2026/11/24 Ä?#1")
    assert support.get("/jobs/order:2026/11/24%20%C3%84%3F%231").status_code == 200


def test_a_payload_is_no_markup(support: Browser, job: Callable[..., str]) -> None:
    made = job(payload=json.dumps({"args": ["<img src=x onerror=alert(1)>"], "kwargs": {}}))
    assert page(support.get(f"/jobs/{made}")).select("img[onerror]") == []


def test_htmx_gets_the_job_alone(support: Browser, job: Callable[..., str]) -> None:
    response = support.fragment(f"/jobs/{job()}")
    assert response.status_code == 200
    assert page(response).select_one("html") is None


def test_it_says_who_did_something(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.PENDING)
    support.submit(f"/jobs/{made}/cancellation")
    audit = page(support.fragment(f"/jobs/{made}")).get_text(" ")
    assert address("support") in audit
