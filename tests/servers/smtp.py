"""A real SMTP server for the tests: takes mail, and refuses some of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller

from console.embedded import ports


class Inbox:
    """Takes mail; refuses what goes to `refused@…` for good, and while `busy` what goes to `later@…` for now."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.busy = True
        self.refusals = 0
        self.messages: list[Message] = []

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        refusal = self._refusal(address)
        if refusal:
            self.refusals += 1
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.messages.append(message_from_bytes(envelope.content))
        return "250 OK"

    def _refusal(self, address: str) -> str:
        if address.startswith("refused@"):
            return "550 no such person"
        return "450 try again later" if address.startswith("later@") and self.busy else ""


def parts(message: Message) -> dict[str, str]:
    """The texts of a multipart message by their media type."""
    return {
        part.get_content_type(): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in message.walk() if not part.is_multipart()
    }


@contextmanager
def running() -> Iterator[Inbox]:
    """A server on a free port of this machine, for the length of the block."""
    inbox = Inbox(ports.find_free())
    server = Controller(inbox, hostname="127.0.0.1", port=inbox.port)
    server.start()
    try:
        yield inbox
    finally:
        server.stop()
