"""Waiting for signals without missing one and without polling."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from console import clock

SAME_WISH_S = 0.5
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """What people and the system asked of this process while it waited."""

    def __init__(self, wake: socket.socket) -> None:
        self.stops = 0
        """How often it was asked to stop; the second time means at once."""
        self._wake = wake
        self._last_stop = -SAME_WISH_S

    def wait(self, seconds: float) -> None:
        """Returns after that time, or as soon as a signal came: a request to stop, or the end of a child."""
        if select.select([self._wake], [], [], max(0.0, seconds))[0]:
            with suppress(BlockingIOError):
                while self._wake.recv(4096):
                    pass

    def note_stop(self, _number: int, _frame: FrameType | None) -> None:
        """The handler of the signals that ask to stop. One Ctrl-C may come twice: by the terminal and by a wrapper."""
        if clock.monotonic() - self._last_stop > SAME_WISH_S:
            self.stops += 1
        self._last_stop = clock.monotonic()


@contextmanager
def caught() -> Iterator[Signals]:
    """Takes SIGINT, SIGTERM, SIGHUP and SIGCHLD for the length of the block. For the main thread only."""
    read, write = socket.socketpair()
    read.setblocking(False)
    write.setblocking(False)
    signals = Signals(read)
    # One that is ignored stays so: `nohup celeriac up` outlives its terminal.
    taken = [number for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, signals.note_stop) for number in taken}
    before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
    wakeup = signal.set_wakeup_fd(write.fileno(), warn_on_full_buffer=False)
    try:
        yield signals
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        read.close()
        write.close()
