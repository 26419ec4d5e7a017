"""What a job says, without the values that it hides elsewhere."""

from __future__ import annotations

import time
from typing import Any

import pytest

from console import clock
from console.jobs.masking import MOST, Mask, mask_of
from console.jobs.queries import JobDetail, JobLine
from console.jobs.redaction import HIDDEN
from console.jobs.rules import State


def job(kwargs: dict[str, Any] | None = None, **more: Any) -> JobDetail:
    """One with this payload and nothing else."""
    given = {"id": "1", "type": "shop.pay", "queue": "default", "state": State.FAILED, "attempts": 1, "tags": (),
             "internal": False, "enqueued_at": clock.now()}  # fmt: skip
    line = JobLine(**{name: given.get(name) for name in JobLine.__slots__})
    given = {"line": line, "timeline": [], "failed_attempts": [], "payload": {"args": [], "kwargs": kwargs or {}}} | more
    return JobDetail(**{name: given.get(name) for name in JobDetail.__slots__})


@pytest.mark.parametrize(
    ("kwargs", "text", "expected"),
    [
        ({"password": "hunter2"}, "no user with hunter2, 'hunter2'", f"no user with {HIDDEN}, '{HIDDEN}'"),
        ({"user": {"token": {"id": ["abcd", 12345]}}}, "abcd/12345", f"{HIDDEN}/{HIDDEN}"),
        ({"pin": 1234}, "1234 in line 12345, 1234.", f"{HIDDEN} in line 12345, {HIDDEN}."),
        ({"card": "4111111111111111"}, "4111111111111111?", f"{HIDDEN}?"),
        ({"token": 12.345}, "12.345", HIDDEN),
        ({"token": "hunter2", "secret": "hunter23"}, "hunter23 hunter2", f"{HIDDEN} {HIDDEN}"),
        ({"token": "a'b\"ü\n"}, repr("a'b\"ü\n"), f"'{HIDDEN}\\n'"),
        ({"private_key": "-- KEY --\nabcdefghijkl\nxyz"}, "cut: abcdefghijkl\nxyz", f"cut: {HIDDEN}\nxyz"),
        ({"password": "hidden", "token": "[hidden]"}, "hidden!", f"{HIDDEN}!"),
        ({"password": "(.*)+"}, "any (.*)+ thing", f"any {HIDDEN} thing"),
    ],
    ids=["text", "within", "number", "digits", "decimal", "longest", "quoted", "lines", "itself", "pattern"],
)
def test_a_hidden_value_is_hidden_wherever_it_stands(kwargs: dict[str, Any], text: str, expected: str) -> None:
    assert mask_of(job(kwargs))(text) == expected


@pytest.mark.parametrize(
    "kwargs",
    [{"name": "hunter2"}, {"password": "hun"}, {"pin": 123}, {"token": True}, {"token": None}, {"token": "    "}, {"token": []}],
    ids=["not sensitive", "short", "few digits", "truth", "nothing", "blank", "empty"],
)
def test_all_else_stays(kwargs: dict[str, Any]) -> None:
    text = "hunter2 123    True None"
    assert mask_of(job(kwargs))(text) == text


def test_results_and_arguments_of_observed_jobs_count_too() -> None:
    mask = mask_of(job(result={"token": "from-result"}, payload=None, arguments="('x',) {'password': 'hunter2', 'n': 1}"))
    assert mask("from-result, hunter2, x") == f"{HIDDEN}, {HIDDEN}, x"


def test_nothing_of_a_text_is_shown_where_there_are_too_many_to_look_for() -> None:
    mask = mask_of(job({"tokens": "no", "token": [f"value{n}" for n in range(MOST + 1)]}))
    assert (mask("anything"), mask(""), mask(None)) == (HIDDEN, "", None)


def test_it_takes_no_time_to_speak_of() -> None:
    mask = Mask(lambda: [f"{n:08}-value" for n in range(MOST)])
    lines = ["page 17 of 40, 1,234 rows read from the index, 12 of them new"] * 500
    began = time.perf_counter()
    assert [mask(line) for line in lines] == lines
    assert time.perf_counter() - began < 0.5
