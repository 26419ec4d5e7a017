"""`celeriac doctor`: what it finds, and the exit code that scripts and health checks go by."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis
from click.testing import CliRunner
from sqlalchemy import Engine, text

from console import clock
from console.cli import main
from console.presence import Presence
from console.tracking.events import STREAM_PREFIX

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
