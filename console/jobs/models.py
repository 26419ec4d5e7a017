"""What is stored of jobs. `JobStatus` is the row of one job; lists read only its narrow columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, deferred, mapped_column

from console.db import Base, Instant
from console.tracking.messages import ELSEWHERE

OPEN = "state IN ('FAILED', 'RETRYABLE') AND retried_as IS NULL"
"""Of failures that nobody has retried."""
UNPRINTED = "fingerprint IS NULL AND state IN ('FAILED', 'RETRYABLE')"
"""Of failures whose fingerprint is still to be found out (`groups.fill`); mostly there is none."""
FOREIGN = f"source IS NOT NULL OR message = '{ELSEWHERE}'"
"""Of jobs that another broker than ours carries; see `sendable.why_not_ours`."""


class JobStatus(Base):
    """One job, from dispatch to its end.

    `ver`, `sver`, `fver` and `pver` are versions of the state, the latest start, the latest end and the
    latest progress (`rules.version`); they make storing an event idempotent and independent of order.
    """

    __tablename__ = "job_status"
    __table_args__ = (
        # Ascending, since new rows then go to an end of the tree, and without the id, which would double their size:
        # lists are read backwards, and sort the few jobs of one millisecond themselves.
        Index("ix_job_status_newest", "enqueued_at"),
        Index("ix_job_status_state", "state", "enqueued_at"),
        Index("ix_job_status_queue", "queue", "state", "enqueued_at"),
        Index("ix_job_status_type", "type", "state", "enqueued_at"),
        Index(
            "ix_job_status_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
            sqlite_where=text("due_at IS NOT NULL"),
        ),
        Index(
            "uq_job_status_unique_lock",
            "unique_lock",
            unique=True,
            postgresql_where=text("unique_lock IS NOT NULL"),
            sqlite_where=text("unique_lock IS NOT NULL"),
        ),
        Index(
            "ix_job_status_foreign", "state", "source", postgresql_where=text(FOREIGN), sqlite_where=text(FOREIGN)
        ),
        Index(
            "ix_job_status_fingerprint",
            "fingerprint",
            "enqueued_at",
            postgresql_where=text("fingerprint IS NOT NULL"),
            sqlite_where=text("fingerprint IS NOT NULL"),
        ),
        Index(
            "ix_job_status_open", "type", "fingerprint", postgresql_where=text(OPEN), sqlite_where=text(OPEN)
        ),
        Index(
            "ix_job_status_unprinted", "state", postgresql_where=text(UNPRINTED), sqlite_where=text(UNPRINTED)
        ),
        Index(
            "ix_job_status_action",
            "action_id",
            "state",
            "enqueued_at",
            postgresql_where=text("action_id IS NOT NULL"),
            sqlite_where=text("action_id IS NOT NULL"),
        ),
        *(
            Index(
                f"ix_job_status_{name}",
                name,
                postgresql_where=text(f"{name} IS NOT NULL"),
                sqlite_where=text(f"{name} IS NOT NULL"),
            )
            for name in ("parent_id", "root_id", "group_id", "chord_id")
        ),
    )

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(255), default="", doc="Job type; empty while unknown")
    queue: Mapped[str] = mapped_column(String(255), default="", doc="Empty while unknown")
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(Integer, default=0, doc="Attempts begun so far")
    max_attempts: Mapped[int | None] = mapped_column(SmallInteger)
    priority: Mapped[int | None] = mapped_column(SmallInteger)
    progress: Mapped[int | None] = mapped_column(SmallInteger, doc="0…100; null: the job reports none")
    progress_note: Mapped[str | None] = mapped_column(String(200))
    worker: Mapped[str | None] = mapped_column(String(255), doc="Worker of the latest attempt")
    enqueued_at: Mapped[datetime]
    due_at: Mapped[datetime | None] = mapped_column(doc="When beat has to publish it; null: nothing to publish")
    started_at: Mapped[datetime | None] = mapped_column(doc="Start of the latest attempt")
    finished_at: Mapped[datetime | None] = mapped_column(doc="End of the latest attempt")
    runtime_ms: Mapped[int | None] = mapped_column(BigInteger, doc="Of the latest ended attempt")
    reason: Mapped[str | None] = mapped_column(String(32), doc="Why it failed or was cancelled, one of rules.REASONS")
    error_type: Mapped[str | None] = mapped_column(String(255), doc="Exception class")
    error_message: Mapped[str | None] = mapped_column(Text, doc="At most 2,000 characters")
    fingerprint: Mapped[str | None] = mapped_column(String(16), doc="Of its latest end, if that is a failure")
    retry_of: Mapped[str | None] = mapped_column(String(255), doc="The failed job that this one retries")
    retried_as: Mapped[str | None] = mapped_column(String(255), doc="The job that retries this one")
    parent_id: Mapped[str | None] = mapped_column(String(255), doc="The job that dispatched this one")
    root_id: Mapped[str | None] = mapped_column(String(255), doc="Where its family began; null: here")
    group_id: Mapped[str | None] = mapped_column(String(255), doc="The group that it was dispatched in")
    chord_id: Mapped[str | None] = mapped_column(String(255), doc="The job that runs when its whole group is done")
    source: Mapped[str | None] = mapped_column(String(64), doc="The observed application; null: a tracked one")
    action_id: Mapped[str | None] = mapped_column(String(36), doc="The bulk action (`console.actions`) that made it")
    unique_key: Mapped[str | None] = mapped_column(String(255))
    unique_lock: Mapped[str | None] = mapped_column(String(255), doc="unique_key until the job ends, then null")
    internal: Mapped[bool] = mapped_column(
        Boolean, default=False, doc="Upkeep of Celeriac itself; hidden unless asked for"
    )
    run: Mapped[int] = mapped_column(SmallInteger, default=0, doc="How often a message of this job was delivered again")
    ver: Mapped[int] = mapped_column(BigInteger, default=0)
    sver: Mapped[int] = mapped_column(BigInteger, default=0)
    fver: Mapped[int] = mapped_column(BigInteger, default=0)
    pver: Mapped[int] = mapped_column(BigInteger, default=0)
    tags: Mapped[str | None] = mapped_column(Text, doc="JSON list of words")
    timeline: Mapped[str] = deferred(mapped_column(Text, default="[]", doc="JSON; see rules.Moment"))
    payload: Mapped[str | None] = deferred(mapped_column(Text, doc='JSON {"args": […], "kwargs": {…}}'))
    message: Mapped[str | None] = deferred(mapped_column(Text, doc="JSON; how to publish it again as it was"))
    arguments: Mapped[str | None] = deferred(
        mapped_column(Text, doc="Of an observed job: what Celery shows of them, in the place of a payload")
    )
    result: Mapped[str | None] = deferred(mapped_column(Text, doc="JSON"))
    traceback: Mapped[str | None] = deferred(mapped_column(Text))


class JobAttempt(Base):
    """An attempt that did not end well. The attempt that ends a job well needs no row beside `JobStatus`."""

    __tablename__ = "job_attempt"

    job_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    run: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, doc="1 for the first")
    state: Mapped[str] = mapped_column(String(12), doc="RETRYING, FAILED, CANCELLED, or LOST")
    reason: Mapped[str | None] = mapped_column(String(32))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(255))
    error_type: Mapped[str | None] = mapped_column(String(255))
    error_message: Mapped[str | None] = mapped_column(Text)
    traceback: Mapped[str | None] = mapped_column(Text)


class JobLog(Base):
    """Some lines that an attempt logged, one after another, as its process told them together.

    Lines are numbered within their attempt; where the numbers of two rows leave a gap, lines were left out.
    """

    __tablename__ = "job_log"

    job_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    attempt: Mapped[int] = mapped_column(Integer, primary_key=True, doc="1 for the first")
    run: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, doc="Number of the first line, from 1")
    n: Mapped[int] = mapped_column(Integer, doc="How many lines")
    level: Mapped[int] = mapped_column(SmallInteger, doc="The highest among them, as logging numbers levels")
    at: Mapped[datetime] = mapped_column(doc="When the first was logged")
    lines: Mapped[str] = mapped_column(Text, doc="JSON; see tracking.logs.line_of")


class JobCount(Base):
    """How many jobs are in each state now; kept exact by whoever changes a state, in the same transaction.

    The number is the sum over the shards (`tally`); that of one shard may be negative.
    """

    __tablename__ = "job_count"

    type: Mapped[str] = mapped_column(String(255), primary_key=True)
    queue: Mapped[str] = mapped_column(String(255), primary_key=True)
    state: Mapped[str] = mapped_column(String(12), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class JobRollup(Base):
    """What happened in one minute, hour or day to one queue or one job type. Charts read these, never jobs."""

    __tablename__ = "job_rollup"

    grain: Mapped[str] = mapped_column(String(6), primary_key=True, doc="minute, hour or day")
    dimension: Mapped[str] = mapped_column(String(5), primary_key=True, doc="queue or type")
    at: Mapped[datetime] = mapped_column(primary_key=True, doc="Where the minute, hour or day (UTC) begins")
    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    enqueued: Mapped[int] = mapped_column(BigInteger, default=0)
    completed: Mapped[int] = mapped_column(BigInteger, default=0)
    failed: Mapped[int] = mapped_column(BigInteger, default=0)
    retried: Mapped[int] = mapped_column(BigInteger, default=0)
    cancelled: Mapped[int] = mapped_column(BigInteger, default=0)
    wait_ms: Mapped[int] = mapped_column(BigInteger, default=0, doc="Sum over the completed and failed")
    runtime_ms: Mapped[int] = mapped_column(BigInteger, default=0, doc="Sum over the completed and failed")
    waits: Mapped[str | None] = mapped_column(Text, doc="`histogram` of the same")
    runtimes: Mapped[str | None] = mapped_column(Text, doc="`histogram` of the same")


class FailureGroup(Base):
    """The failures that share a fingerprint, and what people made of them. Changed by compare-and-set of `ver`.

    Who records failures writes when they came, and opens the group again (`groups.comes_back`); the rest is people's.
    """

    __tablename__ = "failure_group"
    __table_args__ = (
        Index("ix_failure_group_last_seen", "last_seen_at"),
        Index("ix_failure_group_first_seen", "first_seen_at"),
    )

    fingerprint: Mapped[str] = mapped_column(String(16), primary_key=True)
    type: Mapped[str] = mapped_column(String(255))
    error_type: Mapped[str] = mapped_column(String(255), doc="Exception class, or one of rules.REASONS")
    pattern: Mapped[str] = mapped_column(String(300), doc="The message without its values")
    frame: Mapped[str] = mapped_column(String(255), doc='"file:function"; empty: no traceback')
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(doc="To the second")
    state: Mapped[str] = mapped_column(String(8), default="open", doc="open, resolved or ignored")
    state_at: Mapped[datetime | None] = mapped_column(doc="When somebody resolved, ignored or opened it last")
    state_by: Mapped[str | None] = mapped_column(String(255))
    reopened_at: Mapped[datetime | None] = mapped_column(doc="When it came back by itself")
    reopened_why: Mapped[str | None] = mapped_column(String(200))
    ignore_until: Mapped[datetime | None]
    ignore_left: Mapped[int | None] = mapped_column(BigInteger, doc="How many more are ignored")
    ignore_rate: Mapped[int | None] = mapped_column(BigInteger, doc="Up to how many in a clock hour are ignored")
    assignee: Mapped[str | None] = mapped_column(String(255))
    note: Mapped[str | None] = mapped_column(Text)
    runbook: Mapped[str | None] = mapped_column(String(2000), doc="http or https")
    ver: Mapped[int] = mapped_column(BigInteger, default=0)


class FailureTally(Base):
    """How many failures of a group ended in one hour; in the hour `groups.EVER`, how many ever did."""

    __tablename__ = "failure_tally"
    __table_args__ = (Index("ix_failure_tally_hour", "hour_at"),)

    fingerprint: Mapped[str] = mapped_column(String(16), primary_key=True)
    hour_at: Mapped[datetime] = mapped_column(primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class UnsentBatch(Base):
    """New jobs that are committed and perhaps not published yet; deleted when they are.

    That each of many jobs would have to be changed once more to say so would take as long as making them.
    """

    __tablename__ = "unsent_batch"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    due_at: Mapped[datetime] = mapped_column(doc="When beat has to publish them")
    job_ids: Mapped[str] = mapped_column(Text, doc="JSON list")


class StreamCheckpoint(Base):
    """Up to where a stream is stored. Moved by compare-and-set in the transaction that stores the events."""

    __tablename__ = "stream_checkpoint"

    stream: Mapped[str] = mapped_column(String(64), primary_key=True)
    last_id: Mapped[str] = mapped_column(String(64), default="0-0")
    moved_at: Mapped[datetime | None]


class SavedSearch(Base):
    """A search that somebody keeps under a name: for themselves, or for all who may see jobs."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("owner", "name"), Index("ix_saved_search_shared", "shared", "name"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(255), doc="As the audit log names them: ada@example.com, token:ci")
    name: Mapped[str] = mapped_column(String(80))
    q: Mapped[str] = mapped_column(Text, doc="As it was typed: 2h stays two hours before whenever it is used")
    shared: Mapped[bool] = mapped_column(Boolean)
    changed_at: Mapped[datetime]


class ChosenColumns(Base):
    """Which columns of the list of jobs a person wants to see."""

    __tablename__ = "chosen_columns"

    owner: Mapped[str] = mapped_column(String(255), primary_key=True)
    names: Mapped[str] = mapped_column(Text, doc="Comma-separated, in their order")


def _flushed(name: str, of: type[Base]) -> Table:
    """The table to which rows of another one move, with all their columns, when they are flushed by an action."""
    return Table(
        name,
        Base.metadata,
        Column("flush_id", String(36), primary_key=True, doc="The bulk action"),
        Column("kept_until", Instant(), nullable=False, doc="Then upkeep deletes it"),
        *(
            Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable)
            for column in of.__table__.columns
        ),
        Index(f"ix_{name}_kept_until", "kept_until"),
    )


flushed_job = _flushed("flushed_job", JobStatus)
flushed_attempt = _flushed("flushed_attempt", JobAttempt)
flushed_log = _flushed("flushed_log", JobLog)


def columns() -> list[Any]:
    """The columns of `job_status` in table order."""
    return list(JobStatus.__table__.columns)
