"""Schedules of other schedulers: Celery's own file, django-celery-beat's tables, RedBeat's keys."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, text

from console.config import settings
from console.errors import InvalidInput, Unavailable
from console.schedules import imports

APP = """
from celery import Celery
from celery.schedules import crontab
app = Celery("shop")
app.conf.timezone = "Europe/Berlin"
app.conf.beat_schedule = {
    "nightly": {"task": "shop.report", "schedule": crontab(minute=30, hour="2"), "kwargs": {"day": 1},
                "options": {"queue": "reports"}},
    "often": {"task": "shop.ping", "schedule": 90.0, "args": (1, 2)},
}
"""


def test_celerys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    found = imports.from_celery("shop_app:app", sys.executable)
    assert [one.described() for one in found.definitions] == [
        {"name": "nightly", "type": "shop.report", "payload": {"day": 1}, "kind": "cron", "cron": "30 2 * * *",
         "cron_days": "and", "timezone": "Europe/Berlin", "overlap": "allow", "queue": "reports"},
        {"name": "often", "type": "shop.ping", "args": [1, 2], "kind": "every", "every": 90, "unit": "seconds",
         "overlap": "allow"},
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="No module named"):
        imports.from_celery("nowhere:app", sys.executable)


def test_django_celery_beat(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'django.db'}"
    with create_engine(url).begin() as connection:
        for statement in (
            ("CREATE TABLE django_celery_beat_periodictask (name, task, args, kwargs, queue, priority, enabled, one_off,"
            " start_time, expires, crontab_id, interval_id, clocked_id, solar_id)"),
            "CREATE TABLE django_celery_beat_crontabschedule (id, minute, hour, day_of_month, month_of_year, day_of_week, timezone)",
            "CREATE TABLE django_celery_beat_intervalschedule (id, every, period)",
            "CREATE TABLE django_celery_beat_clockedschedule (id, clocked_time)",
            "INSERT INTO django_celery_beat_crontabschedule VALUES (1, '0', '4', '*', '*', 'mon-fri', 'Asia/Kolkata')",
            "INSERT INTO django_celery_beat_intervalschedule VALUES (1, 10, 'minutes')",
            "INSERT INTO django_celery_beat_clockedschedule VALUES (1, '2026-12-24 10:00:00')",
            ("INSERT INTO django_celery_beat_periodictask VALUES"
            " ('a', 't.a', '[]', '{}', NULL, NULL, 1, 0, NULL, NULL, 1, NULL, NULL, NULL),"
            " ('b', 't.b', '[1]', '{\"x\": 2}', 'q', 3, 1, 0, NULL, NULL, NULL, 1, NULL, NULL),"
            " ('c', 't.c', '[]', '{}', NULL, NULL, 1, 1, NULL, NULL, NULL, NULL, 1, NULL),"
            " ('d', 't.d', '[]', '{}', NULL, NULL, 0, 0, NULL, NULL, NULL, 1, NULL, NULL),"
            " ('e', 't.e', '[]', '{}', NULL, NULL, 1, 0, NULL, NULL, NULL, NULL, NULL, 1)"),
        ):
            connection.execute(text(statement.replace(":", "\\:")))
    found = imports.from_django(url)
    a, b, c = found.definitions
    assert (a.cron, a.timezone, b.every, b.unit, b.args, b.priority) == ("0 4 * * mon-fri", "Asia/Kolkata", 10, "minutes", [1], 3)
    assert (c.kind, c.max_runs, c.at and c.at.isoformat()) == ("once", 1, "2026-12-24T10:00:00+00:00")
    assert [one[0] for one in found.left_out] == ["d", "e"]
    with pytest.raises(Unavailable):
        imports.from_django("sqlite:////nowhere/at.all")


def test_redbeat(broker: redis.Redis) -> None:
    for name, schedule in {
        "x": {"__type__": "interval", "every": 7_200.0, "relative": False},
        "y": {"__type__": "crontab", "minute": "*/5", "hour": "*", "day_of_week": "1", "day_of_month": "*", "month_of_year": "*"},
        "z": {"__type__": "rrule", "freq": 3},
    }.items():
        said = {"name": name, "task": f"t.{name}", "args": [], "kwargs": {}, "options": {"queue": "q"}, "schedule": schedule, "enabled": True}
        broker.hset(f"redbeat:{name}", mapping={"definition": json.dumps(said), "meta": "{}"})
    found = imports.from_redbeat(settings().broker_url.get_secret_value())
    assert [(one.name, one.kind, one.every, one.unit, one.cron) for one in found.definitions] == [
        ("x", "every", 2, "hours", None), ("y", "cron", None, "minutes", "*/5 * * * 1")
    ]  # fmt: skip
    assert found.left_out == ["z: its kind of schedule, rrule, has no equal here"]
