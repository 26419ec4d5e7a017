"""What a job logs while it runs: records of Python's logging, told in batches as events of its attempt.

Nothing is made of a job that logs nothing. Of one that does, the first lines and the last are kept; what is between
them is left out, and since lines are numbered, whoever reads them knows how many that were. A line is on this
machine's disk within half a second, so that a kill loses no more. Nothing here raises into the host's code, but for
Celery's own word that the time is up, which may arrive at any line and must not be lost.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

from celery.app.task import Context
from celery.exceptions import SoftTimeLimitExceeded

from console.tracking.events import Event, Kind

HEAD_LINES, HEAD_CHARACTERS = 250, 32_000
"""Of an attempt, what is kept of its beginning; of its end as much at most, and half of that at least."""
WAITING_LINES, WAITING_CHARACTERS = HEAD_LINES // 2, HEAD_CHARACTERS // 2
"""Written at once when there are so many. Beyond the beginning, what comes quicker than it is written is left out."""
LINE, EXCEPTION = 2_000, 8_000
"""Characters kept of a message and of the text of an exception."""
WRITE_EVERY_S = 0.5

NOT_KEPT = frozenset(("celery.app.trace", "celeriac.job"))
"""Loggers that say of each job what its timeline says."""
OURS = "console.tracking"
"""Whose word of trouble with the events must not become an event."""

_task_logger = logging.getLogger("celery.task")
"""Above those of `get_task_logger`; a worker keeps what they log from the root logger."""

Emit = Callable[[Event], None]


class AttemptLog:
    """What one attempt logged, as far as it is not written yet, and how much it was."""

    def __init__(self, request: Context, emit: Emit) -> None:
        self._id, self._run = str(request.id), int(request.celeriac_delivery or 0)
        self._retries, self._emit = int(request.retries or 0), emit
        self._count = self._level = 0
        self._room_lines, self._room = HEAD_LINES, HEAD_CHARACTERS
        self._waiting: deque[tuple[int, str]] = deque()
        self._weight = 0
        self._tail: deque[tuple[int, int, int]] = deque()
        """Batches beyond the beginning that are still kept: first line, lines, characters."""
        self._tail_from = 0
        self.pid = os.getpid()

    def add(self, at_ms: int, level: int, line: str) -> None:
        """Takes a line, and writes what waits when that is much."""
        if not self._tail_from and (self._room_lines <= 0 or self._room <= 0):
            self.write()
            self._tail_from = self._count + 1
        self._count += 1
        self._level = max(self._level, level)
        self._waiting.append((at_ms, line))
        self._weight += len(line)
        self._room_lines, self._room = self._room_lines - 1, self._room - len(line)
        if self._is_much():
            if not self._tail_from:
                self.write()
            while self._is_much() and len(self._waiting) > 1:
                self._weight -= len(self._waiting.popleft()[1])

    def write(self) -> None:
        """Tells what waits; it is safe then."""
        if not self._waiting:
            return
        first, n = self._count - len(self._waiting) + 1, len(self._waiting)
        data: dict[str, Any] = {
            "seq": first,
            "n": n,
            "level": self._level,
            "lines": f"[{','.join(line for _, line in self._waiting)}]",
        }
        if self._tail_from:
            data["forget"] = self._forget(first, n)
        at_ms = self._waiting[0][0]
        self._waiting.clear()
        self._weight = self._level = 0
        self._emit(Event(Kind.LOGGED, self._id, at_ms, self._run, self._retries, data))

    def _is_much(self) -> bool:
        return len(self._waiting) > WAITING_LINES or self._weight > WAITING_CHARACTERS

    def _forget(self, first: int, n: int) -> list[int] | None:
        """Which lines are kept no longer, from the first to the one before the second number: whole batches."""
        self._tail.append((first, n, self._weight))
        while len(self._tail) > 1 and self._suffices_without_oldest():
            self._tail.popleft()
        kept_from = self._tail[0][0]
        return [self._tail_from, kept_from] if kept_from > self._tail_from else None

    def _suffices_without_oldest(self) -> bool:
        lines = sum(n for _, n, _ in self._tail) - self._tail[0][1]
        characters = sum(weight for _, _, weight in self._tail) - self._tail[0][2]
        return lines >= WAITING_LINES or characters >= WAITING_CHARACTERS


class JobLogs(logging.Handler):
    """A handler on the root logger that keeps what is logged within a job. All it holds is guarded by its own lock."""

    def __init__(self, emit: Emit, level: int) -> None:
        super().__init__(level)
        self._emit = emit
        self._running: list[Context] = []
        self._here = threading.local()
        self._open: set[AttemptLog] = set()
        self._due = threading.Event()
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._forked)

    def begin(self, request: Context, *, alone: bool) -> None:
        """An attempt begins. `alone`: no other runs in this process, so that what its threads log is its own."""
        root = logging.getLogger()
        if self not in root.handlers:  # the host may have set its logging up anew
            root.addHandler(self)
        if self in _task_logger.handlers:
            if _task_logger.propagate:
                _task_logger.removeHandler(self)
        elif not _task_logger.propagate:
            _task_logger.addHandler(self)
        if alone:
            self._running.append(request)
        if not hasattr(self._here, "requests"):
            self._here.requests = []
        self._here.requests.append(request)

    def end(self, request: Context) -> None:
        """The attempt ends: what it logged is written."""
        for running in (self._running, getattr(self._here, "requests", [])):
            if request in running:
                running.remove(request)
        log = getattr(request, "celeriac_log", None)
        if log is None:
            return
        self.acquire()
        try:
            self._open.discard(log)
            if log.pid == os.getpid():
                log.write()
        finally:
            self.release()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record, if a job is running where it was made."""
        if logging.lastResort and record.levelno >= logging.lastResort.level and self._is_alone(record.name):
            logging.lastResort.handle(record)  # as if we were not here
        try:
            self._take(record)
        except SoftTimeLimitExceeded:
            raise
        except Exception:  # noqa: BLE001, S110  whatever is wrong with a line, the host's job goes on
            pass

    def _is_alone(self, name: str) -> bool:
        """Whether the host has set up nobody else to hear a logger: then Python prints warnings by itself."""
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return True

    def _take(self, record: logging.LogRecord) -> None:
        if record.name in NOT_KEPT or record.name.startswith(OURS):
            return
        request = self._request()
        if request is None:
            return
        log: AttemptLog | None = getattr(request, "celeriac_log", None)
        if log is None:
            log = request.celeriac_log = AttemptLog(request, self._emit)
        if log.pid != os.getpid():
            return  # a process that the job has forked: its lines would take the numbers of others
        self._open.add(log)
        log.add(int(record.created * 1000), record.levelno, line_of(record))
        self._due.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._write_often, name="celeriac-logs", daemon=True)
            self._thread.start()

    def _request(self) -> Context | None:
        """The attempt that this thread runs; else the one that this process runs.

        Not what Celery calls the current task: a job may call another task as a function.
        """
        here = getattr(self._here, "requests", None) or self._running
        return here[-1] if here else None

    def _write_often(self) -> None:
        while True:
            self._due.wait()
            time.sleep(WRITE_EVERY_S)
            self._due.clear()
            self.acquire()
            try:
                for log in self._open:
                    log.write()
            finally:
                self.release()

    def _forked(self) -> None:
        self._running, self._open, self._due, self._thread = [], set(), threading.Event(), None


