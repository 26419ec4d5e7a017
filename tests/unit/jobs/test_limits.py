"""The limits of a queue, by environment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console.config import settings
from console.errors import NotConfigured
from console.jobs.registry import queue_limits


def test_the_defaults_are_those_of_the_product() -> None:
    assert [queue_limits(queue).retry_after_s for queue in ("emails", "heavy", "default")] == [120, 600, 90]


def test_a_promise_that_could_not_be_kept_is_refused(setting: Callable[[str, str], None]) -> None:
    setting("QUEUE_EMAILS_RETRY_AFTER", "30")
    assert queue_limits("emails").retry_after_s == 30
    setting("QUEUE_EMAILS_RETRY_AFTER", "29")
    with pytest.raises(NotConfigured, match="at least 30"):
        queue_limits("emails")
    setting("QUEUE_RETRY_AFTER", "10")
    with pytest.raises(NotConfigured, match="QUEUE_RETRY_AFTER"):
        settings()


@pytest.mark.parametrize("rate", ["600", "many", "0/minute", "5/fortnight", "5 per minute"])
def test_a_rate_that_says_nothing_is_refused(setting: Callable[[str, str], None], rate: str) -> None:
    setting("CELERIAC_API_RATE", rate)
    with pytest.raises(NotConfigured, match="CELERIAC_API_RATE"):
        settings()
