"""What is stored of schedules: what they are, what they were, what they did, and when nothing is to fire."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base

DUE = "due_at IS NOT NULL"
TROUBLE = "trouble_at IS NOT NULL"
PROBLEM = "problem <> ''"
WAITS = "state = 'waiting'"
MISSED = "state = 'missed'"
WATCHED = "finish_by IS NOT NULL"
MADE = "job_id IS NOT NULL"


class Schedule(Base):
    """A schedule and its cursor. Whoever fires it locks the row and moves the cursor in the same transaction."""

    __tablename__ = "schedule"
    __table_args__ = (
        Index("uq_schedule_name", "name", unique=True),
        Index("ix_schedule_due", "due_at", postgresql_where=text(DUE), sqlite_where=text(DUE)),
        Index("ix_schedule_state", "state", "name"),
        Index("ix_schedule_type", "type", "name"),
        Index("ix_schedule_trouble", "trouble_at", postgresql_where=text(TROUBLE), sqlite_where=text(TROUBLE)),
        Index("ix_schedule_problem", "name", postgresql_where=text(PROBLEM), sqlite_where=text(PROBLEM)),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(255), doc="Job type")
    kind: Mapped[str] = mapped_column(String(8), doc="One of definition.Kind")
    definition: Mapped[str] = mapped_column(Text, doc="JSON; see definition.Definition")
    ver: Mapped[int] = mapped_column(Integer, doc="Number of its newest version")
    rev: Mapped[int] = mapped_column(BigInteger, default=0, doc="Of everything that people change; compare-and-set")
    state: Mapped[str] = mapped_column(String(8), doc="active, paused or ended")
    nominal_at: Mapped[datetime | None] = mapped_column(doc="The time that comes next")
    due_at: Mapped[datetime | None] = mapped_column(doc="With jitter; paused: when it goes on; null: nothing comes")
    fired: Mapped[int] = mapped_column(BigInteger, default=0, doc="Runs by time so far")
    missed: Mapped[int] = mapped_column(BigInteger, default=0, doc="Times that passed without a run")
    overdue: Mapped[int] = mapped_column(
        BigInteger, default=0, server_default="0", doc="Runs whose job had not ended by its time"
    )
    trouble_at: Mapped[datetime | None] = mapped_column(doc="When a time was last found missed, or a run overdue")
    last_at: Mapped[datetime | None] = mapped_column(doc="When it fired last")
    open_job_id: Mapped[str | None] = mapped_column(
        String(255), doc="The job it made last; overlap asks whether it ended"
    )
    pause_reason: Mapped[str] = mapped_column(String(500), default="")
    paused_by: Mapped[str | None] = mapped_column(String(255))
    paused_at: Mapped[datetime | None]
    paused_until: Mapped[datetime | None]
    problem: Mapped[str] = mapped_column(String(500), default="", doc="Why it cannot fire; it is tried again")
    file: Mapped[str | None] = mapped_column(String(255), doc="The file that owns it; null: people do")
    built_in: Mapped[bool] = mapped_column(Boolean, default=False, doc="Celeriac's own: cannot be deleted")
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))


class ScheduleSearch(Base):
    """What schedules are found by. It lies apart, since firing one writes its row anew, and all its index entries."""

    __tablename__ = "schedule_search"
    __table_args__ = (Index("ix_schedule_search", "name", "text", "schedule_id"),)

    schedule_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(String(400), doc="Name and job type in small letters")

    @classmethod
    def of(cls, schedule: Schedule) -> ScheduleSearch:
        """What a schedule is to be found by."""
        text = f"{schedule.name} {schedule.type}".lower()[:400]
        return cls(schedule_id=schedule.id, name=schedule.name, text=text)


class ScheduleVersion(Base):
    """A definition that a schedule has or had."""

    __tablename__ = "schedule_version"

    schedule_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    ver: Mapped[int] = mapped_column(Integer, primary_key=True)
    definition: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    by: Mapped[str] = mapped_column(String(255))
    why: Mapped[str] = mapped_column(String(200), doc="create, edit, restore of version 3, …")


class ScheduleFire(Base):
    """One time of a schedule, and what came of it. The key makes it impossible that one is fired twice."""

    __tablename__ = "schedule_fire"
    __table_args__ = (
        Index("ix_schedule_fire_at", "nominal_at"),
        Index("ix_schedule_fire_job", "job_id", postgresql_where=text(MADE), sqlite_where=text(MADE)),
        Index("ix_schedule_fire_waits", "nominal_at", postgresql_where=text(WAITS), sqlite_where=text(WAITS)),
        Index("ix_schedule_fire_missed", "at", postgresql_where=text(MISSED), sqlite_where=text(MISSED)),
        Index("ix_schedule_fire_watched", "finish_by", postgresql_where=text(WATCHED), sqlite_where=text(WATCHED)),
    )

    schedule_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    nominal_at: Mapped[datetime] = mapped_column(primary_key=True)
    trigger: Mapped[str] = mapped_column(String(48), primary_key=True, doc="time, manual, or backfill:…")
    state: Mapped[str] = mapped_column(String(8), doc="fired, waiting, skipped or missed")
    at: Mapped[datetime] = mapped_column(doc="When that was decided")
    job_id: Mapped[str | None] = mapped_column(String(255))
    slots: Mapped[int] = mapped_column(Integer, default=1, doc="Of a row of missed times: how many it stands for")
    until_at: Mapped[datetime | None] = mapped_column(doc="Of such a row: the last of them")
    reason: Mapped[str] = mapped_column(String(300), default="", doc="Why it did not fire, or who asked for it")
    finish_by: Mapped[datetime | None] = mapped_column(doc="Until then its job is watched")
    overdue: Mapped[bool] = mapped_column(Boolean, default=False, doc="Its job had not ended by its time")


class ScheduleBlackout(Base):
    """Which schedules keep to which calendar, so that they are found when it changes."""

    __tablename__ = "schedule_blackout"

    calendar: Mapped[str] = mapped_column(String(80), primary_key=True)
    schedule_id: Mapped[str] = mapped_column(String(36), primary_key=True)


class BlackoutCalendar(Base):
    """Times at which nothing fires that keeps to it."""

    __tablename__ = "blackout_calendar"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    text: Mapped[str] = mapped_column(Text, doc="Dates, one a line, or an iCalendar file")
    rev: Mapped[int] = mapped_column(Integer, default=0)
    changed_at: Mapped[datetime]
    changed_by: Mapped[str] = mapped_column(String(255))
