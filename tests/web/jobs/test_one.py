"""What the page of one job shows and does: hidden values, attempts, the usual, neighbours, again, time and queue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis

from console import clock, db
from console.audit.queries import entries_of
from console.jobs.models import JobAttempt, JobStatus
from console.jobs.rules import State
from console.jobs.tally import Tally
from tests.web.conftest import Browser, page, said

SECRET = json.dumps({"args": [], "kwargs": {"user": {"id": 42, "password": "hunter2"}, "note": "hi"}})


def row_of(job_id: str) -> JobStatus:
    with db.reading() as session:
        return session.get_one(JobStatus, job_id)


def actions_on(job_id: str) -> list[str]:
    with db.reading() as session:
        return [entry.action for entry in entries_of(session, "job", job_id)]


def attempts(job_id: str, *said: tuple[str, str]) -> None:
    """Attempts with these messages and tracebacks, the first one first."""
    with db.writing() as session:
        session.add_all(
            JobAttempt(
                job_id=job_id, run=0, attempt=number, state="RETRYING", error_type="ValueError", error_message=message,
                traceback=traceback, finished_at=clock.now(),
            )
            for number, (message, traceback) in enumerate(said, 1)
        )


def test_a_password_is_shown_to_nobody_who_does_not_ask_for_it(
    browser_of: Callable[[str], Browser], job: Callable[..., str]
) -> None:
    made = job(State.COMPLETED, payload=SECRET, result='{"token": "hunter2", "ok": true}')
    for role in ("support", "admin"):
        browser = browser_of(role)
        for path in ("", "/payload", "/result"):
            text = browser.get(f"/jobs/{made}{path}").text
            assert "hunter2" not in text, (role, path)
        shown = said(browser.get(f"/jobs/{made}"))
        assert "2 values are hidden" in shown
        assert "id 42 number" in shown
        assert ("Show, and note it" in shown) == (role == "admin")


def test_an_admin_who_asks_is_written_down(browser_of: Callable[[str], Browser], job: Callable[..., str]) -> None:
    made = job(State.COMPLETED, payload=SECRET)
    refused = browser_of("support").submit(f"/jobs/{made}/disclosure")
    assert (refused.status_code, "hunter2" in refused.text, actions_on(made)) == (403, False, [])
    shown = browser_of("admin").submit(f"/jobs/{made}/disclosure")
    assert "hunter2" in shown.text
    assert page(shown).select("[data-live]") == [], "what is shown must not be fetched again without being asked for"
    assert actions_on(made) == ["jobs.disclose"]


def test_all_of_it_can_be_downloaded(browser_of: Callable[[str], Browser], job: Callable[..., str]) -> None:
    made = job(payload=SECRET)
    admin = browser_of("admin")
    response = admin.get(f"/jobs/{made}/payload")
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.get_json()["kwargs"]["user"] == {"id": 42, "password": "[hidden]"}
    response = admin.submit(f"/jobs/{made}/disclosure", **{"as": "file"})
    assert response.get_json(force=True)["kwargs"]["user"]["password"] == "hunter2"
    assert actions_on(made) == ["jobs.disclose"]


def test_a_name_copies_the_search_for_jobs_like_it(support: Browser, job: Callable[..., str]) -> None:
    shown = page(support.get(f"/jobs/{job(payload=SECRET)}"))
    assert [str(key["data-copy"]) for key in shown.select("button.key")] == ["args.user.id:42", "args.user.password:", "args.note:hi"]


def test_attempts_say_what_differs(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.RETRYING)
    trace = 'Traceback (most recent call last):\n  File "/srv/shop/pay.py", line 7, in pay\n    charge()\nValueError: {}\n'
    attempts(made, ("a", trace.format("a")), ("a", trace.format("a")), ("b", trace.format("b")))
    shown = page(support.get(f"/jobs/{made}"))
    third, second, first = (shown.select_one(f"#attempt-0-{number}") for number in (3, 2, 1))
    assert third and second and first
    assert [re.sub(r"\s+", " ", line.get_text()).strip() for line in third.select(".diff .added")] == [
        "+added: ValueError: b", "+added: ValueError: b",
    ]
    assert "same as attempt 1" in second.get_text()
    assert first.select(".diff, .tag") == []


def test_a_difference_in_libraries_alone_is_none(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.RETRYING)
    library = '  File "/usr/lib/python3.11/site-packages/celery/app.py", line {}, in run\n    x()\n'
    own = '  File "/srv/shop/pay.py", line 7, in pay\n    charge()\nValueError: a\n'
    attempts(made, ("a", library.format(1) + own), ("a", library.format(2) + own))
    assert "same as attempt 1" in said(support.get(f"/jobs/{made}"))


def test_a_run_is_compared_with_the_usual(support: Browser, job: Callable[..., str]) -> None:
    with db.writing() as session:
        tally, now = Tally(), clock.now_ms()
        for number in range(100):
            at = now - number % 6 * 86_400_000
            tally.ended(State.COMPLETED, at, "shop.pay", "default", 10 * (number + 1), 100 * (number + 1))
        tally.ended(State.COMPLETED, now - 30 * 86_400_000, "shop.pay", "default", 1, 1)
        tally.write(session)
    shown = page(support.get(f"/jobs/{job(State.COMPLETED, type='shop.pay', runtime_ms=9_450)}")).select_one("#usual")
    assert shown
    text = " ".join(shown.get_text(" ").split())
    assert "Run time 9.4 s slower than 9" in text or "Run time 9.5 s slower than 9" in text
    assert "% of 101 runs" in text
    assert len(shown.select("svg rect")) > 5
    assert len(shown.select("svg .mark")) == 2
    shown = page(support.get(f"/jobs/{job(State.COMPLETED, type='shop.rare')}")).select_one("#usual")
    assert shown
    assert "only 1 run to compare with" in shown.get_text()


def test_it_goes_through_the_list_that_it_was_opened_from(support: Browser, job: Callable[..., str]) -> None:
    at = clock.now()
    ids = [
        job(State.RETRYABLE if number != 2 else State.COMPLETED, enqueued_at=at - timedelta(seconds=number))
        for number in range(5)
    ]  # newest first
    links = [str(row["data-href"]) for row in page(support.get("/jobs?state=FAILED")).select("tr[data-href]")]
    assert links == [f"/jobs/{ids[n]}?of=q%3Dstate%253Afailed" for n in (0, 1, 3, 4)]

    def around(number: int, of: str = "state%3DFAILED") -> list[str]:
        shown = page(support.get(f"/jobs/{ids[number]}?of={of}"))
        return [str(link["href"]).partition("?")[0].removeprefix("/jobs/") for link in shown.select(".neighbours a")]

    assert [around(n) for n in (0, 1, 3, 4)] == [[ids[1]], [ids[0], ids[3]], [ids[1], ids[4]], [ids[3]]]
    assert around(2) == [ids[1], ids[3]], "one that no longer fits keeps its place"
    assert around(1, of="") == [ids[0], ids[2]]
    assert around(1, of="type%3Dtests.greet%26text%3DAda") == [ids[0], ids[2]]
    assert around(1, of="state%3Dnonsense") == []
    assert page(support.get(f"/jobs/{ids[1]}")).select(".neighbours") == []


def test_a_retry_goes_on_through_the_list_from_the_old_ones_place(support: Browser, job: Callable[..., str]) -> None:
    at = clock.now()
    ids = [job(enqueued_at=at - timedelta(seconds=number)) for number in range(4)]  # newest first

    def around(address: str) -> list[str]:
        links = page(support.get(address)).select(".neighbours a")
        return [str(link["href"]).partition("?")[0].removeprefix("/jobs/") for link in links]

    [form] = page(support.get(f"/jobs/{ids[1]}?of=q%3Dstate%253Afailed")).select("form[action*='/retry']")
    new = support.submit(str(form["action"])).headers["Location"]
    assert around(new) == [ids[0], ids[2]]
    assert around(f"{new.partition('?')[0]}?of=q%3Dstate%253Afailed&place=gone") == [], "nonsense is not worth an error"
    plain = support.submit(f"/jobs/{ids[3]}/retry").headers["Location"]
    assert "?" not in plain


def test_what_can_be_copied_holds_no_token_and_no_secret(browser_of: Callable[[str], Browser], job: Callable[..., str]) -> None:
    admin = browser_of("admin")
    texts = [str(one["data-copy"]) for one in page(admin.get(f"/jobs/{job()}")).select("#copies [data-copy]")]
    assert any(text.startswith("celeriac retry ") for text in texts)
    assert """celeriac dispatch tests.greet --payload '{"name": "Ada", "times": 1}'""" in texts
    assert all("Bearer $CELERIAC_TOKEN" in text for text in texts if text.startswith("curl"))
    secret = json.dumps({"args": [], "kwargs": {"name": "Ada", "token": "hunter2"}})
    texts = [str(one["data-copy"]) for one in page(admin.get(f"/jobs/{job(payload=secret)}")).select("[data-copy]")]
    assert "hunter2" not in " ".join(texts)
    job(id="it`s $(x) /a?")
    texts = [str(one["data-copy"]) for one in page(admin.get("/jobs/it%60s%20$(x)%20/a%3F")).select("#copies [data-copy]")]
    assert "celeriac show 'it`s $(x) /a?'" in texts


def test_running_it_again_asks_first(support: Browser, job: Callable[..., str], broker: redis.Redis) -> None:
    made = job(State.COMPLETED)
    form = page(support.get(f"/jobs/{made}/again"))
    assert "did its work already" in form.get_text()
    key = str(form.select_one("[name=key]")["value"])  # type: ignore[index]
    first = support.submit(f"/jobs/{made}/again", key=key).headers["Location"]
    assert support.submit(f"/jobs/{made}/again", key=key).headers["Location"] == first
    assert broker.llen("default") == 1
    assert f'href="{first}"' in support.get(f"/jobs/{made}").text, "the old one leads to the new one"
    assert f'href="/jobs/{made}"' in support.get(first).text


def test_time_and_queue_of_one_that_waits(support: Browser, job: Callable[..., str]) -> None:
    made = job(State.SCHEDULED)
    assert "Set the time" in said(support.get(f"/jobs/{made}/schedule"))
    assert support.submit(f"/jobs/{made}/schedule", at="2031-03-01T12:00").status_code == 303
    assert row_of(made).due_at.isoformat() == "2031-03-01T12:00:00+00:00"  # type: ignore[union-attr]
    support.submit(f"/jobs/{made}/queue", queue="other")
    assert row_of(made).queue == "other"
    assert "from default to other" in said(support.get(f"/jobs/{made}"))
    support.submit(f"/jobs/{made}/schedule", now="1", at="")
    assert row_of(made).due_at <= clock.now()  # type: ignore[operator]


@pytest.mark.parametrize("fields", [{"at": "nonsense"}, {"at": ""}, {"at": "9999-12-31T23:59"}, {}])
def test_a_time_that_is_none_is_said(support: Browser, job: Callable[..., str], fields: dict[str, str]) -> None:
    made = job(State.SCHEDULED)
    before = row_of(made).due_at
    assert support.submit(f"/jobs/{made}/schedule", **fields).headers["Location"] == f"/jobs/{made}"
    assert row_of(made).due_at == before
    assert "note error" in support.get(f"/jobs/{made}").text


def test_open_failures_are_told_from_those_done_with(support: Browser, job: Callable[..., str]) -> None:
    old = job()
    assert "Open: it failed for good" in said(support.get(f"/jobs/{old}"))
    support.submit(f"/jobs/{old}/retry")
    assert "Done with: it failed, and was retried" in said(support.get(f"/jobs/{old}"))
    kept = job()
    rows = page(support.get("/jobs?state=RETRYABLE")).select("tr[data-href]")
    assert [str(row["id"]) for row in rows] == [f"job-{kept}"]
    assert "To retry 1" in said(support.get("/jobs"))


def test_the_course_is_told_in_words(support: Browser, job: Callable[..., str]) -> None:
    at = clock.now_ms() - 60_000
    story = [("published", 0, 0), ("started", 1_000, 0), ("retry", 3_000, 0), ("published", 13_000, 1), ("started", 14_000, 1), ("failed", 18_000, 1)]
    moments = [[at + ms, kind, 0, retries, ""] for kind, ms, retries in story]
    shown = page(support.get(f"/jobs/{job(timeline=json.dumps(moments))}"))
    caption = " ".join(shown.select_one(".course figcaption").get_text().split())  # type: ignore[union-attr]
    assert "Pending for 2 s in all, then Processing, 2 times." in caption
    assert "Retrying for 10 s, then Pending." in caption
    assert "Processing for 4 s, then Retryable." in caption
    assert len(shown.select(".course svg.wide g")) == 4
