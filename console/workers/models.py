"""Signs of life: workers as their heartbeats describe them, and minutes in which somebody recorded."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class Worker(Base):
    """A worker's main process. Gone when it said so (`stopped_at`) or was silent for 30 s."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(String(255), primary_key=True, doc="Celery's node name")
    boot_id: Mapped[str] = mapped_column(String(36), doc="New at every start")
    pid: Mapped[int] = mapped_column(Integer)
    concurrency: Mapped[int] = mapped_column(Integer)
    queues: Mapped[str] = mapped_column(Text, doc="JSON list of queue names")
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
    source: Mapped[str | None] = mapped_column(String(64), doc="The observed application; null: a tracked one")
    dropped: Mapped[int] = mapped_column(
        BigInteger, default=0, server_default="0", doc="Events that it could not keep since it started"
    )
    spooled_bytes: Mapped[int] = mapped_column(
        BigInteger, default=0, server_default="0", doc="Events on its disk that are not shipped yet"
    )


class ObservedMinute(Base):
    """A minute in which a recorder was at work; one without a row, and without events, is drawn as a gap."""

    __tablename__ = "observed_minute"

    minute_at: Mapped[datetime] = mapped_column(primary_key=True, autoincrement=False)
