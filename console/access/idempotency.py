"""`Idempotency-Key`: a request that comes again with the same key gets the first answer, and is done once.

The key is claimed, and the answer kept, in the transaction that does the work. So either both are there or
neither is; and a duplicate that comes while the first one runs waits for it (at the key on PostgreSQL, for the
write lock on SQLite). Work that takes several transactions keeps with the key how far it came.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Boolean, Index, SmallInteger, String, Text, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from console import clock
from console.db import Base
from console.errors import InvalidInput

KEPT_FOR = timedelta(hours=24)
MAX_LENGTH = 255
FORGET_BATCH = 50


class IdempotencyKey(Base):
    """A key that a person or a token has used, with what was asked and what was answered."""

    __tablename__ = "idempotency_key"
    __table_args__ = (Index("ix_idempotency_key_created_at", "created_at"),)

    owner: Mapped[str] = mapped_column(String(255), primary_key=True, doc="The actor: keys of two actors never meet")
    key: Mapped[str] = mapped_column(String(MAX_LENGTH), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64), doc="SHA-256 of method, path and body")
    created_at: Mapped[datetime]
    complete: Mapped[bool] = mapped_column(Boolean, default=False, doc="The answer is the final one")
    status: Mapped[int] = mapped_column(SmallInteger, default=0, doc="HTTP status of the answer")
    answer: Mapped[str] = mapped_column(Text, default="", doc="JSON body of the answer, or how far the work came")

    def finish(self, status: int, answer: str) -> None:
        """Keeps the answer that every repetition gets."""
        self.complete, self.status, self.answer = True, status, answer


def claim(session: Session, owner: str, key: str, request_hash: str) -> IdempotencyKey:
    """The key's row, locked until the transaction ends: a new one, or that of an earlier request like this one.

    Raises `InvalidInput` when the key was used for a different request within the last 24 hours.
    """
    now = clock.now()
    _forget_old(session, owner, key, now - KEPT_FOR)
    insert = pg_insert if session.get_bind().dialect.name == "postgresql" else sqlite_insert
    session.execute(
        insert(IdempotencyKey)
        .values(
            owner=owner[:255], key=key, request_hash=request_hash, created_at=now, complete=False, status=0, answer=""
        )
        .on_conflict_do_nothing()
    )
    row = session.get_one(IdempotencyKey, (owner[:255], key), with_for_update=True, populate_existing=True)
    if row.request_hash != request_hash:
        raise InvalidInput(
            "This Idempotency-Key was used for another request. Use a new key for every new request.",
            [{"field": "Idempotency-Key", "message": "Was used for another request within the last 24 hours."}],
        )
    return row


def _forget_old(session: Session, owner: str, key: str, before: datetime) -> None:
    """Deletes this key if it is too old, and some others that are; rows that somebody else has locked are let be."""
    identity = tuple_(IdempotencyKey.owner, IdempotencyKey.key)
    old = select(IdempotencyKey.owner, IdempotencyKey.key).where(IdempotencyKey.created_at < before)
    oldest = old.order_by(IdempotencyKey.created_at).limit(FORGET_BATCH).with_for_update(skip_locked=True)
    gone = [tuple(row) for row in session.execute(oldest)]
    if gone:
        session.execute(delete(IdempotencyKey).where(identity.in_(gone)))
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.owner == owner[:255], IdempotencyKey.key == key, IdempotencyKey.created_at < before
        )
    )
