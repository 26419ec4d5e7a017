"""The web application of the tests. Making one takes longer than most tests, so it is kept; each test's database is put under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask
from sqlalchemy import create_engine

from console.app import create_app
from console.config import settings
from console.db import configure_engine, engine_options
from console.web import database
from console.web.limits import limiter

OF_A_TEST = {"data", "database_url"}
"""Settings that differ in every test, and that the kept application does not read when it is made."""

_kept: dict[str, tuple[Flask, object]] = {}
"""With each, the storage of the limits: those are one object in a process, and belong to the application made last."""


@contextmanager
def serving(*, anew: bool = False) -> Iterator[Flask]:
    """The application on the settings in force. `anew`: one of its own, for a test that changes it."""
    app = _make() if anew else _kept_one()
    app.secret_key = settings().secret()
    with app.app_context():
        url = settings().database
        engine = create_engine(url, **engine_options(url))
        configure_engine(engine)
        database._db.engines[None] = engine
    yield app
    engine.dispose()


def _make() -> Flask:
    return create_app(lambda app: app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False))


def _kept_one() -> Flask:
    key = settings().model_dump_json(exclude=OF_A_TEST) + settings().broker_url.get_secret_value()
    app, storage = _kept.get(key, (None, None))
    if app is None or storage is not limiter.storage or limiter._storage_dead:
        app = _make()
        _kept[key] = app, limiter.storage
    return app
