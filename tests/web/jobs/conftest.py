"""Pages of jobs run once on each kind of database: their queries differ where it matters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from flask import Flask
from sqlalchemy import Engine

from tests.serving import serving


@pytest.fixture
def app(database: Engine, broker: redis.Redis) -> Iterator[Flask]:
    """The application on an empty database."""
    with serving() as made:
        yield made
