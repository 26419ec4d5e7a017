"""Everything is killed or stopped at random moments while jobs keep coming: each that was dispatched ends, and counts once.

The independent count is that of the jobs themselves: each adds its id to a file.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from console import clock, db, schema
from console.config import settings
from console.embedded import valkey
from console.jobs.models import JobRollup, JobStatus
from console.jobs.rules import State
from tests.crash.conftest import counts, dispatch
from tests.crash.processes import Processes
from tests.servers import postgres
from tests.servers.postgres import PostgreSQL

SECONDS = 40
OURS = {
    "work": ("work",),
    "work-2": ("work", "--name", "second@%h"),
    "beat": ("beat",),
    "beat-2": ("beat",),
    "recorder": ("recorder",),
    "recorder-2": ("recorder",),
    "broker": ("broker",),
}


@pytest.fixture
def crashing_postgres() -> Iterator[PostgreSQL]:
    """A server of its own, since it is killed: what it has committed is written, as with any real one."""
    with postgres.running(postgres.CONFIG.replace("synchronous_commit = off", "synchronous_commit = on")) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def crashing_database(request: pytest.FixtureRequest, setting: Callable[[str, str], None]) -> PostgreSQL | None:
    """The database in force; the server that can be killed, where there is one."""
    if request.param == "sqlite":
        request.getfixturevalue("sqlite_database")
        return None
    server: PostgreSQL = request.getfixturevalue("crashing_postgres")
    setting("DATABASE_URL", server.url(server.create("template1")))
    engine = create_engine(settings().database)
    db.configure_engine(engine)
    schema.upgrade(engine)
    engine.dispose()
    return server


@pytest.fixture
def processes(
    crashing_database: PostgreSQL | None, setting: Callable[[str, str], None], tmp_path: Path
) -> Iterator[Processes]:
    setting("CELERIAC_STREAMS", "2")
    server = valkey.prepare(tmp_path / "valkey")
    setting("BROKER_URL", server.url)
    (tmp_path / "data").mkdir(exist_ok=True)
    made = Processes(server, tmp_path / "data")
    made.start("broker")
    for name, command in OURS.items():
        if name != "broker":
            made.start(*command, name=name)
    yield made
    made.stop()


class Source(threading.Thread):
    """Dispatches a few jobs again and again. `dispatched` are those whose commit was confirmed.

    When the database is killed, nobody can say whether the last commit is in it: such jobs may be there, too.
    """

    def __init__(self, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._chance = chance
        self.stopping = threading.Event()
        self.dispatched: set[str] = set()

    def run(self) -> None:
        while not self.stopping.wait(self._chance.uniform(0.02, 0.2)):
            delay = self._chance.choice([None, None, None, 2.0])
            try:
                self.dispatched.update(dispatch("demo.mark", {}, self._chance.randint(1, 12), delay_s=delay))
            except SQLAlchemyError:
                continue


@pytest.mark.slow
def test_random_kills_and_stops(processes: Processes, crashing_database: PostgreSQL | None) -> None:
    import tasks  # noqa: F401  registers the job types

    seed = clock.now_ms()
    print(f"seed {seed}")  # shown when it fails
    chance = random.Random(seed)
    source = Source(random.Random(seed + 1))
    source.start()
    until = clock.monotonic() + SECONDS
    names = [*OURS, "database"] if crashing_database else list(OURS)
    while clock.monotonic() < until:
        _supervise(processes)
        _strike(chance, processes, crashing_database, chance.choice(names))
        source.stopping.wait(chance.uniform(0.2, 1.5))
    source.stopping.set()
    source.join()
    _supervise(processes)

    limit = clock.monotonic() + 240
    while clock.monotonic() < limit and set(counts()) != {State.COMPLETED}:
        _supervise(processes)  # a worker that stands still ends, and whoever supervises it starts it again
        threading.Event().wait(0.5)
    assert _unfinished() == []
    stored = _stored()
    assert stored >= source.dispatched
    assert counts() == {State.COMPLETED: len(stored)}
    assert set((settings().files_dir / "demo.mark").read_text().split()) == stored
    with db.reading() as session:
        for grain in ("minute", "hour", "day"):
            by_queue = (JobRollup.grain == grain, JobRollup.dimension == "queue")
            summed = session.execute(
                select(func.sum(JobRollup.enqueued), func.sum(JobRollup.completed)).where(*by_queue)
            ).one()
            assert tuple(map(int, summed)) == (len(stored), len(stored)), grain


def _stored() -> set[str]:
    with db.reading() as session:
        return set(session.scalars(select(JobStatus.id)))


def _unfinished() -> list[tuple[object, ...]]:
    """What a failure is understood from."""
    wanted = select(JobStatus.id, JobStatus.state, JobStatus.due_at, JobStatus.worker, JobStatus.timeline)
    with db.reading() as session:
        return [tuple(row) for row in session.execute(wanted.where(JobStatus.state != State.COMPLETED).limit(5))]


def _supervise(processes: Processes) -> None:
    """Starts again what gave up by itself: a worker may when it loses its broker."""
    for name, command in OURS.items():
        if processes.has_ended(name):
            processes.start(*command, name=name)


def _strike(chance: random.Random, processes: Processes, database: PostgreSQL | None, name: str) -> None:
    if name == "database":
        assert database is not None
        database.crash()
        threading.Event().wait(chance.uniform(0, 1))
        database.start_again()
    elif chance.random() < 0.3:
        processes.hold(name, chance.uniform(0.2, 2.5))
    elif name.startswith("work") and chance.random() < 0.5:
        processes.kill_children(name)
    else:
        processes.kill(name)
        threading.Event().wait(chance.uniform(0, 0.8))
        processes.start(*OURS[name], name=name)
