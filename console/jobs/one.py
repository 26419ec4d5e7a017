"""One job as somebody may see it, and whoever sees what is sensitive is written down."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from console.audit.service import Actor, record
from console.jobs import queries
from console.jobs.masking import Mask, mask_of
from console.jobs.queries import JobDetail
from console.jobs.redaction import Path, redacted, redacted_text, rules_of
from console.jobs.tree import written

MAX_PATHS = 200
INDENTED = 500_000
"""Characters up to which JSON is indented."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`job` without the values at `hidden`, written `kwargs.user.password`; at most `MAX_PATHS` are named.

    Nor are they in what it says: its errors, its tracebacks and its notes.
    """

    job: JobDetail
    hidden: list[str]


def see(session: Session, job_id: str) -> Seen:
    """The job without what is sensitive. Raises `NotFound`."""
    return without_secrets(queries.get_job(session, job_id))


def disclose(session: Session, actor: Actor, job_id: str, *, for_page: bool = False) -> JobDetail:
    """The whole job, which is written into the audit log. The caller has checked that the actor may. `NotFound`."""
    job = queries.get_job(session, job_id, for_page=for_page)
    record(session, actor, "jobs.disclose", "job", job_id)
    return job


def without_secrets(job: JobDetail) -> Seen:
    """The same job as everybody may see it who may see jobs."""
    rules = rules_of(job.line.type)
    in_payload: list[Path] = []
    in_result: list[Path] = []
    seen = replace(
        job,
        payload=redacted(job.payload, rules, hidden=in_payload),
        result=redacted(job.result, rules, hidden=in_result),
        arguments=None if job.arguments is None else redacted_text(job.arguments, rules),
    )
    hidden = [*in_payload, *(("result", *path) for path in in_result)]
    return Seen(mask_of(job).job(seen), [".".join(path) for path in hidden[:MAX_PATHS]])


def mask_for(session: Session, job_id: str) -> Mask:
    """As `mask_of`, of a job that is not at hand. Raises `NotFound`."""
    return mask_of(queries.get_job(session, job_id))


def as_text(value: Any) -> str:
    """JSON to read; in one line where it is large, since Python takes many times as long to indent it."""
    text = json.dumps(value, ensure_ascii=False)
    return written(text if len(text) > INDENTED else json.dumps(value, indent=2, ensure_ascii=False))
