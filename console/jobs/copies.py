"""What can be done with a job, as lines for a terminal: commands of ours and calls of the API. Pure.

A token is never among them: it is taken from the environment. What is sensitive is not either.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Container
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from console.jobs import registry
from console.jobs.queries import JobDetail
from console.jobs.rules import ENDED, WAITING, State
from console.jobs.tree import written

MAX_PAYLOAD = 2_000
"""Characters of a payload that go into a line; with more, the job is named as the model."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to do, in both ways; an empty one does not exist."""

    what: str
    command: str
    curl: str


def lines_of(job: JobDetail, address: str, grants: Container[str], *, is_open: bool) -> list[Line]:
    """Of everything that this person may do with this job now.

    `address`: of the console, without a slash at its end. `is_open`: all of its payload is short and may be seen.
    """
    name, path = shlex.quote(job.line.id), f"/jobs/{quote(job.line.id, safe=':/')}"
    found = [Line("Show it", f"celeriac show {name}", _curl(address, path))]
    if job.not_ours:
        return found
    state = job.line.state
    if state is State.RETRYABLE and "jobs.retry" in grants:
        found.append(Line("Retry it", f"celeriac retry {name}", _curl(address, f"{path}/retry", method="POST")))
    elif state in ENDED and job.payload is not None and "jobs.again" in grants:
        again = _curl(address, f"{path}/again", method="POST")
        found.append(Line("Run it again", f"celeriac dispatch --like {name}", again))
    if state not in ENDED and "jobs.cancel" in grants:
        word = "Cancel it" if state in WAITING else "Stop it"
        found.append(Line(word, f"celeriac cancel {name}", _curl(address, f"{path}/cancellation", method="POST")))
    if is_open and "jobs.dispatch" in grants and (line := _dispatch(job, address)):
        found.append(line)
    return found


def _dispatch(job: JobDetail, address: str) -> Line | None:
    """A new one like it, with its payload in sight; None where that cannot be."""
    kind = registry.known(job.line.type)
    if kind is None or job.payload is None or job.payload.get("args"):
        return None
    kwargs = written(json.dumps(job.payload.get("kwargs", {}), ensure_ascii=False))
    if len(kwargs) > MAX_PAYLOAD:
        return None
    options: dict[str, Any] = {"queue": job.line.queue} if job.line.queue != kind.queue else {}
    words = ["celeriac", "dispatch", kind.name, "--payload", kwargs]
    words += [word for name, value in options.items() for word in (f"--{name}", value)]
    words += [word for tag in job.line.tags for word in ("--tag", tag)]
    body = {"type": kind.name, "payload": job.payload.get("kwargs", {}), **options}
    if job.line.tags:
        body["tags"] = list(job.line.tags)
    return Line("Dispatch one like it", shlex.join(words), _curl(address, "/jobs", method="POST", body=body))


def _curl(address: str, path: str, method: str = "GET", body: Any = None) -> str:
    words = ["curl", *(["-X", method] if method != "GET" else [])]
    said = " ".join(words) + ' -H "Authorization: Bearer $CELERIAC_TOKEN"'
    if body is not None:
        said += f" -H 'Content-Type: application/json' -d {shlex.quote(written(json.dumps(body, ensure_ascii=False)))}"
    return f"{said} {shlex.quote(f'{address}/api/v1{path}')}"
