"""Exports: a job of its own writes all that a search means into a file, which its page offers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from console import clock
from console.actor import Actor
from console.audit.service import record
from console.jobs import queries, service
from console.jobs.filters import JobFilter
from console.jobs.registry import job_type

JOB_TYPE = "heavy.export_jobs"
FORMATS = ("csv", "json")


def start_export(session: Session, actor: Actor, wanted: JobFilter, format_: str) -> str:
    """Dispatches the job that writes the file and returns its id.

    The jobs are those that match now: later ones are left out, and a search looks no further back than the list does.
    """
    ahead = clock.now() + timedelta(milliseconds=1)  # `before` excludes its own millisecond
    meant = queries.settle(session, replace(wanted, before=min(wanted.before or ahead, ahead)))
    payload = {"filter": meant.to_json(), "format": format_}
    [job_id] = service.dispatch(session, actor, job_type(JOB_TYPE), payload)
    record(session, actor, "jobs.export", "job", job_id, filter=meant.described(), format=format_)
    return job_id
