"""Mail leaves over a real SMTP server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from console.embedded import ports


class Inbox:
    """Takes mail; refuses what goes to `refused@…`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        if address.startswith("refused@"):
            return "550 no such person"
        if address.startswith("later@"):
            return "450 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content))
        return "250 OK"


@pytest.fixture
def inbox(setting: Callable[[str, str], None]) -> Iterator[Inbox]:
    kept, port = Inbox(), ports.find_free()
    server = Controller(kept, hostname="127.0.0.1", port=port)
    server.start()
    setting("BROKER_URL", "redis://127.0.0.1:1/0")
    setting("MAIL_PORT", str(port))
    from tasks import mailer

    mailer._application.cache_clear()
    yield kept
    server.stop()


def test_a_message_has_text_and_html_and_the_id_of_its_job(inbox: Inbox) -> None:
    from tasks import mailer

    mailer.send("ada@example.com", "Hello", "generic", {"body": "It **works**"}, "job-1")
    [message] = inbox.messages
    parts = {part.get_content_type(): part.get_payload(decode=True).decode() for part in message.walk() if not part.is_multipart()}  # type: ignore[union-attr]
    assert message["Message-ID"] == "<job-1@celeriac>"
    assert "It **works**" in parts["text/plain"]
    assert "<strong>works</strong>" in parts["text/html"]


def test_a_refusal_for_good_is_not_tried_again_and_a_busy_server_is(inbox: Inbox) -> None:
    import smtplib

    from tasks import mailer
    from tasks.errors import PermanentFailure

    with pytest.raises(PermanentFailure, match="no such person"):
        mailer.send("refused@example.com", "Hello", "generic", {"body": "x"}, "job-2")
    with pytest.raises(smtplib.SMTPException):
        mailer.send("later@example.com", "Hello", "generic", {"body": "x"}, "job-3")
