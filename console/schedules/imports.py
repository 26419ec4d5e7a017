"""Schedules of other schedulers as definitions: Celery's `beat_schedule`, django-celery-beat's tables, RedBeat's keys.

What has no equal here (solar schedules) is told, never guessed. Cron keeps Celery's meaning: both days must fit.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from console.errors import InvalidInput, Unavailable
from console.schedules.definition import Definition, parse_definition

TIMEOUT_S = 60
MOST = 10_000
_UNITS = {"days": "days", "hours": "hours", "minutes": "minutes", "seconds": "seconds"}

_DJANGO = text("""
    SELECT t.name, t.task, t.args, t.kwargs, t.queue, t.priority, t.enabled, t.one_off, t.start_time,
      c.minute, c.hour, c.day_of_month, c.month_of_year, c.day_of_week, c.timezone, i.every, i.period, o.clocked_time
    FROM django_celery_beat_periodictask t
    LEFT JOIN django_celery_beat_crontabschedule c ON c.id = t.crontab_id
    LEFT JOIN django_celery_beat_intervalschedule i ON i.id = t.interval_id
    LEFT JOIN django_celery_beat_clockedschedule o ON o.id = t.clocked_id
    ORDER BY t.name LIMIT :most
""")
_ASK = r"""
import importlib, json, sys
sys.path.insert(0, "")
module, _, name = sys.argv[1].partition(":")
found = importlib.import_module(module)
for part in filter(None, name.split(".")):
    found = getattr(found, part)
if not name:
    found = next(v for k in ("app", "celery") for v in [getattr(found, k, None)] if v is not None)
conf = getattr(found, "conf", None)
entries = found if isinstance(found, dict) else conf.beat_schedule
said = []
for key, entry in entries.items():
    when, options = entry["schedule"], dict(entry.get("options") or {})
    one = {"name": key, "task": entry["task"], "args": list(entry.get("args") or ()),
           "kwargs": dict(entry.get("kwargs") or {}), "queue": options.get("queue"),
           "priority": options.get("priority")}
    if hasattr(when, "_orig_minute"):
        one["cron"] = " ".join(str(getattr(when, "_orig_" + part)).replace(" ", "") for part in
                               ("minute", "hour", "day_of_month", "month_of_year", "day_of_week"))
    elif hasattr(when, "event"):
        one["unknown"] = "solar schedule"
    else:
        run_every = getattr(when, "run_every", when)
        one["seconds"] = run_every.total_seconds() if hasattr(run_every, "total_seconds") else float(run_every)
    said.append(one)
