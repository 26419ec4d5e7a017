"""A worker that starts knows every job that was cancelled before, however many they are and however long ago."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
import redis
from celery.utils.collections import LimitedSet
from celery.worker import state

from console import clock, ids
from console.broker.valkey import REVOKED_KEY

MORE_THAN_CELERY_KEEPS = 60_000


@pytest.fixture
def remembered(monkeypatch: pytest.MonkeyPatch) -> LimitedSet:
    monkeypatch.setattr(state, "revoked", LimitedSet(maxlen=state.REVOKES_MAX, expires=state.REVOKE_EXPIRES))
    return state.revoked


def test_none_of_them_runs(broker: redis.Redis, remembered: LimitedSet) -> None:
    from tasks.consumer import CancelledJobs

    cancelled = [ids.new_id() for _ in range(MORE_THAN_CELERY_KEEPS)]
    broker.zadd(REVOKED_KEY, dict.fromkeys(cancelled, clock.now_ms() / 1000))
    CancelledJobs(SimpleNamespace()).start(None)
    assert all(job_id in remembered for job_id in cancelled)
    later = remembered._data[cancelled[0]][0] + timedelta(days=6).total_seconds()
    remembered.purge(now=later)
    assert cancelled[0] in remembered
