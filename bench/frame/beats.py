"""Other schedulers for Celery, each in an environment of its own: programs that fill them, and how they are edited.

All hold the same: `enabled` schedules, of which `due` fire at one minute and the others in a week, and one named
`edited`, every week until somebody makes it every second. Settings are the peer's own, but RedBeat's lock is off.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.frame import environment
from console import clock
from console.errors import Unavailable

CELERY = "celery[redis]==5.7.0"
QUEUE, EDITED = "bench", "edited"
READY = b"Waking up"
SAID = 500

_COMMON = """
import datetime, json, logging, sys, time
from celery import Celery, signals
from celery.schedules import crontab, schedule

said = json.load(open("peer.json"))
now = datetime.datetime.now(datetime.timezone.utc)
app = Celery("peer", broker=said["broker"])
app.conf.update(timezone="UTC", task_default_queue="bench")
names = [f"s{n}" for n in range(said["enabled"])]
dues = names[:said["due"]]
week, second = datetime.timedelta(weeks=1), datetime.timedelta(seconds=1)

@signals.after_setup_logger.connect
def tell_when_it_sleeps(**_):
    logging.getLogger("celery.beat").setLevel(logging.DEBUG)
"""

_CELERY_BEAT = """
def entry(when, queue="bench"):
    return {"task": "peer.none", "schedule": when, "options": {"queue": queue}}

app.conf.beat_schedule = {name: entry(crontab(minute=said["minute"])) for name in dues}
app.conf.beat_schedule |= {name: entry(schedule(week)) for name in names[len(dues):]}
app.conf.beat_schedule["edited"] = entry(schedule(second if said["is_edited"] else week), "edited")
"""

_REDBEAT = """
app.conf.update(redbeat_redis_url=said["broker"], redbeat_lock_key=None)

def entry(name, when, queue="bench"):
    from redbeat import RedBeatSchedulerEntry
    return RedBeatSchedulerEntry(name, "peer.none", when, options={"queue": queue}, app=app)

def fill():
    for name in dues:
        entry(name, crontab(minute=said["minute"])).save()
    for name in names[len(dues):]:
        entry(name, schedule(week)).save()
    entry("edited", schedule(week), "edited").save()

def edit():
    entry("edited", schedule(second), "edited").save()
"""

_DJANGO = """
import django
from django.conf import settings
database = {"ENGINE": "django.db.backends.sqlite3", "NAME": "peer.sqlite3", "OPTIONS": {"timeout": 20}}
settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["django_celery_beat"], USE_TZ=True, TIME_ZONE="UTC",
                   DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()

def fill():
    from django.core.management import call_command
    from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
    call_command("migrate", verbosity=0)
    minute = CrontabSchedule.objects.create(minute=said["minute"], hour="*", timezone="UTC")
    weekly = IntervalSchedule.objects.create(every=7, period="days")
    IntervalSchedule.objects.create(every=1, period="seconds")
    PeriodicTask.objects.bulk_create(
        [PeriodicTask(name=name, task="peer.none", last_run_at=now, crontab=minute) for name in dues]
        + [PeriodicTask(name=name, task="peer.none", last_run_at=now, interval=weekly) for name in names[len(dues):]]
        + [PeriodicTask(name="edited", task="peer.none", queue="edited", last_run_at=now, interval=weekly)],
        batch_size=1000)

def edit():
    from django_celery_beat.models import IntervalSchedule, PeriodicTask
    row = PeriodicTask.objects.get(name="edited")
    row.interval = IntervalSchedule.objects.get(period="seconds")
    row.save()
"""

_SQLALCHEMY = """
app.conf.beat_dburi = "sqlite:///peer.sqlite3"

def session():
    from sqlalchemy_celery_beat.session import SessionManager
    return SessionManager().session_factory(app.conf.beat_dburi)

def fill():
    from sqlalchemy import insert
    from sqlalchemy_celery_beat.models import CrontabSchedule, IntervalSchedule, Period, PeriodicTask
    opened = session()
    minute = CrontabSchedule(minute=str(said["minute"]), hour="*", timezone="UTC")
    weekly, each = IntervalSchedule(every=7, period=Period.DAYS), IntervalSchedule(every=1, period=Period.SECONDS)
    opened.add_all([minute, weekly, each])
    opened.commit()

    def row(name, of, queue="bench"):
        return {"name": name, "task": "peer.none", "queue": queue, "last_run_at": now,
                "discriminator": of.discriminator, "schedule_id": of.id}
    rows = [row(name, minute) for name in dues] + [row(name, weekly) for name in names[len(dues):]]
    opened.execute(insert(PeriodicTask), [*rows, row("edited", weekly, "edited")])
    opened.commit()

