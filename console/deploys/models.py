"""When which version went live: marks on charts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class Deploy(Base):
    """A version that went live."""

    __tablename__ = "deploy"
    __table_args__ = (Index("ix_deploy_at", "at"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    version: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime]
    note: Mapped[str | None] = mapped_column(String(500))
    added_by: Mapped[str] = mapped_column(String(255))
