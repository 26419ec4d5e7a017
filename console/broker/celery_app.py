"""A Celery application configured as Celeriac needs it; `tasks/` registers its job types on one."""

from __future__ import annotations

from typing import Any

from celery import Celery

from console.config import settings

HOLD_S = 20
"""Seconds after which a job that a silent worker took is delivered again."""
UNACKED_KEY = "celeriac:unacked"


def make_app(name: str) -> Celery:
    """A Celery application on the broker in force, not made the current one."""
    app = Celery(name, set_as_current=False)
    app.conf.update(configuration(settings().broker))
    return app


def configuration(broker_url: str) -> dict[str, Any]:
    """Celery's settings, each with its reason."""
    return {
        "broker_url": broker_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            # A killed worker's jobs come back after this; a living one renews its hold (`tasks.consumer.Holds`).
            "visibility_timeout": HOLD_S,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            # Keys of our own: other applications' workers on this server keep their hold for an hour.
            "unacked_key": UNACKED_KEY,
            "unacked_index_key": "celeriac:unacked_index",
            "unacked_mutex_key": "celeriac:unacked_mutex",
            "socket_keepalive": True,
        },
        "task_default_queue": "default",
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        # A job is acknowledged when it has ended; one whose process died is delivered again.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_send_task_events": False,
        "worker_hijack_root_logger": False,
        "task_send_sent_event": False,
        "event_queue_prefix": "celeriacev",
        "timezone": "UTC",
        "enable_utc": True,
    }
