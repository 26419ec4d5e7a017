"""Where the observation of other applications is known to be incomplete."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class ObservedGap(Base):
    """A stretch of time in which events of an observed source were missed."""

    __tablename__ = "observed_gap"
    __table_args__ = (Index("ix_observed_gap_to_at", "to_at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    worker: Mapped[str] = mapped_column(String(255), default="", doc="Empty: it concerns the whole source")
    from_at: Mapped[datetime]
    to_at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(16), doc="One of rules.REASONS")
    missed: Mapped[int | None] = mapped_column(Integer, doc="Jobs whose start or end was not seen; null: not known")
