"""A worker outlives what kombu makes of a connection that it lost while it held jobs."""

from __future__ import annotations

import socket
import warnings
from contextlib import suppress
from typing import Any

import pytest
import redis
from celery.exceptions import CPendingDeprecationWarning
from kombu import Connection, Consumer, Queue

from console.config import settings


@pytest.fixture
def lost(broker: redis.Redis) -> Connection:
    """A connection that broke while two of its channels waited for messages and one of them held one."""
    connection = Connection(settings().broker)
    channels: list[Any] = [connection.channel(), connection.default_channel]
    for channel in channels:
        Consumer(channel, [Queue("held")], callbacks=[lambda *_: None]).consume()
    with suppress(socket.timeout):
        connection.drain_events(timeout=0.2)
    connection.Producer(connection.channel()).publish({}, routing_key="other", exchange="")
    held = Queue("other")(channels[1])
    held.declare()
    assert held.get(no_ack=False) is not None
    for channel in channels:
        channel._in_poll._sock.shutdown(socket.SHUT_RDWR)
    return connection


def test_the_worker_goes_on(lost: Connection, caplog: pytest.LogCaptureFixture) -> None:
    from tasks import app
    from tasks.consumer import JobConsumer

    consumer = object.__new__(JobConsumer)
    consumer.app, consumer.connection = app, lost
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CPendingDeprecationWarning)
        consumer.on_connection_error_after_connected(ConnectionError("reset by peer"))
    assert consumer.connection is None
    assert "could not be closed" in caplog.text
