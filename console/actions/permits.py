"""Which permission each kind of action needs; asked on the server before anything is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from console.access.rules import Permission
from console.actions.rules import Kind
from console.actor import Actor
from console.errors import NotAllowed
from console.web.permissions import may

Verb = Callable[[Session, Actor, str], Any]
"""`pause_action` and the like."""

NEEDED = {
    Kind.RETRY: Permission.JOBS_RETRY,
    Kind.CANCEL: Permission.JOBS_CANCEL,
    Kind.FLUSH: Permission.JOBS_FLUSH,
}


def check_may(kind: Kind) -> None:
    """Raises `NotAllowed`."""
    needed = NEEDED[kind]
    if not may(needed):
        raise NotAllowed(f"This needs the permission {needed}. Ask an admin for a role that has it.", permission=needed)
