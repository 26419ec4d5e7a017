"""Workers as their heartbeats describe them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class Worker(Base):
    """A worker's main process. Gone when it said so (`stopped_at`) or was silent for 60 s."""

    __tablename__ = "worker"

    name: Mapped[str] = mapped_column(String(255), primary_key=True, doc="Celery's node name")
    boot_id: Mapped[str] = mapped_column(String(36), doc="New at every start")
    pid: Mapped[int] = mapped_column(Integer)
    concurrency: Mapped[int] = mapped_column(Integer)
    queues: Mapped[str] = mapped_column(Text, doc="JSON list of queue names")
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    stopped_at: Mapped[datetime | None]