def level_of(name: str) -> int | None:
    """The number of a level's name; None for OFF. Raises `ValueError` for what is no level."""
    if name.upper() == "OFF":
        return None
    known = logging.getLevelNamesMapping().get(name.upper())
    if known is None:
        raise ValueError(f"{name!r} is no level of logging; use DEBUG, INFO, WARNING, ERROR, CRITICAL or OFF")
    return known


def line_of(record: logging.LogRecord) -> str:
    """A record as JSON: time in ms since 1970, level, logger, message and, if it has one, the exception's text."""
    line = [int(record.created * 1000), record.levelno, record.name[:255], _short(_message(record), LINE)]
    if record.exc_info and record.exc_info[0] is not None:
        line.append(_short("".join(traceback.format_exception(*record.exc_info)), EXCEPTION))
    elif record.exc_text:
        line.append(_short(record.exc_text, EXCEPTION))
    return _encode(line)


def _message(record: logging.LogRecord) -> str:
    """The message with its arguments, which are foreign and may be broken."""
    try:
        return record.getMessage()
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:  # noqa: BLE001  foreign code
        return f"{str(record.msg)[:LINE]} <with arguments that cannot be printed: {type(error).__name__}>"


def _short(text: str, most: int) -> str:
    """A text's beginning and end; the middle is what is left out."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]} … {len(text) - 2 * half:,} characters left out … {text[-half:]}"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
