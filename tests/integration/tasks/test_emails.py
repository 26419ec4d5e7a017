"""Mail leaves over a real SMTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.servers import smtp
from tests.servers.smtp import Inbox


@pytest.fixture
def inbox(setting: Callable[[str, str], None]) -> Iterator[Inbox]:
    with smtp.running() as kept:
        setting("BROKER_URL", "redis://127.0.0.1:1/0")
        setting("MAIL_PORT", str(kept.port))
        from tasks import mailer

        mailer._application.cache_clear()
        yield kept


def test_a_message_has_text_and_html_and_the_id_of_its_job(inbox: Inbox) -> None:
    from tasks import mailer

    mailer.send("ada@example.com", "Hello", "generic", {"body": "It **works**"}, "job-1")
    [message] = inbox.messages
    assert message["Message-ID"] == "<job-1@celeriac>"
    assert "It **works**" in smtp.parts(message)["text/plain"]
    assert "<strong>works</strong>" in smtp.parts(message)["text/html"]


def test_a_refusal_for_good_is_not_tried_again_and_a_busy_server_is(inbox: Inbox) -> None:
    import smtplib

    from tasks import mailer
    from tasks.errors import PermanentFailure

    with pytest.raises(PermanentFailure) as refused:
        mailer.send("refused@example.com", "Hello", "generic", {"body": "x"}, "job-2")
    assert str(refused.value) == "The mail server refuses refused@example.com for good: 550 no such person"
    with pytest.raises(smtplib.SMTPException):
        mailer.send("later@example.com", "Hello", "generic", {"body": "x"}, "job-3")
