"""What jobs logged, as the recorder would have left it."""

from __future__ import annotations

import json

from console import clock, db
from console.jobs.models import JobLog

AT = 1_700_000_000_000


def make_log(job_id: str, first: int, *texts: str, attempt: int = 1, run: int = 0, level: int = 20) -> None:
    """Lines one after another, each a millisecond after the one before; committed."""
    lines = [[AT + number, level, "shop.orders", text] for number, text in enumerate(texts, first)]
    at = clock.from_ms(AT + first)
    with db.writing() as session:
        session.add(
            JobLog(job_id=job_id, attempt=attempt, run=run, seq=first, n=len(texts), level=level, at=at,
                   lines=json.dumps(lines))
        )
