"""`celeriac doctor`: what it finds, and the exit code that scripts and health checks go by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from sqlalchemy import Engine, text, update

from console import clock, db
from console.cli import main
from console.jobs.rules import State
from console.jobs.tally import Tally
from console.presence import Presence
from console.schedules import builtin
from console.schedules.models import Schedule
from console.tracking.events import STREAM_PREFIX
from console.workers.models import Worker
from tests.factories.jobs import make_job

Setting = Callable[[str, str], None]


def doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]], dict[str, Any]]:
    """The exit code, the findings by check, and everything."""
    done = CliRunner().invoke(main, ["doctor", "--json", *arguments])
    said = json.loads(done.stdout)
    return done.exit_code, {one["check"]: one for one in said["checks"]}, said


def test_what_answers_is_ok(database: Engine, broker: redis.Redis) -> None:
    code, found, _ = doctor("--only", "schema", "--only", "clocks", "--only", "stream")
    assert {name: one["state"] for name, one in found.items()} == dict.fromkeys(
        ("database", "schema", "broker", "clocks", "stream"), "OK"
    )
    assert code == 0


def test_without_workers_beat_and_recorder_it_says_what_to_start(database: Engine, broker: redis.Redis) -> None:
    code, found, _ = doctor()
    assert code == 1
    for name, command in (("workers", "work"), ("beat", "beat"), ("recorder", "recorder"), ("web", "web")):
        assert found[name]["state"] == "FAIL"
        assert f"Start `celeriac {command}`" in found[name]["advice"]


@pytest.mark.parametrize("kind", ["beat", "recorder"])
def test_a_process_that_says_that_it_lives_is_ok_until_it_leaves(
    sqlite_database: Engine, broker: redis.Redis, kind: str
) -> None:
    process = Presence(kind)
    process.say()
    assert doctor("--only", kind)[1][kind]["state"] == "OK"
    process.leave()
    assert doctor("--only", kind)[1][kind]["state"] == "FAIL"


def test_events_that_nobody_stores_are_a_failure_though_a_recorder_lives(
    sqlite_database: Engine, broker: redis.Redis
) -> None:
    Presence("recorder").say()
    broker.xadd(f"{STREAM_PREFIX}0", {"b": b"x"}, id=f"{clock.now_ms() - 120_000}-0")
    code, found, _ = doctor("--only", "recorder")
    assert code == 1
    assert "Events have waited for 120 s" in found["recorder"]["seen"]


def test_a_database_without_our_schema_is_told(sqlite_database: Engine) -> None:
    with sqlite_database.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    code, found, _ = doctor("--only", "schema")
    assert code == 1
    assert found["schema"]["advice"] == "Run `celeriac migrate`."


def test_servers_that_do_not_answer_are_findings_and_what_needs_them_is_not_checked(setting: Setting) -> None:
    setting("DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/x")
    setting("BROKER_URL", "redis://:hidden@127.0.0.1:1/0")
    code, found, said = doctor()
    assert code == 1
    assert found["database"]["state"] == found["broker"]["state"] == "FAIL"
    assert found["schema"]["seen"].startswith("Not checked")
    assert "hidden" not in json.dumps(said)


def test_settings_in_force_are_shown_and_secrets_are_not(sqlite_database: Engine, setting: Setting) -> None:
    setting("SECRET_KEY", "do-not-show")
    setting("QUEUE_TIMEOUT", "17")
    _, _, said = doctor("--only", "data")
    assert said["settings"]["QUEUE_TIMEOUT"] == 17
    assert said["settings"]["SECRET_KEY"] == "***"
    assert "do-not-show" not in json.dumps(said)


def rollups(days: int, jobs_a_day: int, ended: str = "COMPLETED") -> None:
    """So many jobs came and ended on each of the last days."""
    tally = Tally()
    for hour in range(days * 24):
        at_ms = clock.now_ms() - hour * 3_600_000
        for _ in range(jobs_a_day // 24):
            tally.enqueued(at_ms, "t", "q")
            tally.ended(ended, at_ms, "t", "q", 1, 1)
    with db.writing() as session:
        tally.write(session)


def test_space_levels_off_where_as_much_goes_as_comes(database: Engine, setting: Setting) -> None:
    setting("CELERIAC_DATABASE_GB", "10")
    rollups(5, 2_400)
    _, found, _ = doctor("--only", "space")
    assert found["space"]["state"] == "OK"
    assert "2,4" in found["space"]["seen"] or "2,3" in found["space"]["seen"]
    assert "will be kept; " in found["space"]["seen"]


def test_space_that_will_be_full_is_told_before_it_is(database: Engine, setting: Setting) -> None:
    rollups(5, 24_000)  # 48 MB a day, of which seven days are kept
    setting("CELERIAC_DATABASE_GB", "0.3")
    code, found, _ = doctor("--only", "space")
    assert (code, found["space"]["state"]) == (0, "WARN")
    assert re.search(r"full in [56]\.\d days", found["space"]["seen"]), found["space"]["seen"]
    assert "CELERIAC_KEEP_COMPLETED_DAYS" in found["space"]["advice"]
    setting("CELERIAC_DATABASE_GB", "0.12")
    code, found, _ = doctor("--only", "space")
    assert (code, found["space"]["state"]) == (1, "FAIL")
    setting("CELERIAC_DATABASE_GB", "0.45")
    assert doctor("--only", "space")[1]["space"]["state"] == "OK"


def test_space_counts_the_days_of_single_types_and_what_is_kept_for_ever(database: Engine, setting: Setting) -> None:
    rollups(5, 24_000)
    setting("CELERIAC_DATABASE_GB", "0.5")
    setting("CELERIAC_KEEP_TYPES", "t=COMPLETED:300")
    assert "GB will be kept" in doctor("--only", "space")[1]["space"]["seen"]
    setting("CELERIAC_KEEP_TYPES", "t=COMPLETED:inf")
    _, found, _ = doctor("--only", "space")
    assert "a day for ever" in found["space"]["seen"]
    assert found["space"]["state"] == "WARN"


def test_space_of_postgresql_is_unknown_until_it_is_told(postgresql_database: Engine) -> None:
    rollups(2, 240)
    _, found, _ = doctor("--only", "space")
    assert (found["space"]["state"], "free space unknown" in found["space"]["seen"]) == ("OK", True)
    assert "CELERIAC_DATABASE_GB" in found["space"]["advice"]


def test_memory_of_the_broker_against_its_limit(sqlite_database: Engine, broker: redis.Redis) -> None:
    used = broker.info("memory")["used_memory"]
    try:
        for times, state in ((100, "OK"), (1.2, "WARN"), (1.05, "FAIL")):
            broker.config_set("maxmemory", int(used * times))
            assert doctor("--only", "memory")[1]["memory"]["state"] == state
    finally:
        broker.config_set("maxmemory", 0)


def test_what_workers_dropped_and_keep(sqlite_database: Engine, broker: redis.Redis) -> None:
    assert doctor("--only", "spools")[1]["spools"]["state"] == "OK"
    with db.writing() as session:
        worker = Worker(
            name="work@a", boot_id="b", pid=1, concurrency=1, queues="[]", started_at=clock.now(), seen_at=clock.now(),
            dropped=0, spooled_bytes=60_000_000,
        )
        session.add(worker)
    assert doctor("--only", "spools")[1]["spools"]["state"] == "WARN"
    with db.writing() as session:
        session.get_one(Worker, "work@a").dropped = 12
    assert "work@a dropped 12 events" in doctor("--only", "spools")[1]["spools"]["seen"]


def test_upkeep_that_nobody_runs_and_jobs_that_nobody_will_run(sqlite_database: Engine, broker: redis.Redis) -> None:
    assert doctor("--only", "upkeep")[1]["upkeep"]["state"] == "OK"
    with db.writing() as session:
        make_job(session, State.PENDING, enqueued_at=clock.now() - timedelta(days=31))
    assert "1 job PENDING for over 30 days" in doctor("--only", "upkeep")[1]["upkeep"]["seen"]
    builtin.ensure()
    with db.writing() as session:
        session.execute(update(Schedule).where(Schedule.built_in).values(due_at=clock.now() - timedelta(hours=3)))
        late = update(Schedule).where(Schedule.type == "celeriac.retention")
        session.execute(late.values(due_at=clock.now() - timedelta(hours=4)))
    found = doctor("--only", "upkeep")[1]["upkeep"]
    assert (found["state"], found["seen"]) == ("WARN", "celeriac.retention has been due for 4 h")
