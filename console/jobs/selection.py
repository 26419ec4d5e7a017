"""One thing done to each of some jobs that a person picked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from console.audit.service import Actor
from console.errors import Conflict, NotFound

Verb = Callable[[Session, Actor, str], Any]
"""`retry_job`, `cancel_job`: refuses before it changes anything."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many were done, and why the first of the others was not."""

    done: int
    refused: int
    why: str


def do_to_each(session: Session, verb: Verb, actor: Actor, job_ids: Sequence[str]) -> Outcome:
    """Does it to each job for which it is possible; the others are let be. The caller commits."""
    refusals: list[str] = []
    for job_id in job_ids:
        try:
            verb(session, actor, job_id)
        except (Conflict, NotFound) as error:
            refusals.append(error.detail)
    return Outcome(len(job_ids) - len(refusals), len(refusals), refusals[0] if refusals else "")
