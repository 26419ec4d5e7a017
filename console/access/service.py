"""People and tokens: make them, check who somebody is, take them away again."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from console import clock, ids
from console.access import queries
from console.access.models import ApiToken, User
from console.access.rules import DEMO_PEOPLE, FIRST_ADMIN, GRANTS, Permission, Role
from console.audit.service import SYSTEM, Actor, record
from console.errors import Conflict, InvalidInput, NotFound

TOKEN_PREFIX = "cel_"  # noqa: S105 - how a token begins, so that scanners of leaked secrets recognise it
PASSWORD_LEAST, PASSWORD_MOST = 10, 256
USED_EVERY = timedelta(minutes=1)
"""How exactly `used_at` of a token is kept: not every request writes."""

_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else
_hasher = PasswordHasher()


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """Who a token stands for and what it opens: what its role has, within its scopes."""

    token_id: str
    actor: Actor
    grants: frozenset[str]
    is_noted: bool
    """Whether `used_at` says that it was used within the last minute; if not, `note_use` has something to do."""


def ensure_admin(session: Session) -> str | None:
    """Makes admin@localhost with a random password and returns that; None when somebody can sign in already."""
    if queries.has_people(session):
        return None
    return _add_with_random_password(session, FIRST_ADMIN, Role.ADMIN)


def ensure_demo_people(session: Session) -> dict[str, str]:
    """Makes those of the demo who are not there yet; the address and the random password of each."""
    missing = {email: role for email, role in DEMO_PEOPLE.items() if queries.person_by_email(session, email) is None}
    return {email: _add_with_random_password(session, email, role) for email, role in missing.items()}


def create_user(session: Session, actor: Actor, email: str, role: str, password: str) -> str:
    """Adds a person and returns the id. Raises `InvalidInput` naming each field, `Conflict` for a known address."""
    email = email.strip().lower()
    problems = [*_email_problems(email), *_role_problems(role), *_password_problems(password)]
    if problems:
        raise InvalidInput(" ".join(problem["message"] for problem in problems), problems)
    if queries.person_by_email(session, email) is not None:
        raise Conflict(f"{email} is there already.")
    user = _new_user(email, Role(role), password)
    session.add(user)
    record(session, actor, "users.create", "user", email, role=role)
    return user.id


def set_password(session: Session, actor: Actor, email: str, password: str) -> None:
    """Gives a person a new password and signs them out everywhere. Raises `NotFound` or `InvalidInput`."""
    user = _person(session, email)
    if problems := _password_problems(password):
        raise InvalidInput(problems[0]["message"], problems)
    user.password_hash = _hasher.hash(password)
    user.password_is_initial = False
    user.session_key = ids.new_id()
    record(session, actor, "users.password", "user", user.email)


def change_password(session: Session, actor: Actor, email: str, present: str, new: str) -> None:
    """`set_password` by the person, who has to know the present one. Raises `InvalidInput` naming the field."""
    if not _matches(_person(session, email).password_hash, present):
        said = "That is not your present password."
        raise InvalidInput(said, [{"field": "current_password", "message": said}])
    set_password(session, actor, email, new)


def set_role(session: Session, actor: Actor, email: str, role: str) -> None:
    """Gives a person another role, at once. Raises `NotFound`, `InvalidInput`, or `Conflict` for the last admin."""
    user = _person(session, email)
    if problems := _role_problems(role):
        raise InvalidInput(problems[0]["message"], problems)
    if role != Role.ADMIN:
        _keep_an_admin(session, user)
    record(session, actor, "users.role", "user", user.email, before=user.role, role=role)
    user.role = role


def set_active(session: Session, actor: Actor, email: str, active: bool) -> None:
    """Lets a person sign in, or not any more, and signs them out. Raises `NotFound`, `Conflict` for the last admin."""
    user = _person(session, email)
    if not active:
        _keep_an_admin(session, user)
    user.active = active
    user.session_key = ids.new_id()
    record(session, actor, "users.enable" if active else "users.disable", "user", user.email)


def authenticate(session: Session, email: str, password: str) -> User | None:
    """The person of that address and password, if active; it takes as long for an address that is not there."""
    user = queries.person_by_email(session, email)
    good = _matches(user.password_hash if user else _nobodys_hash(), password)
    if user is None or not good or not user.active:
        return None
    if _hasher.check_needs_rehash(user.password_hash):
        user.password_hash = _hasher.hash(password)
    user.signed_in_at = clock.now()
    record(session, Actor(user.email, user.role), "users.sign_in", "user", user.email)
    return user


def create_token(
    session: Session, actor: Actor, name: str, role: str, scopes: Collection[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Makes an API token and returns it; it cannot be had again. `scopes`: permissions, None for all of the role.

    Raises `InvalidInput` naming what does not fit, `Conflict` when the name is taken.
    """
    wanted = {str(scope) for scope in scopes} if scopes is not None else None
    problems = [*_name_problems(name), *_role_problems(role), *_scope_problems(role, wanted)]
    if expires_at is not None and expires_at <= clock.now():
        problems.append({"field": "expires_at", "message": "Must lie ahead."})
    if problems:
        raise InvalidInput(" ".join(problem["message"] for problem in problems), problems)
    if queries.token_by_name(session, name) is not None:
        raise Conflict(f"There is a token {name!r} already. Revoked ones keep their name too.")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            id=ids.new_id(), name=name, token_hash=_digest(token), role=role, created_by=actor.name[:255],
            scopes=json.dumps(sorted(GRANTS[Role(role)] if wanted is None else wanted)),
            created_at=clock.now(), used_at=None, expires_at=expires_at, revoked_at=None,
        )
    )
    record(session, actor, "tokens.create", "token", name, role=role)
    return token


