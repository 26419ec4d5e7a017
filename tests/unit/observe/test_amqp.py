"""Reading events from a queue, as on RabbitMQ; kombu's in-memory transport stands for the server."""

from __future__ import annotations

import threading

from celery import Celery

from console.broker.observed_amqp import AmqpEvents
from console.observe import envelope, journal


def test_events_are_written_down_and_acknowledged() -> None:
    app = Celery("foreign", broker="memory://", set_as_current=False)
    stopping, up, written = threading.Event(), threading.Event(), bytearray()
    source = AmqpEvents("memory://", "celeriac.observe.test", envelope.framed)
    thread = threading.Thread(target=source.drain, args=(written.extend, lambda _kept: up.set(), stopping))
    thread.start()
    try:
        assert up.wait(10)
        with app.connection_for_write() as connection:
            dispatcher = app.events.Dispatcher(connection, hostname="w@host")
            for number in range(3):
                dispatcher.send("task-started", uuid=f"job-{number}")
        for _ in range(100):
            if written.count(b"celeryev") == 3:
                break
            stopping.wait(0.1)
    finally:
        stopping.set()
        thread.join(10)
        app.close()
    messages, used = journal.split(bytes(written))
    assert used == len(written)
    events = [event for message in messages for event in envelope.events_of(message)]
    assert [(event["type"], event["uuid"], event["hostname"]) for event in events] == [
        ("task-started", f"job-{number}", "w@host") for number in range(3)
    ]
