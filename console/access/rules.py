"""Who may do what: a closed list of permissions and what each role has of them."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """The three kinds of people."""

    ADMIN = "admin"
    SUPPORT = "support"
    USER = "user"


FIRST_ADMIN = "admin@localhost"
DEMO_PEOPLE = {"support@localhost": Role.SUPPORT, "user@localhost": Role.USER}
"""Whom `celeriac up --demo` adds beside the admin, so that each role can be tried."""


class Permission(StrEnum):
    """Every route and every API operation declares one of these, or that it is public or for anyone signed in."""

    OVERVIEW_READ = "overview.read"
    JOBS_READ = "jobs.read"
    JOBS_RETRY = "jobs.retry"
    JOBS_CANCEL = "jobs.cancel"
    JOBS_FLUSH = "jobs.flush"
    JOBS_DISPATCH = "jobs.dispatch"
    JOBS_EDIT = "jobs.edit"
    JOBS_AGAIN = "jobs.again"
    JOBS_RESCHEDULE = "jobs.reschedule"
    JOBS_MOVE = "jobs.move"
    JOBS_SEE_SENSITIVE = "jobs.sensitive"
    QUEUES_READ = "queues.read"
    METRICS_READ = "metrics.read"
    FAILURES_READ = "failures.read"
    FAILURES_RESOLVE = "failures.resolve"
    FAILURES_IGNORE = "failures.ignore"
    FAILURES_ASSIGN = "failures.assign"
    FAILURES_NOTE = "failures.note"
    SCHEDULES_READ = "schedules.read"
    SCHEDULES_EDIT = "schedules.edit"
    SCHEDULES_RUN = "schedules.run"
    DEPLOYS_READ = "deploys.read"
    DEPLOYS_EDIT = "deploys.edit"
    ACCOUNT = "account"


_SUPPORT = frozenset(
    {
        Permission.OVERVIEW_READ, Permission.JOBS_READ, Permission.JOBS_RETRY, Permission.JOBS_CANCEL,
        Permission.JOBS_EDIT, Permission.JOBS_AGAIN, Permission.JOBS_RESCHEDULE, Permission.JOBS_MOVE,
        Permission.QUEUES_READ, Permission.ACCOUNT, Permission.DEPLOYS_READ,
        Permission.SCHEDULES_READ,
        Permission.FAILURES_READ, Permission.FAILURES_RESOLVE, Permission.FAILURES_IGNORE, Permission.FAILURES_ASSIGN,
        Permission.FAILURES_NOTE,
    }
)

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.ADMIN: frozenset(Permission),
    Role.SUPPORT: _SUPPORT,
    Role.USER: frozenset({Permission.ACCOUNT}),
}
