"""What people do to a failure group. Each is a compare-and-set with its audit entry in one transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from console import clock
from console.access.queries import staff
from console.audit.service import Actor, record
from console.errors import Conflict, InvalidInput, NotFound
from console.failures.rules import MAX_NOTE, GroupState, Ignore, is_runbook, standing
from console.jobs import outbox
from console.jobs.groups import TOPIC
from console.jobs.models import FailureGroup


def resolve_group(session: Session, actor: Actor, fingerprint: str, expected: int | None = None) -> FailureGroup:
    """The cause is gone. The group opens again by itself when a failure of it ends after now.

    `expected`: the `ver` that was seen; of all verbs here. Raises `NotFound`, or `Conflict` when somebody was faster.
    """
    group = _locked(session, fingerprint, expected)
    if group.state == GroupState.RESOLVED:
        raise Conflict("It is resolved already.")
    _stand(group, actor, GroupState.RESOLVED)
    return _changed(session, actor, group, "failures.resolve")


def reopen_group(session: Session, actor: Actor, fingerprint: str, expected: int | None = None) -> FailureGroup:
    """It is to be looked at after all."""
    group = _locked(session, fingerprint, expected)
    if group.state == GroupState.OPEN:
        raise Conflict("It is open already.")
    _stand(group, actor, GroupState.OPEN)
    return _changed(session, actor, group, "failures.open")


def ignore_group(
    session: Session, actor: Actor, fingerprint: str, ignore: Ignore, expected: int | None = None
) -> FailureGroup:
    """It is known and can wait. The group opens again by itself. Raises `InvalidInput` too."""
    now = clock.now()
    if problems := ignore.problems(now):
        raise InvalidInput(" ".join(f"{p['field']}: {p['message']}" for p in problems), problems)
    group = _locked(session, fingerprint, expected)
    _stand(group, actor, GroupState.IGNORED)
    group.ignore_until, group.ignore_left, group.ignore_rate = ignore.until, ignore.more, ignore.rate
    detail = {"until": ignore.until and ignore.until.isoformat(), "more": ignore.more, "rate": ignore.rate}
    said = {name: value for name, value in detail.items() if value is not None}
    return _changed(session, actor, group, "failures.ignore", **said)


def assign_group(
    session: Session, actor: Actor, fingerprint: str, assignee: str, expected: int | None = None
) -> FailureGroup:
    """Who looks after it: the address of somebody who may see it; empty: nobody. Raises `InvalidInput` too."""
    wanted = assignee.strip().lower()
    if wanted and wanted not in staff(session):
        message = "Use the address of somebody who is admin or support and can sign in."
        raise InvalidInput(f"assignee: {message}", [{"field": "assignee", "message": message}])
    group = _locked(session, fingerprint, expected)
    before, group.assignee = group.assignee, wanted or None
    return _changed(session, actor, group, "failures.assign", assignee=wanted, before=before or "")


def note_group(
    session: Session, actor: Actor, fingerprint: str, note: str, expected: int | None = None
) -> FailureGroup:
    """What the next one who looks at it should know. Raises `InvalidInput` too."""
    text = note.replace("\r\n", "\n").strip()
    if len(text) > MAX_NOTE or "\0" in text:
        message = f"Must have at most {MAX_NOTE:,} characters, none of them NUL."
        raise InvalidInput(f"note: {message}", [{"field": "note", "message": message}])
    group = _locked(session, fingerprint, expected)
    group.note = text or None
    return _changed(session, actor, group, "failures.note", note=text[:200])


def link_runbook(
    session: Session, actor: Actor, fingerprint: str, runbook: str, expected: int | None = None
) -> FailureGroup:
    """Where it is written what to do; empty: nowhere. Raises `InvalidInput` too."""
    address = runbook.strip()
    if address and not is_runbook(address):
        message = "Use an address that begins with http:// or https://."
        raise InvalidInput(f"runbook: {message}", [{"field": "runbook", "message": message}])
    group = _locked(session, fingerprint, expected)
    group.runbook = address or None
    return _changed(session, actor, group, "failures.runbook", runbook=address)


def _locked(session: Session, fingerprint: str, expected: int | None) -> FailureGroup:
    group = session.get(FailureGroup, fingerprint, with_for_update=True, populate_existing=True)
    if group is None:
        raise NotFound(f"There is no failure group {fingerprint!r}. `celeriac failed --group` lists them.")
    if expected is not None and group.ver != expected:
        now = standing(group.state, group.ignore_until, clock.now())
        why = f" It {group.reopened_why}." if group.reopened_why and now == GroupState.OPEN else ""
        raise Conflict(f"It was changed meanwhile, and is {now} now.{why} Look at it again.")
    return group


def _stand(group: FailureGroup, actor: Actor, state: GroupState) -> None:
    group.state, group.state_at, group.state_by = state, clock.now(), actor.name[:255]
    group.ignore_until = group.ignore_left = group.ignore_rate = None
    group.reopened_at = group.reopened_why = None


def _changed(session: Session, actor: Actor, group: FailureGroup, action: str, **detail: Any) -> FailureGroup:
    group.ver += 1
    session.flush()
    record(session, actor, action, "failure_group", group.fingerprint, **detail)
    outbox.tell_after_commit(session, TOPIC)
    return group
