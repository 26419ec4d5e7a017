"""Who did what to what, and when."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class AuditEntry(Base):
    """One action of a person, a token or the command line. Rows are only ever added.

    One thing done to very many jobs goes on for several transactions; its entry counts those that are done.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_newest", text("at DESC"), text("id DESC")),
        Index("ix_audit_entry_target", "target_kind", "target_id", text("at DESC")),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(255), doc="ada@example.com, token:ci, cli:root")
    action: Mapped[str] = mapped_column(String(64), doc="jobs.retry, users.create, …")
    target_kind: Mapped[str] = mapped_column(String(32))
    target_id: Mapped[str] = mapped_column(String(255))
    detail: Mapped[str] = mapped_column(Text, default="{}", doc="JSON")
    address: Mapped[str | None] = mapped_column(String(64), doc="IP address, when it came over HTTP")


class AuditTarget(Base):
    """One of the many things that one action was done to. What a single action was done to stands in its entry."""

    __tablename__ = "audit_target"

    target_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    entry_id: Mapped[str] = mapped_column(String(36), primary_key=True)
