"""What the API does once, however often a request with the same `Idempotency-Key` comes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sqlalchemy.orm import Session

from console.access.idempotency import IdempotencyKey, claim
from console.web import database
from console.web.permissions import current_actor
from console.web.rest import Answer, Input, Output, idempotency_key, request_hash


def once(body: Input | None, work: Callable[[Session], tuple[int, Output]]) -> Answer:
    """Does the work, unless a request with the same Idempotency-Key did: then its answer is given again."""
    claimed = claim_of(body)
    with database.transaction() as session:
        row = claimed(session) if claimed else None
        if row is not None and row.complete:
            return Answer(row.status, row.answer, {"Idempotency-Replayed": "true"})
        status, made = work(session)
        answer = made.model_dump_json()
        if row is not None:
            row.finish(status, answer)
    return Answer(status, answer)


def claim_of(body: Input | None) -> Callable[[Session], IdempotencyKey] | None:
    """What claims the request's Idempotency-Key; None when it has none."""
    key = idempotency_key()
    if key is None:
        return None
    return partial(claim, owner=current_actor().name, key=key, request_hash=request_hash(body))
