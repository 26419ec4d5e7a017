"""Whether a port can be had, and what people are told when it cannot."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from console.embedded import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_is_listened_on_is_not_free(taken: int) -> None:
    assert not ports.is_free(taken)
    with pytest.raises(ports.PortTaken, match=rf"port {taken}: Address already in use.*--port"):
        ports.check("127.0.0.1", taken)


def test_a_port_that_was_found_is_free() -> None:
    assert ports.is_free(ports.find_free())


@pytest.mark.parametrize("host", ["203.0.113.7", "nosuch.invalid"])
def test_an_address_of_another_machine_is_told_apart(host: str) -> None:
    with pytest.raises(ports.PortTaken, match="Give --host an address of this machine"):
        ports.check(host, ports.find_free())
