"""The search box, its fields and chips, saved searches, columns and exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from console import db
from console.access.rules import Role
from console.audit.models import AuditEntry
from console.jobs.models import JobStatus, SavedSearch
from console.jobs.rules import State
from tests.factories.actions import work
from tests.web.conftest import Browser, page, said


def listed(browser: Browser, address: str) -> set[str]:
    return {str(row["id"]).removeprefix("job-") for row in page(browser.get(address)).select("tr[id^=job-]")}


def box(browser: Browser, address: str) -> str:
    found = page(browser.get(address)).select_one("#job-text")
    assert found is not None
    return str(found["value"])


def actions() -> list[str]:
    with db.reading() as session:
        return [entry.action for entry in session.query(AuditEntry).order_by(AuditEntry.id)]


@pytest.fixture
def made(job: Callable[..., str]) -> None:
    job(id="mail", queue="emails", type="emails.send", payload='{"args":[],"kwargs":{"user_id":42}}')
    job(id="other", queue="emails", type="emails.send", payload='{"args":[],"kwargs":{"user_id":43}}')
    job(State.COMPLETED, id="done", type="report")


def test_the_box_finds(support: Browser, made: None) -> None:
    assert listed(support, "/jobs?q=queue:emails+args.user_id:42") == {"mail"}


def test_old_addresses_are_shown_as_a_search(support: Browser, made: None) -> None:
    address = "/jobs?state=FAILED&queue=emails&text=a:b&internal=1"
    assert box(support, address) == 'state:failed queue:emails "a:b" internal:yes'


def test_a_relative_time_stays_one(support: Browser, made: None) -> None:
    assert box(support, "/jobs?q=after:2h") == "after:2h"
    links = [str(link["href"]) for link in page(support.get("/jobs?q=after:2h")).select("nav.tabs a")]
    assert all("after:2h" in link for link in links)


def test_what_is_acted_on_has_its_time_fixed(support: Browser, made: None) -> None:
    field = page(support.get("/actions/new?kind=retry&q=after:2h+queue:emails")).select_one("main input[name=q]")
    assert field is not None
    assert "after:2h" not in str(field["value"])
    assert str(field["value"]).startswith("queue:emails after:20")


def test_the_fields_replace_what_the_box_said(support: Browser, made: None) -> None:
    response = support.fragment("/jobs?q=type:report&queue=emails&args_path=user_id&args_value=>42")
    assert parse_qs(urlsplit(response.headers["HX-Push-Url"]).query) == {"q": ["type:report queue:emails args.user_id:>42"]}
    assert box(support, "/jobs?q=queue:emails&queue=default") == "queue:default"


def test_a_chip_removes_its_condition(support: Browser, made: None) -> None:
    shown = page(support.get("/jobs?q=state:failed+queue:emails+args.user_id:42"))
    chips = {chip.get_text(" ", strip=True): str(chip["href"]) for chip in shown.select(".chips a")}
    assert list(chips) == ["Remove queue:emails", "Remove args.user_id:42"]
    assert listed(support, chips["Remove args.user_id:42"]) == {"mail", "other"}


def test_what_is_not_understood_is_said_beside_the_box_and_kept(support: Browser, made: None) -> None:
    response = support.get("/jobs?q=quue:emails")
    assert response.status_code == 422
    assert "Character 1: There is no key 'quue'" in said(response)
    assert page(response).select_one("#job-text")["value"] == "quue:emails"
    assert support.fragment("/jobs?q=quue:emails").status_code == 200, "htmx shows nothing else"
    assert support.get("/actions/new?kind=retry&q=quue:emails").status_code == 422


@pytest.mark.parametrize("path", ["/jobs/retries", "/jobs/cancellations"])
def test_a_search_that_is_not_understood_acts_on_nothing(support: Browser, made: None, path: str) -> None:
    assert support.submit(path, all="1", q="quue:emails").status_code == 422
    assert support.submit(path, all="1", q="queue:a", queue="b").status_code == 422
    assert not [action for action in actions() if action.startswith("jobs.")]


def test_all_that_match_are_retried(support: Browser, made: None) -> None:
    form = page(support.get("/actions/new?kind=retry&q=args.user_id:42")).select("#action-form input[name]")
    sent = {str(field["name"]): str(field.get("value", "")) for field in form if field["name"] != "csrf_token"}
    support.submit("/actions", **sent)
    work()
    with db.reading() as session:
        assert {job.id for job in session.query(JobStatus).filter(JobStatus.retried_as.is_not(None))} == {"mail"}


def test_a_guess_at_what_is_hidden_is_refused(browser_of: Callable[[str], Browser], job: Callable[..., str]) -> None:
    job(id="paid", payload='{"args":[],"kwargs":{"user":{"password":"hunter2","name":"Ada"}}}')
    support, admin = browser_of("support"), browser_of("admin")
    for address in ("/jobs?q=args.user.password:hunter2", "/jobs?args_path=user.password&args_value=hunter2",
                    "/jobs/newer?top=MTox&q=-args.user.password:x", "/actions/new?kind=retry&q=args.user.password:hunter2"):  # fmt: skip
        response = support.get(address)
        assert response.status_code == 422, address
        assert "args.user.password holds what is hidden from you" in response.text, address
        assert "paid" not in response.text, address
    export = support.submit("/jobs/exports", q="args.user.password:hunter2")
    assert "holds what is hidden" in export.text
    assert "jobs.export" not in actions()
    assert listed(admin, "/jobs?q=args.user.password:hunter2") == {"paid"}
    for browser, offered in ((support, ["args.user.name:"]), (admin, ["args.user.name:", "args.user.password:"])):
        options = browser.get("/jobs/completions?q=args.user").json["options"]
        assert sorted(one["text"] for one in options) == offered
        assert browser.get("/jobs/completions?q=args.user.password:h").json["options"] == []


def test_completion_answers_the_box(support: Browser, made: None) -> None:
    answer = support.get("/jobs/completions?q=queue:em&at=8").json
    assert answer == {"begin": 0, "end": 8, "options": [{"text": "queue:emails", "note": "2"}]}
    assert support.get("/jobs/completions?q=x&at=nonsense").status_code == 200


def saved(browser: Browser) -> list[str]:
    return [link.select_one("span").get_text() for link in page(browser.get("/jobs")).select(".saved a")]


def test_a_saved_search_is_its_owners_unless_shared(support: Browser, browser_of: Callable[[str], Browser], made: None) -> None:
    support.submit("/jobs/searches", name="mine", q="after:2h")
    support.submit("/jobs/searches", name="ours", q="queue:emails", shared="1")
    assert saved(support) == ["mine", "ours"]
    assert saved(browser_of(Role.ADMIN)) == ["ours"]
    assert actions().count("searches.save") == 2


def test_saving_again_replaces(support: Browser) -> None:
    support.submit("/jobs/searches", name="mine", q="after:2h")
    support.submit("/jobs/searches", name=" mine ", q="after:3h")
    with db.reading() as session:
        assert [(row.name, row.q) for row in session.query(SavedSearch)] == [("mine", "after:3h")]


@pytest.mark.parametrize(("name", "q"), [("", "x"), ("n" * 81, "x"), ("a\nb", "x"), ("fine", "quue:x")])
def test_what_cannot_be_saved_is_said(support: Browser, name: str, q: str) -> None:
    support.submit("/jobs/searches", name=name, q=q)
    assert "The search was not saved." in said(support.get("/jobs"))
    assert saved(support) == []


def test_only_the_owner_and_admins_delete(support: Browser, admin: Browser, app: object) -> None:
    admin.submit("/jobs/searches", name="of the admin", q="x", shared="1")
    admin.submit("/jobs/searches", name="private", q="x")
    support.submit("/jobs/searches", name="of support", q="x", shared="1")
    with db.reading() as session:
        ids = {row.name: row.id for row in session.query(SavedSearch)}
    support.submit(f"/jobs/searches/{ids['of the admin']}/deletion")
    assert "They or an admin may delete it" in said(support.get("/jobs"))
    support.submit(f"/jobs/searches/{ids['private']}/deletion")
    assert "There is no such search" in said(support.get("/jobs"))
    assert len(saved(admin)) == 3
    admin.submit(f"/jobs/searches/{ids['of support']}/deletion")
    assert saved(admin) == ["of the admin", "private"]
    assert "searches.delete" in actions()


def heads(browser: Browser, address: str = "/jobs") -> list[str]:
    return [head.get_text(strip=True) for head in page(browser.get(address)).select("#job-table th")][3:]


def test_columns_are_remembered_for_this_person(support: Browser, admin: Browser, made: None) -> None:
    usual = ["Id", "Queue", "Attempts", "Run time", "Enqueued"]
    assert heads(support) == usual
    support.submit("/jobs/columns", column=["tags", "worker"])
    assert heads(support) == ["Worker", "Tags"]
    assert heads(admin) == usual
    assert heads(support, "/jobs?columns=reason,priority,started,finished") == ["Reason", "Priority", "Started", "Finished"]
    support.submit("/jobs/columns", usual="1", column=["tags"])
    assert heads(support) == usual


def test_a_column_that_does_not_exist(support: Browser, made: None) -> None:
    assert support.get("/jobs?columns=nonsense").status_code == 422
    assert support.submit("/jobs/columns", column="nonsense").status_code == 422


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_an_export_is_a_job_that_means_what_the_list_meant(support: Browser, made: None, job: Callable[..., str], format_: str) -> None:
    import tasks  # noqa: F401

    response = support.submit("/jobs/exports", q="args.user_id:42", format=format_)
    assert response.status_code == 303
    job_id = response.headers["Location"].rpartition("/")[2]
    with db.reading() as session:
        row = session.get_one(JobStatus, job_id)
        assert row.type == "heavy.export_jobs"
        payload = json.loads(session.scalar(JobStatus.__table__.select().with_only_columns(JobStatus.payload).where(JobStatus.id == job_id)))
    assert payload["kwargs"]["format"] == format_
    assert "args.user_id" in payload["kwargs"]["filter"]
    assert "jobs.export" in actions()


def test_an_export_in_a_format_that_does_not_exist(support: Browser) -> None:
    assert support.submit("/jobs/exports", format="xlsx").status_code == 422
