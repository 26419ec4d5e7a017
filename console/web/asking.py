"""What a button of a page asks for: done in one transaction, and what came of it is said on the page that follows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import flash
from sqlalchemy.orm import Session

from console.errors import CeleriacError, Conflict, InvalidInput
from console.web import database

Result = TypeVar("Result")


def asked(
    work: Callable[[Session], Result],
    told: str | Callable[[Result], str],
    refusals: tuple[type[CeleriacError], ...] = (Conflict, InvalidInput),
) -> Result | None:
    """Does it and says so, in words that may depend on its result; None: it was refused, and the reason is said."""
    try:
        with database.transaction() as session:
            done = work(session)
    except refusals as error:
        flash(reason_of(error), "error")
        return None
    flash(told if isinstance(told, str) else told(done), "success")
    return done


def reason_of(error: CeleriacError) -> str:
    """Why something was refused, without the name of a field, which a page says in other words."""
    if isinstance(error, InvalidInput) and error.errors:
        return str(error.errors[0]["message"])
    return error.detail
