"""TCP ports: whether one can be had, and one that can."""

from __future__ import annotations

import errno
import socket
from contextlib import closing

from console.errors import CeleriacError


class PortTaken(CeleriacError):
    """Another program listens there, or we may not."""

    title = "The port cannot be used"


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    try:
        check(host, port)
    except PortTaken:
        return False
    return True


def check(host: str, port: int) -> None:
    """Raises `PortTaken`, saying what to do, when no server could listen there now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except OSError as error:
        said = error.strerror or str(error)
        raise PortTaken(f"Nothing can listen on {host}, port {port}: {said}. {_advice(error)}") from error


def find_free() -> int:
    """A port on the loopback address that nothing uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _advice(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "Ports below 1024 are for root; choose a higher one with --port."
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "Give --host an address of this machine, for example 127.0.0.1 or 0.0.0.0."
    return "Stop the program that does, or choose another port with --port."
