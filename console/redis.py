"""Connections to the Valkey or Redis server that carries events, live notices and, by default, the queues."""

from __future__ import annotations

from functools import cache

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from console.config import settings

QUICK_CONNECT_S = 0.25
QUICK_ANSWER_S = 0.5


@cache
def client() -> redis.Redis:
    """A pooled client, bytes in and out. Commands retry for about three seconds when the server restarts."""
    return redis.Redis.from_url(
        settings().broker,
        socket_connect_timeout=5,
        socket_keepalive=True,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=1, base=0.05), 6),
        retry_on_error=[redis.ConnectionError, redis.TimeoutError],
    )


@cache
def quick_client() -> redis.Redis:
    """For reads that somebody waits for, on a page or a probe: it answers soon, or raises; nothing is tried twice."""
    return redis.Redis.from_url(
        settings().broker,
        socket_connect_timeout=QUICK_CONNECT_S,
        socket_timeout=QUICK_ANSWER_S,
        retry=Retry(NoBackoff(), 0),
    )


def reset() -> None:
    """Forgets the clients, after a fork or when the settings changed."""
    client.cache_clear()
    quick_client.cache_clear()
