"""`celeriac logs`"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable

from console import db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.factories.logs import make_log
from tests.integration.commands.conftest import Celeriac

Job = Callable[..., str]


def test_prints_every_line_and_what_is_missing(celeriac: Celeriac, job: Job) -> None:
    made = job()
    make_log(made, 1, "one", "two")
    make_log(made, 10, "gone wrong \x1b[31m", level=40)
    assert celeriac("logs", made).stdout.splitlines() == [
        "2023-11-14T22:13:20.001Z INFO shop.orders: one",
        "2023-11-14T22:13:20.002Z INFO shop.orders: two",
        "… 7 lines left out …",
        "2023-11-14T22:13:20.010Z ERROR shop.orders: gone wrong \ufffd[31m",
    ]
    assert len(celeriac("logs", made, "--level", "error").stdout.splitlines()) == 2


def test_json_is_a_line_of_the_api_each(celeriac: Celeriac, job: Job) -> None:
    made = job()
    make_log(made, 1, *(f"line {number}" for number in range(1, 701)))
    make_log(made, 1, "again", attempt=2)
    found = [json.loads(line) for line in celeriac("logs", made, "--json").stdout.splitlines()]
    assert [line["number"] for line in found] == [*range(1, 701), 1]
    assert (found[0]["level"], found[0]["message"], found[-1]["attempt"]) == ("INFO", "line 1", 2)
    assert len(celeriac("logs", made, "--json", "--attempt", "2.0").stdout.splitlines()) == 1


def test_no_lines_and_no_job(celeriac: Celeriac, job: Job) -> None:
    assert "logged nothing" in celeriac("logs", job()).stderr
    assert celeriac("logs", "none", exit_code=4).stdout == ""
    assert celeriac("logs", job(), "--attempt", "x", exit_code=2).stdout == ""


def test_follows_until_the_job_has_ended(celeriac: Celeriac, job: Job) -> None:
    made = job(State.PROCESSING)
    make_log(made, 1, "one")

    def go_on() -> None:
        time.sleep(1)
        make_log(made, 2, "two")
        with db.writing() as session:
            session.get_one(JobStatus, made).state = State.COMPLETED
        time.sleep(1)
        make_log(made, 3, "three")

    rest = threading.Thread(target=go_on)
    rest.start()
    lines = celeriac("logs", made, "--follow").stdout.splitlines()
    rest.join()
    assert [line.rpartition(" ")[2] for line in lines] == ["one", "two", "three"]