def edit():
    from sqlalchemy_celery_beat.models import IntervalSchedule, Period, PeriodicTask
    opened = session()
    row = opened.query(PeriodicTask).filter_by(name="edited").one()
    row.schedule_model = opened.query(IntervalSchedule).filter_by(period=Period.SECONDS).one()
    opened.commit()
"""

_MAIN = """
if __name__ == "__main__":
    {"fill": fill, "edit": edit}[sys.argv[1]]()
    print(time.time())
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """`packages` besides Celery; `scheduler` as `celery beat -S` takes it. None: Celery's own, edited by a restart."""

    program: str
    packages: tuple[str, ...] = ()
    scheduler: str | None = None


PEERS = {
    "celery_beat": Peer(_COMMON + _CELERY_BEAT),
    "django": Peer(
        _COMMON + _DJANGO + _MAIN, ("django-celery-beat==2.9.0",), "django_celery_beat.schedulers:DatabaseScheduler"
    ),
    "redbeat": Peer(_COMMON + _REDBEAT + _MAIN, ("celery-redbeat==2.4.2",), "redbeat.RedBeatScheduler"),
    "sqlalchemy": Peer(
        _COMMON + _SQLALCHEMY + _MAIN,
        ("sqlalchemy-celery-beat==0.9.1",),
        "sqlalchemy_celery_beat.schedulers:DatabaseScheduler",
    ),
}  # fmt: skip
"""The newest of each. django-celery-beat 2.9.0 refuses Django 6.1 (`Django<6.1,>=2.2`), and 6.0 needs Python 3.12."""


class Running:
    """A peer in a folder of its own: filled, then started, edited and ended."""

    def __init__(self, peer: Peer, home: Path, broker: str, *, enabled: int, due: int, minute: int) -> None:
        self._peer, self._home = peer, home
        self._python = str(environment.with_packages(CELERY, *peer.packages))
        self._said = {"broker": broker, "enabled": enabled, "due": due, "minute": minute, "is_edited": False}
        self._process: subprocess.Popen[bytes] | None = None
        (home / "peer.py").write_text(peer.program)
        self._write()
        if peer.scheduler:
            self._run("fill")

    def start(self, within_s: float) -> tuple[int, float]:
        """Its process, and how long it took until it first slept: then it has read its schedules."""
        scheduler = ["-S", self._peer.scheduler] if self._peer.scheduler else ["-s", str(self._home / "schedule")]
        command = [self._python, "-m", "celery", "-A", "peer", "beat", "-l", "INFO", *scheduler]
        log, began = self._home / "beat.log", clock.monotonic()
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, cwd=self._home, env=environment.clean(), stdout=out, stderr=out)
        while READY not in log.read_bytes():
            if self._process.poll() is not None or clock.monotonic() - began > within_s:
                raise Unavailable(f"The peer does not start: {log.read_text()[-SAID:]}")
            time.sleep(0.02)
        return self._process.pid, clock.monotonic() - began

    def edit(self, within_s: float) -> float:
        """Makes `edited` due, the peer's own way; when that was done, or begun if it is a restart (seconds of UTC)."""
        if self._peer.scheduler:
            return float(self._run("edit"))
        began = clock.now_ms() / 1_000
        self._said["is_edited"] = True
        self._write()
        if self._process is not None:
            self._process.terminate()
            self._process.wait(within_s)
        self.start(within_s)
        return began

    def kill(self) -> None:
        """Ends it, also when it is behind and does not listen."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _write(self) -> None:
        (self._home / "peer.json").write_text(json.dumps(self._said))

    def _run(self, verb: str) -> str:
        command = [self._python, "peer.py", verb]
        done = subprocess.run(
            command, cwd=self._home, env=environment.clean(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unavailable(f"The peer cannot be used ({verb}): {done.stderr[-SAID:]}")
        return done.stdout.split()[-1]
