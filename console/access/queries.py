"""Reads of people and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from console import clock
from console.access.models import ApiToken, User
from console.access.rules import GRANTS, Permission


@dataclass(frozen=True, slots=True)
class Person:
    """A person who can sign in, without the secrets."""

    id: str
    email: str
    role: str
    active: bool
    password_is_initial: bool
    created_at: datetime
    signed_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class TokenView:
    """An API token, without the secret. `usable`: neither revoked nor expired."""

    name: str
    role: str
    created_by: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    usable: bool


def has_people(session: Session) -> bool:
    """Whether anybody can sign in at all."""
    return bool(session.scalar(select(exists().select_from(User))))


def person_by_email(session: Session, email: str) -> User | None:
    """The row of that address, any case."""
    return session.scalar(select(User).where(User.email == email.strip().lower()))


def person_by_id(session: Session, user_id: str) -> User | None:
    """The row of that id."""
    return session.get(User, user_id)


def token_by_hash(session: Session, token_hash: str) -> ApiToken | None:
    """The row of the token whose SHA-256 that is."""
    return session.scalar(select(ApiToken).where(ApiToken.token_hash == token_hash))


def token_by_name(session: Session, name: str) -> ApiToken | None:
    """The row of the token of that name."""
    return session.scalar(select(ApiToken).where(ApiToken.name == name))


def list_people(session: Session) -> list[Person]:
    """Everybody, by address; at most 1,000."""
    rows = session.scalars(select(User).order_by(User.email).limit(1_000))
    return [Person(**{name: getattr(row, name) for name in Person.__slots__}) for row in rows]


def staff(session: Session) -> list[str]:
    """The addresses of those who can sign in and look after failures, sorted; at most 1,000."""
    roles = [str(role) for role, grants in GRANTS.items() if Permission.FAILURES_READ in grants]
    query = select(User.email).where(User.active.is_(True), User.role.in_(roles)).order_by(User.email)
    return list(session.scalars(query.limit(1_000)))


def list_tokens(session: Session) -> list[TokenView]:
    """Every token, by name; at most 1,000."""
    return [
        TokenView(
            name=row.name, role=row.role, created_by=row.created_by, created_at=row.created_at, used_at=row.used_at,
            expires_at=row.expires_at, revoked_at=row.revoked_at, usable=is_usable(row, clock.now()),
        )
        for row in session.scalars(select(ApiToken).order_by(ApiToken.name).limit(1_000))
    ]


def is_usable(token: ApiToken, now: datetime) -> bool:
    """Whether the token still opens anything."""
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > now)
