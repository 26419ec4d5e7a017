"""People and API tokens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Boolean, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from console.db import Base


class User(Base):
    """A person who can sign in."""

    __tablename__ = "user"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True, doc="In lower case")
    role: Mapped[str] = mapped_column(String(16), doc="admin, support or user")
    password_hash: Mapped[str] = mapped_column(String(255), doc="argon2id")
    password_is_initial: Mapped[bool] = mapped_column(Boolean, default=False, doc="Made by `up`; to be replaced")
    session_key: Mapped[str] = mapped_column(String(36), doc="In the session cookie; a new one signs out everywhere")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]


class ApiToken(Base):
    """A bearer token for the API. Only its SHA-256 is kept: the token itself has 256 random bits."""

    __tablename__ = "api_token"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[str] = mapped_column(Text, doc="JSON list of permissions; never more than the role's")
    created_by: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
