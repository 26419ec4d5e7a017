"""What is kept of something that is done to all jobs that match."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, Float, Index, Integer, SmallInteger, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from console.actions.rules import ACTIVE
from console.db import Base

IS_ACTIVE = f"state IN ({', '.join(repr(state.value) for state in sorted(ACTIVE))})"


class BulkAction(Base):
    """One action: which jobs it means, how it is to go, and how far it came.

    The beat that holds the lease works on it. Each of its transactions locks this row and changes jobs and progress
    together, so whoever takes over goes on exactly there.
    """

    __tablename__ = "bulk_action"
    __table_args__ = (
        Index("ix_bulk_action_newest", "created_at", "id"),
        Index(
            "ix_bulk_action_active",
            "lease_until",
            postgresql_where=text(IS_ACTIVE),
            sqlite_where=text(IS_ACTIVE),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), doc="One of rules.Kind")
    name: Mapped[str] = mapped_column(String(200), default="", doc="What a person calls it, or why they do it")
    filter: Mapped[str] = mapped_column(Text, doc="JobFilter as JSON, settled: the jobs that were there at the time")
    actor: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(16))
    address: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(12), doc="One of rules.ActionState")
    estimate: Mapped[int] = mapped_column(BigInteger, doc="How many jobs it was thought to mean")
    estimate_is_exact: Mapped[bool] = mapped_column(Boolean)
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0, doc="It turned out not to be possible for these")
    restored: Mapped[int] = mapped_column(BigInteger, default=0, doc="Of the flushed ones, by undoing it")
    rate: Mapped[float | None] = mapped_column(Float, doc="Jobs a second at most; null: as fast as it goes")
    trial: Mapped[int] = mapped_column(Integer, default=0, doc="So many first; 0: no trial")
    pass_percent: Mapped[int] = mapped_column(SmallInteger, doc="Of the trial, so many must succeed")
    trial_wait_s: Mapped[int] = mapped_column(Integer, doc="How long to wait for that before a person is asked")
    trial_until: Mapped[datetime | None] = mapped_column(doc="Set once the trial's jobs are sent")
    tried: Mapped[bool] = mapped_column(Boolean, default=False, doc="The trial passed, or a person said to go on")
    stop_percent: Mapped[int | None] = mapped_column(SmallInteger, doc="Stops when more of its jobs fail; null: never")
    outcome: Mapped[str] = mapped_column(Text, default="", doc="Why it ended, or waits, in words")
    entry_id: Mapped[str | None] = mapped_column(String(36), doc="The audit log's entry that counts its jobs")
    lease_owner: Mapped[str | None] = mapped_column(String(255), doc="The beat that works on it, as host:pid:number")
    lease_until: Mapped[datetime | None] = mapped_column(doc="Then another beat may take over")
    next_at: Mapped[datetime | None] = mapped_column(doc="At a rate: when the next batch may go")
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    undo_until: Mapped[datetime | None] = mapped_column(doc="Of a flush: until then it can be undone")
