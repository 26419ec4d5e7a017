"""The request-scoped database session of the web process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from console.config import settings
from console.db import begin_write, configure_engine, engine_options

_db = SQLAlchemy(session_options={"expire_on_commit": False})


def init_app(app: Flask) -> None:
    """Binds the session to the application and its engine to our SQLite rules."""
    url = settings().database
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    _db.init_app(app)
    with app.app_context():
        configure_engine(_db.engine)


@contextmanager
def transaction() -> Iterator[Session]:
    """This request's session in a transaction that writes; it commits at the end of the block, or rolls back."""
    used = begin_write(session())
    try:
        yield used
        used.commit()
    except BaseException:
        used.rollback()
        raise


def session() -> Session:
    """The session of this request; removed, and rolled back if not committed, when the request ends."""
    return cast(Session, _db.session())


def engine() -> Engine:
    """The engine behind `session`."""
    return _db.engine
