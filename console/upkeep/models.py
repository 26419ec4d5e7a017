"""When Celeriac's own upkeep is due."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class Upkeep(Base):
    """Not used any more: beats of the version before, still running while others are new, need it to be there."""

    __tablename__ = "upkeep"

    name: Mapped[str] = mapped_column(String(255), primary_key=True, doc="Job type")
    next_at: Mapped[datetime]
