"""Pages of failures, once on each kind of database, and failures that were recorded as they are in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from flask import Flask
from sqlalchemy import Engine

from tests.factories.failures import record_failures
from tests.serving import serving


@pytest.fixture
def app(database: Engine, broker: redis.Redis) -> Iterator[Flask]:
    """The application on an empty database."""
    with serving() as made:
        yield made


@pytest.fixture
def fail(app: Flask) -> Callable[..., str]:
    """Records failures and gives the fingerprint of their group."""

    def record(count: int = 1, **more: Any) -> str:
        return record_failures(count, **more)

    return record
