"""The dead-man ping: called while beat works, once a minute, and never in its way."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer


def test_it_is_called_once_and_an_address_that_does_not_answer_disturbs_nobody(
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
    other = Ping()
    other.tell()  # nobody listens there any more
    assert other._thread is not None
    other._thread.join(10)