def revoke_token(session: Session, actor: Actor, name: str) -> None:
    """Ends a token. Raises `NotFound`; a second time changes nothing."""
    token = queries.token_by_name(session, name)
    if token is None:
        raise NotFound(f"There is no token {name!r}.")
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        record(session, actor, "tokens.revoke", "token", name)


def actor_for_token(session: Session, token: str, address: str | None = None) -> TokenHolder | None:
    """Who the token stands for; None when it is unknown, revoked or expired. Only reads."""
    row = queries.token_by_hash(session, _digest(token))
    now = clock.now()
    if row is None or not queries.is_usable(row, now) or row.role not in GRANTS:
        return None
    scopes = frozenset(json.loads(row.scopes))
    return TokenHolder(
        row.id,
        Actor(f"token:{row.name}", row.role, address),
        frozenset(str(permission) for permission in GRANTS[Role(row.role)] if permission in scopes),
        row.used_at is not None and now - row.used_at <= USED_EVERY,
    )


def note_use(session: Session, token_id: str) -> None:
    """Keeps when the token was used last."""
    session.execute(update(ApiToken).where(ApiToken.id == token_id).values(used_at=clock.now()))


def _add_with_random_password(session: Session, email: str, role: Role) -> str:
    password = "-".join("".join(secrets.choice(_READABLE) for _ in range(5)) for _ in range(4))
    user = _new_user(email, role, password)
    user.password_is_initial = True
    session.add(user)
    record(session, SYSTEM, "users.create", "user", email, role=role)
    return password


def _new_user(email: str, role: Role, password: str) -> User:
    return User(
        id=ids.new_id(), email=email, role=str(role), password_hash=_hasher.hash(password), password_is_initial=False,
        session_key=ids.new_id(), active=True, created_at=clock.now(), signed_in_at=None,
    )


def _person(session: Session, email: str) -> User:
    user = queries.person_by_email(session, email)
    if user is None:
        raise NotFound(f"Nobody has the address {email!r}.")
    return user


def _keep_an_admin(session: Session, user: User) -> None:
    """Somebody has to be able to look after the others. The rows are locked, so that two cannot go at once."""
    admins = select(User.id).where(User.role == Role.ADMIN, User.active.is_(True)).order_by(User.id).with_for_update()
    if set(session.scalars(admins)) == {user.id}:
        raise Conflict(f"{user.email} is the only admin who can sign in. Make another one first.")


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _hasher.verify(password_hash, password[: PASSWORD_MOST * 4])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return _hasher.hash(secrets.token_urlsafe())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _email_problems(email: str) -> list[dict[str, str]]:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        if not email.endswith("@localhost") or email.count("@") != 1 or len(email) > 254:
            return [{"field": "email", "message": f"{email!r} is no email address."}]
    return []


def _role_problems(role: str) -> list[dict[str, str]]:
    if role in GRANTS:
        return []
    return [{"field": "role", "message": f"There is no role {role!r}. Roles are {', '.join(Role)}."}]


def _password_problems(password: str) -> list[dict[str, str]]:
    if PASSWORD_LEAST <= len(password) <= PASSWORD_MOST:
        return []
    return [{"field": "password", "message": f"A password has {PASSWORD_LEAST} to {PASSWORD_MOST} characters."}]


def _name_problems(name: str) -> list[dict[str, str]]:
    if 1 <= len(name) <= 100 and name.isprintable():
        return []
    return [{"field": "name", "message": "A token needs a name of 1 to 100 printable characters."}]


def _scope_problems(role: str, scopes: set[str] | None) -> list[dict[str, str]]:
    allowed = set(map(str, GRANTS[Role(role)] if role in GRANTS else Permission))
    beyond = sorted((scopes or set()) - allowed)
    if not beyond:
        return []
    return [
        {"field": "scopes", "message": f"{role} has no permission {beyond[0]!r}. It has {', '.join(sorted(allowed))}."}
    ]
