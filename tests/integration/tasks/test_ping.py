"""The dead-man ping: called while beat works, once a minute, and never in its way."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from console import clock


def test_it_is_called_once_a_minute(
    broker: object, setting: Callable[[str, str], None]
) -> None:
    from tasks.ping import Ping

    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        setting("CELERIAC_PING_URL", f"http://127.0.0.1:{server.server_port}/alive")
        ping = Ping()
        ping.tell()
        ping.tell()
        assert ping._thread is not None
        ping._thread.join(10)
    assert heard == ["/alive"]


@pytest.mark.parametrize(("answers", "words"), [
    (b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", "500"), (b"good day\r\n\r\n", "good day"), (b"", "closed"),
    (None, "timed out"), ("refused", "refused"), ("no address", "nonnumeric port"),
])  # fmt: skip
def test_an_address_that_does_not_answer_is_told_and_disturbs_nobody(
    broker: object, setting: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    answers: bytes | str | None, words: str,
) -> None:  # fmt: skip
    from tasks import ping

    monkeypatch.setattr(ping, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1]) if answers != "no address" else "x"
        heard: list[socket.socket] = []
        if isinstance(answers, bytes | None):
            threading.Thread(target=answer, args=(server, answers, heard), daemon=True).start()
        else:
            server.close()
        setting("CELERIAC_PING_URL", f"http://127.0.0.1:{port}/alive")
        one, began = ping.Ping(), clock.monotonic()
        one.tell()
        assert clock.monotonic() - began < 0.3
        assert one._thread is not None
        one._thread.join(5)
        assert not one._thread.is_alive()
    [connection.close() for connection in heard]
    assert words in caplog.text


def answer(server: socket.socket, said: bytes | None, heard: list[socket.socket]) -> None:
    """As a server that says so; None: it takes the question and says nothing."""
    connection, _ = server.accept()
    heard.append(connection)
    connection.recv(10_000)
    if said is not None:
        connection.sendall(said)
        connection.close()


def test_after_a_minute_it_is_called_again_whatever_came_of_the_last(
    broker: object, setting: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tasks import ping

    called: list[str] = []
    monkeypatch.setattr(ping, "_call", called.append)
    setting("CELERIAC_PING_URL", "http://127.0.0.1:1/alive")
    one = ping.Ping()
    for _ in range(2):
        one.tell()
        assert one._thread is not None
        one._thread.join(5)
        one._at -= ping.EVERY_S
    assert len(called) == 2
