"""`emails.send` in a real worker, against a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console import clock, db
from console.jobs.models import JobStatus
from console.jobs.rules import State
from tests.crash.conftest import Start, dispatch, job, wait_for
from tests.servers import smtp
from tests.servers.smtp import Inbox


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    with smtp.running() as kept:
        monkeypatch.setenv("MAIL_PORT", str(kept.port))
        yield kept


def message_to(address: str) -> dict[str, object]:
    return {"to": address, "subject": "Your invoice", "values": {"body": "It is **paid**"}}


def make_due(job_id: str) -> None:
    with db.writing() as session:
        session.get_one(JobStatus, job_id).due_at = clock.now()


def test_what_becomes_of_a_message(inbox: Inbox, start: Start) -> None:
    for command in ("work", "beat", "recorder"):
        start(command)
    taken, later, refused = (
        dispatch("emails.send", message_to(f"{name}@example.com"))[0] for name in ("ada", "later", "refused")
    )
    wait_for(lambda: job(taken).line.state == State.COMPLETED)
    [message] = inbox.messages
    assert (message["To"], message["Subject"]) == ("ada@example.com", "Your invoice")
    assert message["Message-ID"] == f"<{taken}@celeriac>"
    assert "It is **paid**" in smtp.parts(message)["text/plain"]
    assert "<strong>paid</strong>" in smtp.parts(message)["text/html"]

    wait_for(lambda: job(refused).line.state == State.RETRYABLE)
    line = job(refused).line
    assert (line.attempts, line.error_type) == (1, "tasks.errors.PermanentFailure")
    assert line.error_message == "The mail server refuses refused@example.com for good: 550 no such person"

    wait_for(lambda: job(later).line.state == State.RETRYING)
    assert "try again later" in (job(later).line.error_message or "")
    inbox.busy = False
    make_due(later)  # which would be between 15 and 30 s away
    wait_for(lambda: job(later).line.state == State.COMPLETED)
    assert job(later).line.attempts == 2
    assert [message["To"] for message in inbox.messages] == ["ada@example.com", "later@example.com"]
