"""One thing done to several jobs, each in a transaction of its own: a refusal does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import click
from sqlalchemy.orm import Session

from console import db
from console.audit.service import Actor
from console.commands import output
from console.commands.context import operator
from console.errors import CeleriacError

Verb: TypeAlias = Callable[[Session, Actor, str], Any]


def do_to_each(
    ids: Iterable[str],
    verb: Verb,
    key: str,
    said: Callable[[str, Any], str],
    is_json: bool,
) -> None:
    """Calls `verb` for each id once and prints `said(id, answer)`, or all answers, under `key`, as JSON in the end.

    Ends the command with the exit code of the last refusal, if there was one.
    """
    done, refused = [], []
    code = 0
    for job_id in dict.fromkeys(ids):
        try:
            with db.writing() as session:
                answer = verb(session, operator(), job_id)
        except CeleriacError as error:
            code = error.exit_code
            refused.append({"id": job_id, "detail": error.detail})
            output.note(f"{job_id}: {error.detail}")
        else:
            done.append({"id": job_id, key: answer})
            if not is_json:
                click.echo(said(job_id, answer))
    if is_json:
        output.as_json({"data": done, "errors": refused})
    if code:
        raise SystemExit(code)