zone = str(conf.timezone or "UTC") if conf is not None else "UTC"
print("\n" + json.dumps({"zone": zone, "entries": said}, default=str))
"""


@dataclass(slots=True)
class Found:
    """What was there: definitions, and in words what could not be taken over."""

    definitions: list[Definition] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, name: str, said: dict[str, Any]) -> None:
        """One more, or why not."""
        try:
            self.definitions.append(parse_definition({"name": name, "overlap": "allow"} | said))
        except InvalidInput as error:
            self.left_out.append(f"{name}: {error.detail}")


def from_celery(place: str, python: str) -> Found:
    """Of "module", "module:app" or "module:NAME" of a dict; that code runs in a process of its own, with `python`."""
    try:
        ran = subprocess.run(
            [python, "-c", _ASK, place], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{python} did not tell the schedules of {place}: {error}") from None
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["nothing"])[-1]
        raise InvalidInput(f"{place} cannot be read by {python}. It said: {last[:300]}")
    answer = json.loads(ran.stdout.strip().splitlines()[-1])
    found = Found()
    for entry in answer["entries"]:
        _of_celery(found, entry, answer["zone"])
    return found


def _of_celery(found: Found, entry: dict[str, Any], zone: str) -> None:
    if "unknown" in entry:
        found.left_out.append(f"{entry['name']}: a {entry['unknown']} has no equal here")
        return
    said = _job(entry["task"], entry["args"], entry["kwargs"], entry["queue"], entry["priority"])
    found.add(entry["name"], said | (_cron(entry["cron"], zone) if "cron" in entry else _seconds(entry["seconds"])))


def from_django(url: str) -> Found:
    """Of the tables of django-celery-beat. Disabled ones are left out, and said. Raises `Unavailable`."""
    try:
        with create_engine(url).connect() as connection:
            rows = connection.execute(_DJANGO, {"most": MOST}).mappings().all()
    except (SQLAlchemyError, ImportError) as error:
        raise Unavailable(f"The tables of django-celery-beat cannot be read: {str(error).splitlines()[0]}") from None
    found = Found()
    for row in rows:
        _of_django(found, dict(row))
    return found


def _of_django(found: Found, row: dict[str, Any]) -> None:
    name = row["name"]
    if not row["enabled"]:
        found.left_out.append(f"{name}: it is disabled")
        return
    said = _job(
        row["task"], json.loads(row["args"] or "[]"), json.loads(row["kwargs"] or "{}"), row["queue"], row["priority"]
    )
    said |= {"max_runs": 1} if row["one_off"] else {}
    said |= {"starts_at": _instant(row["start_time"])} if row["start_time"] else {}
    if row["minute"] is not None:
        parts = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        said |= _cron(" ".join(str(row[part]).replace(" ", "") for part in parts), str(row["timezone"] or "UTC"))
    elif row["every"] is not None and row["period"] in _UNITS:
        said |= {"kind": "every", "every": row["every"], "unit": row["period"]}
    elif row["clocked_time"] is not None:
        said |= {"kind": "once", "at": _instant(row["clocked_time"])}
    else:
        found.left_out.append(f"{name}: its kind of schedule has no equal here")
        return
    found.add(name, said)


def from_redbeat(url: str, prefix: str = "redbeat:") -> Found:
    """Of the keys of RedBeat. Raises `Unavailable`."""
    found = Found()
    try:
        server = redis.Redis.from_url(url)
        keys: Iterable[bytes] = server.scan_iter(f"{prefix}*", 1_000, _type="hash")
        for key in sorted(keys)[:MOST]:
            if said := server.hget(key, "definition"):
                _of_redbeat(found, json.loads(said))
    except (redis.RedisError, ValueError) as error:
        raise Unavailable(f"The keys of RedBeat cannot be read: {error}") from None
    return found


def _of_redbeat(found: Found, said: dict[str, Any]) -> None:
    name, when, options = said["name"], said["schedule"], said.get("options") or {}
    if not said.get("enabled", True):
        found.left_out.append(f"{name}: it is disabled")
        return
    job = _job(
        said["task"], said.get("args") or [], said.get("kwargs") or {}, options.get("queue"), options.get("priority")
    )
    kind = when.get("__type__")
    if kind == "crontab":
        parts = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        found.add(name, job | _cron(" ".join(str(when.get(part, "*")).replace(" ", "") for part in parts), "UTC"))
    elif kind == "interval":
        found.add(name, job | _seconds(float(when["every"])))
    else:
        found.left_out.append(f"{name}: its kind of schedule, {kind}, has no equal here")


def _job(task: str, args: list[Any], kwargs: dict[str, Any], queue: str | None, priority: Any) -> dict[str, Any]:
    said: dict[str, Any] = {"type": task, "args": args, "payload": kwargs, "queue": queue}
    return said | ({"priority": int(priority)} if priority is not None else {})


def _cron(fields: str, zone: str) -> dict[str, Any]:
    return {"kind": "cron", "cron": fields, "cron_days": "and", "timezone": zone}


def _seconds(seconds: float) -> dict[str, Any]:
    """In the largest unit that divides it; less than a second there is not."""
    whole = max(1, round(seconds))
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if whole % size == 0:
            return {"kind": "every", "every": whole // size, "unit": unit}
    return {"kind": "every", "every": whole, "unit": "seconds"}


def _instant(value: Any) -> str:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return str((at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat())
