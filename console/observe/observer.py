"""Observing one source: what its intake has written down is read, translated, and given to the event stream."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from sqlalchemy.exc import SQLAlchemyError

from console import clock, db
from console.broker.observed import Depths, Inspector, Lost, event_source
from console.config import without_password
from console.observe import envelope, journal, status
from console.observe.gaps import GapBook
from console.observe.intake import Intake
from console.observe.journal import JournalReader, State
from console.observe.memory import Memory
from console.observe.recall import recall
from console.observe.rules import Gap
from console.observe.status import SourceStatus
from console.observe.translate import Translator
from console.observe.unheard import Unheard, waiting_since_a_gap
from console.observe.watch import BEATS, Workers
from console.tracking.events import Event
from console.tracking.spool import Writer

TICK_S = 1.0
IDLE_S = 0.05
DEPTHS_EVERY_S = 5.0
ASK_EVERY_S = 15.0
WRITE_BYTES = 64 * 1024
DEFAULT_QUEUE = "celery"
MAX_QUEUES = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """An application to observe: its name, its broker, and queues to count beside those that are found."""

    name: str
    url: str
    queues: tuple[str, ...] = ()


class Observer:
    """Runs in threads of its own until `stopping` is set."""

    def __init__(self, source: Source, root: Path, writer: Writer, *, ask_workers: bool = True) -> None:
        self.source, self._writer = source, writer
        self.stopping = threading.Event()
        self._folder, self._lock = journal.claim(root, source.name)
        queue = f"celeriac.observe.{self._folder.name}@{os.uname().nodename}"
        self._broker = event_source(source.url, queue, envelope.framed)
        self._state = State(self._folder)
        kept = self._state.load()
        self._journal = JournalReader(self._folder, kept.get("position"))
        self._gaps = GapBook(kept.get("gaps", ()))
        self._translator = Translator(source.name, Memory(recall))
        self._translator.only_queue |= kept.get("only_queue", {})
        self._workers = Workers(self._translator, kept.get("workers", {}))
        self._unheard = Unheard(source.name, self._translator.memory)
        self._queues: set[str] = {DEFAULT_QUEUE, *source.queues, *kept.get("queues", ())}
        me = f"{os.uname().nodename}/{self._folder.name}"
        heard = [ms for ms in (kept.get("heard_ms"), status.heard_until_ms(source.name, me)) if ms]
        self._intake = Intake(source.name, self._broker, self._folder, self.stopping, max(heard, default=None))
        self._inspector = Inspector(source.url) if ask_workers else None
        self._threads = [
            threading.Thread(target=target, daemon=True) for target in (self._read, self._count, self._ask)
        ]
        self._status = SourceStatus(source.name, without_password(source.url), 0, clock.now_ms(), False, 0, None, 0)
        self._status.by = me
        self._mutex = threading.Lock()
        self._unwritten = False

    def start(self) -> None:
        """Begins to receive and to read."""
        self._intake.start()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops receiving, reads what was received, and remembers how far it got."""
        self.stopping.set()
        self._intake.join()
        for thread in self._threads:
            thread.join(10)
        self._status.connected = False
        self._tick()
        self._broker.close()
        os.close(self._lock)

    def is_up(self) -> bool:
        """Whether events are received now."""
        return self._intake.up_since_ms is not None

    @property
    def error(self) -> str:
        """Why nothing is received; empty when nothing was tried yet, or all is well."""
        return self._intake.error

    def _read(self) -> None:
        tick_at = 0.0
        while True:
            with self._mutex:
                messages = self._journal.read()
                if messages:
                    self._take(messages)
            if clock.monotonic() >= tick_at:
                self._tick(caught_up=not messages)
                tick_at = clock.monotonic() + TICK_S
            if not messages and self.stopping.wait(IDLE_S):
                break

    def _take(self, messages: list[list[bytes]]) -> None:
        made: list[bytes] = []
        size = 0
        for message in messages:
            for event in self._events(message):
                packed = event.pack()
                made.append(packed)
                size += len(packed)
                if size >= WRITE_BYTES:
                    self._write(b"".join(made))
                    made, size = [], 0
        self._write(b"".join(made))

    def _events(self, message: list[bytes]) -> list[Event]:
        try:
            found = envelope.events_of(message)
        except envelope.Unreadable as error:
            self._unreadable(error)
            return []
        made: list[Event] = []
        for event in found:
            self._status.events += 1
            self._status.last_event_ms = clock.now_ms()
            try:
                made += self._event(event)
            except (KeyError, ValueError, TypeError, OverflowError) as error:
                self._unreadable(error)
        return made

    def _event(self, event: dict[str, Any]) -> list[Event]:
        kind = event["type"]
        if kind in BEATS:
            made, gap = self._workers.beat(event, clock.now_ms())
            if gap:
                self._gaps.note(gap)
            return made
        if kind == "worker-offline":
            self._workers.offline(event, clock.now_ms())
            return []
        if not kind.startswith("task-"):
            return []
        if kind == "task-sent" and event.get("queue") and len(self._queues) < MAX_QUEUES:
            self._queues.add(str(event["queue"]))
        told = self._translator.translate(event)
        if told is None:
            return []
        self._workers.saw(event, told)
        return [told.event]

    def _write(self, block: bytes) -> None:
        """To the spool; when that disk is full, what was received waits in the journal."""
        while block:
            dropped = self._writer.dropped
            self._writer.write(block)
            if self._writer.dropped == dropped:
                return
            if self.stopping.wait(1.0):
                self._unwritten = True
                raise OSError("the spool's disk is full")

    def _unreadable(self, error: Exception) -> None:
        log.warning("%s: an event cannot be read: %s", self.source.name, error)
        now = clock.now_ms()
        self._gaps.note(Gap(self.source.name, now, now, "unreadable"))

    def _tick(self, *, caught_up: bool = True) -> None:
        """Once a second: gaps, workers, and what must outlive a kill."""
        with self._mutex:
            while not self._intake.outages.empty():
                outage = self._intake.outages.get()
                self._gaps.note(Gap(self.source.name, outage.from_ms, outage.to_ms, outage.reason))
            if caught_up and not self.stopping.is_set():
                self._tell(self._workers.tick(clock.now_ms(), self._intake.up_since_ms))
            self._queues |= self._workers.queues()
            self._keep()
            self._say()

    def _tell(self, events: Sequence[Event]) -> None:
        self._write(b"".join(event.pack() for event in events))

    def _keep(self) -> None:
        try:
            self._gaps.store()
        except SQLAlchemyError as error:
            log.warning("%s: gaps cannot be stored now: %s", self.source.name, str(error).splitlines()[0])
        position = self._journal.position()
        if self._unwritten or (position is None and self._journal.waiting_bytes()):
            return  # what was read is not in the spool yet; or a message began in an earlier file
        try:
            self._state.save(
                {
                    "position": position,
                    "gaps": self._gaps.as_list(),
                    "workers": self._workers.as_dict(),
                    "queues": sorted(self._queues),
                    "only_queue": self._translator.only_queue,
                    "heard_ms": self._intake.heard_ms or None,
                }
            )
            self._journal.forget()
        except OSError as error:
            log.error("%s: cannot remember how far it was read: %s", self.source.name, error)

    def _say(self) -> None:
        now = clock.now_ms()
        self._status.at_ms, self._status.connected = now, self.is_up() and not self.stopping.is_set()
        self._status.error = self._intake.error
        self._status.waiting_bytes = self._journal.waiting_bytes()
        self._status.workers = self._workers.living(now)
        try:
            self._status.say()
        except redis.RedisError as error:
            log.warning("%s: its state cannot be told: %s", self.source.name, error)

    def _count(self) -> None:
        """Reads queue depths from the broker, again and again."""
        while not self.stopping.is_set():
            try:
                found = self._broker.depths(sorted(self._queues))
                self._status.depths, self._status.unacked = found.queues, found.unacked
                self._end_unheard(found)
            except Lost as error:
                self._status.depths, self._status.unacked = {}, None
                log.info("%s: queue depths cannot be read: %s", self.source.name, error)
            self.stopping.wait(DEPTHS_EVERY_S)

    def _end_unheard(self, found: Depths) -> None:
        try:
            with db.reading() as session:
                waiting = waiting_since_a_gap(session, self.source.name)
        except SQLAlchemyError as error:
            log.warning("%s: waiting jobs cannot be read: %s", self.source.name, str(error).splitlines()[0])
            return
        with self._mutex:
            self._tell(self._unheard.ends(waiting, found, self._workers.held(clock.now_ms()), clock.monotonic()))

    def _ask(self) -> None:
        """Asks workers what they say of themselves, now and then, and a new one at once."""
        ask_at = 0.0
        while self._inspector is not None and not self.stopping.wait(1.0):
            with self._mutex:
                nodes = self._workers.nodes(clock.now_ms(), unasked_only=clock.monotonic() < ask_at)
            if clock.monotonic() >= ask_at:
                ask_at = clock.monotonic() + ASK_EVERY_S
            if nodes:
                answers = self._inspector.ask(nodes)
                with self._mutex:
                    self._tell(self._workers.inspected(nodes, answers))
