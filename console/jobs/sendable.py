"""Whether a job's message can be sent again, and whether its workers can be told anything. Pure."""

from __future__ import annotations

import json

from console.tracking.messages import ELSEWHERE

_WHY_NOT = {
    "elsewhere": "Its application's messages go over a broker of their own, which the console cannot send to. "
    "Run it again from the application.",
    "too_large": "Its message is too large to have been kept. Run it again from the application.",
}


def why_not(message: str | None) -> str | None:
    """Why a stored job's message cannot be sent again, for people; None: it can, if its payload was kept."""
    if message is None or "why_not" not in message:
        return None
    return _WHY_NOT.get(str(json.loads(message).get("why_not")))


def why_not_ours(source: str | None, message: str | None) -> str | None:
    """Why nothing can be done with a job that another broker carries, for people; None: ours carries it.

    `models.FOREIGN` says the same in SQL.
    """
    if source is not None:
        return (
            f"This job belongs to the observed application {source}, which the console only listens to. "
            "Retry or cancel it from there."
        )
    if message == ELSEWHERE:
        return (
            "This job's application has a broker of its own, which the console cannot send to. "
            "Retry or cancel it from the application."
        )
    return None
