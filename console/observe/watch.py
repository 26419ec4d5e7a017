"""The workers of one source: who lives, whose events are missing, and whose jobs will not tell of their end."""

from __future__ import annotations

from typing import Any

from console.broker.observed import Inspected
from console.observe.memory import Attempt
from console.observe.rules import MOST_SILENCE_S, Gap, Pulse, silent_after_s
from console.observe.translate import Translated, Translator
from console.tracking.events import Event, Kind

REPORT_EVERY_MS = 5_000
SHOWN_DEAD_AFTER_S = 30.0
"""As `workers.queries.SILENT_AFTER`."""
SETTLE_S = 1.0
OLD_ENOUGH_S = 20.0
OFFLINE_GRACE_MS = 5_000
FORGET_AFTER_MS = 86_400_000
BEATS = ("worker-online", "worker-heartbeat")


SILENT = Inspected(0, (), None)
"""A worker that was asked and did not answer, so that it is not asked again and again."""


class Workers:
    """Not for several threads."""

    def __init__(self, translator: Translator, kept: dict[str, dict[str, Any]]) -> None:
        self._translator, self._memory = translator, translator.memory
        self.pulses = {name: Pulse(**pulse) for name, pulse in kept.items()}
        self._said_ms: dict[str, int] = {}
        self._asked: dict[str, Inspected] = {}
        self._suspects: dict[str, set[Attempt]] = {}

    def saw(self, event: dict[str, Any], told: Translated) -> None:
        """Counts an event of a job."""
        pulse = self.pulses.get(self._translator.worker(event))
        if pulse is not None and told.started:
            pulse.started(float(event["timestamp"]))
        elif pulse is not None and told.ended:
            pulse.ended(float(event["timestamp"]))

    def beat(self, event: dict[str, Any], now_ms: int) -> tuple[list[Event], Gap | None]:
        """Takes a heartbeat: what follows from it, and the gap that it proves."""
        name = self._translator.worker(event)
        pulse = self.pulses.get(name)
        if pulse is None or pulse.pid != int(event.get("pid") or 0) or event["type"] == "worker-online":
            lost = self._lost_jobs(name) if pulse and pulse.pid != int(event.get("pid") or 0) else []
            self.pulses[name] = Pulse.first(event, now_ms)
            self._asked.pop(name, None)
            return lost, None
        idle_at = pulse.at if pulse.active == 0 else None
        told, skew = pulse.tells_of_jobs(), now_ms - float(event["timestamp"]) * 1000
        found = pulse.beat(event, now_ms)
        pulse.stopped = False
        unseen = self._unseen(name, idle_at) if idle_at is not None else []
        if found is None:
            return unseen, None
        begin, end, jobs = found
        reason = "counted" if told else "no_events"
        return unseen, Gap(
            self._translator.source, int(begin * 1000 + skew), int(end * 1000 + skew), reason, name, jobs
        )

    def offline(self, event: dict[str, Any], now_ms: int) -> None:
        """A worker says that it stops."""
        pulse = self.pulses.get(self._translator.worker(event))
        if pulse and pulse.pid == int(event.get("pid") or 0):
            pulse.stopped, pulse.heard_ms = True, now_ms
            self._said_ms.pop(self._translator.worker(event), None)

    def tick(self, now_ms: int, up_since_ms: int | None) -> list[Event]:
        """What is to be told about workers now. `up_since_ms`: since when we listen; None: we do not hear anybody."""
        made: list[Event] = []
        for name, pulse in list(self.pulses.items()):
            heard_ms = max(pulse.heard_ms, up_since_ms or now_ms)
            silence_ms = now_ms - heard_ms
            if self._is_due(name, pulse, now_ms):
                made.append(self._report(name, pulse, now_ms))
            gone = pulse.stopped and silence_ms > OFFLINE_GRACE_MS
            if gone or silence_ms > MOST_SILENCE_S * 1000:
                made += self._lost_jobs(name)
            if now_ms - pulse.heard_ms > FORGET_AFTER_MS:
                del self.pulses[name]
        return made

    def inspected(self, nodes: list[str], answers: dict[str, Inspected]) -> list[Event]:
        """Takes what workers answered; jobs that a worker was asked for twice and did not know have ended unseen."""
        made: list[Event] = []
        for node in nodes:
            self._asked.setdefault(f"{self._translator.source}/{node}", SILENT)
        for node, answer in answers.items():
            name = f"{self._translator.source}/{node}"
            self._asked[name] = answer
            self._translator.only_queue.pop(name, None)
            if len(answer.queues) == 1:
                self._translator.only_queue[name] = answer.queues[0]
            pulse = self.pulses.get(name)
            if pulse and answer.jobs is not None:
                made += self._not_held(name, pulse, answer.jobs)
        return made

    def nodes(self, now_ms: int, *, unasked_only: bool) -> list[str]:
        """Living workers by node name, or only those that were never asked."""
        living = self.living(now_ms)
        chosen = [name for name in living if name not in self._asked] if unasked_only else living
        return [name.partition("/")[2] for name in chosen]

    def queues(self) -> set[str]:
        """Queues that a worker said it serves."""
        return {queue for answer in self._asked.values() for queue in answer.queues}

    def living(self, now_ms: int) -> list[str]:
        """Workers that are not silent, by name."""
        return sorted(n for n, pulse in self.pulses.items() if not pulse.stopped and not pulse.is_silent(now_ms))

    def held(self, now_ms: int) -> frozenset[str] | None:
        """The jobs that living workers hold, as they answered; None: not all of them did."""
        answers = [self._asked.get(name, SILENT).jobs for name in self.living(now_ms)]
        told = [jobs for jobs in answers if jobs is not None]
        return frozenset().union(*told) if len(told) == len(answers) else None

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """To be kept over a restart."""
        return {name: pulse.as_dict() for name, pulse in self.pulses.items()}

    def _is_due(self, name: str, pulse: Pulse, now_ms: int) -> bool:
        said_ms = self._said_ms.get(name)
        if pulse.stopped:
            return said_ms is None
        return now_ms - (said_ms or 0) >= REPORT_EVERY_MS and not pulse.is_silent(now_ms)

    def _report(self, name: str, pulse: Pulse, now_ms: int) -> Event:
        """That a worker lives. It is shown dead 30 s after this; with rare heartbeats that must not be too early."""
        self._said_ms[name] = now_ms
        longer_ms = max(0.0, silent_after_s(pulse.freq) - SHOWN_DEAD_AFTER_S) * 1000
        asked = self._asked.get(name)
        data = {
            "pid": pulse.pid,
            "concurrency": asked.concurrency if asked else 0,
            "queues": list(asked.queues) if asked else [],
            "started_ms": pulse.since_ms,
            "boot_id": f"{pulse.pid}",
            "stopped": pulse.stopped,
            "source": self._translator.source,
        }
        return Event(Kind.HEARTBEAT, name, min(now_ms, int(pulse.heard_ms + longer_ms)), data=data)

    def _lost_jobs(self, name: str) -> list[Event]:
        """The jobs that a dead worker ran. Those it had only received go back to the broker."""
        said = "Its worker ended or stopped answering. If it is delivered again, that will be shown."
        running = [(job_id, attempt) for job_id, attempt in self._memory.held_by(name) if attempt.running]
        return [self._translator.lost(job_id, one, Kind.FAILED, "worker_lost", said) for job_id, one in running]

    def _unseen(self, name: str, idle_at: float) -> list[Event]:
        """Jobs that ran before an instant at which the worker said that it ran none."""
        held = self._memory.held_by(name)
        return self._without_end([(i, one) for i, one in held if one.running and one.at < idle_at - SETTLE_S])

    def _not_held(self, name: str, pulse: Pulse, jobs: frozenset[str]) -> list[Event]:
        missing = {
            attempt: job_id
            for job_id, attempt in self._memory.held_by(name)
            if job_id not in jobs and attempt.at < pulse.at - OLD_ENOUGH_S and (attempt.running or pulse.reported)
        }
        suspects = self._suspects.get(name, set())
        self._suspects[name] = missing.keys() - suspects
        return self._without_end([(job_id, attempt) for attempt, job_id in missing.items() if attempt in suspects])

    def _without_end(self, jobs: list[tuple[str, Attempt]]) -> list[Event]:
        said = "its end was not seen"
        return [self._translator.lost(job_id, one, Kind.CANCELLED, "end_unseen", said) for job_id, one in jobs]
