"""Whether this process lives, and whether what it needs is there."""

from __future__ import annotations

from collections.abc import Callable

import redis
from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from console import redis as valkey
from console import schema
from console.errors import CeleriacError
from console.web import database
from console.web.permissions import public

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def process() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@blueprint.get("/readyz")
@public
def ready() -> tuple[dict[str, object], int]:
    """Database, broker and schema, each "ok" or what is wrong; 503 unless all are ok."""
    checks = {name: _said(check) for name, check in CHECKS.items()}
    good = set(checks.values()) == {"ok"}
    return {"status": "ok" if good else "unavailable", "checks": checks}, 200 if good else 503


def _said(check: Callable[[], str]) -> str:
    """The check's words. What raised is not passed on: the address is open to anyone."""
    try:
        return check()
    except (SQLAlchemyError, redis.RedisError, CeleriacError):
        return "does not answer"


def _database() -> str:
    database.session().execute(text("SELECT 1"))
    return "ok"


def _broker() -> str:
    valkey.quick_client().ping()
    return "ok"


def _schema() -> str:
    return "ok" if schema.is_current(database.engine()) else "is of another version; run `celeriac migrate`"


CHECKS: dict[str, Callable[[], str]] = {"database": _database, "broker": _broker, "schema": _schema}
