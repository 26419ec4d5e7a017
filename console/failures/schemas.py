"""Failure groups as the API takes and gives them."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from console.failures.queries import Alike, GroupFilter, GroupPage, GroupView, Matrix
from console.failures.rules import AGES, GroupState, Ignore, Sort
from console.web.rest import Input, Instant, Line, Output

Version = Annotated[
    int | None, Field(ge=0, description="`version` of the group as you saw it; refused with 409 if it changed since.")
]


class GroupsQuery(Input):
    """Which groups."""

    state: Annotated[GroupState | None, Field(description="Only groups that stand so.")] = None
    type: Annotated[Line, Field(description="Only groups of this job type.")] = ""
    assignee: Annotated[Line, Field(description='Only groups of this person; "-": of nobody.')] = ""
    text: Annotated[Line, Field(description="Only groups with this in type, error, message, place or note.")] = ""
    sort: Annotated[Sort, Field(description="What comes first: last seen, most in 24 h, most, newest.")] = Sort.LAST
    page: Annotated[int, Field(ge=1, le=200, description="Which page, from 1 on.")] = 1
    limit: Annotated[int, Field(ge=1, le=200, description="How many at most.")] = 50

    def filter(self) -> GroupFilter:
        """As queries take it."""
        return GroupFilter(self.state, self.type, self.assignee, self.text)


class MatrixQuery(Input):
    """Which failures."""

    open: Annotated[bool, Field(description="Only those that can be retried.")] = False


class Seen(Input):
    """What was seen before it is changed."""

    version: Version = None


class IgnoreRequest(Seen):
    """Until when it is ignored; whichever comes first ends it. At least one is needed."""

    until: Annotated[AwareDatetime | None, Field(description="A time.", strict=False)] = None
    more: Annotated[int | None, Field(description="So many more failures.")] = None
    rate: Annotated[int | None, Field(description="More than so many failures in a clock hour.")] = None

    def ignore(self) -> Ignore:
        """As the service takes it."""
        return Ignore(self.until, self.more, self.rate)


class AssigneeRequest(Seen):
    """Who looks after it."""

    assignee: Annotated[Line, Field(description="The address of an admin or support person; empty: nobody.")]


class NoteRequest(Seen):
    """What the next one should know."""

    note: Annotated[str, Field(description="At most 10,000 characters; empty: none.")]


class RunbookRequest(Seen):
    """Where it is written what to do."""

    runbook: Annotated[str, Field(max_length=2_000, description="http or https; empty: nowhere.")]


class GroupAnswer(Output):
    """A failure group. `day`: failures in 24 hours, by hour in `trend`; `open`: not retried, counted up to 1,000."""

    fingerprint: str
    type: str
    error_type: str
    pattern: str
    frame: str
    first_seen_at: Instant
    last_seen_at: Instant
    state: GroupState
    state_at: Instant | None
    state_by: str | None
    reopened_at: Instant | None
    reopened_why: str | None
    ignore_until: Instant | None
    ignore_left: int | None
    ignore_rate: int | None
    assignee: str | None
    note: str | None
    runbook: str | None
    version: int
    total: int
    day: int
    trend: list[int]
    open: int
    open_is_exact: bool


class GroupList(Output):
    """Failure groups. `more`: there is another page."""

    data: list[GroupAnswer]
    more: bool


class ValueAnswer(Output):
    """A value in payloads, and how many of the jobs have it."""

    value: str
    jobs: int


class KeyAnswer(Output):
    """A key of payloads with its most common values."""

    key: str
    jobs: int
    different: int
    top: list[ValueAnswer]


class WorkerAnswer(Output):
    """A worker, and how many of the jobs it ran."""

    name: str
    jobs: int


class DeployMark(Output):
    """A version that went live."""

    version: str
    at: Instant


class GroupDetail(Output):
    """A failure group, an example, and what its newest failures have in common."""

    group: GroupAnswer
    latest_job: str | None
    jobs_looked_into: int
    payloads: list[KeyAnswer]
    workers: list[WorkerAnswer]
    deploy_before: DeployMark | None


class MatrixCell(Output):
    """Failed jobs of one type and age. Not `exact`: there are more."""

    age: str
    jobs: int
    exact: bool


class MatrixRow(Output):
    """Failed jobs of one type."""

    type: str
    cells: list[MatrixCell]


class MatrixAnswer(Output):
    """Failed jobs by type and age; `more` types are left out."""

    data: list[MatrixRow]
    more: int


def group_answer(group: GroupView) -> GroupAnswer:
    """A group as the API gives it."""
    values = {name: getattr(group, name) for name in GroupAnswer.model_fields if name in GroupView.__slots__}
    counted = {"open": group.open.n, "open_is_exact": group.open.exact, "version": group.ver}
    return GroupAnswer(**(values | counted | {"trend": list(group.trend)}))


def group_list(page: GroupPage) -> GroupList:
    """A page of groups as the API gives it."""
    return GroupList(data=[group_answer(group) for group in page.groups], more=page.more)


def group_detail(group: GroupView, latest: str | None, found: Alike, deploy: DeployMark | None) -> GroupDetail:
    """One group as the API gives it."""
    keys = [
        KeyAnswer(
            key=of.key, jobs=of.jobs, different=of.different, top=[ValueAnswer(value=v, jobs=n) for v, n in of.top]
        )
        for of in found.payloads
    ]
    return GroupDetail(
        group=group_answer(group),
        latest_job=latest,
        jobs_looked_into=found.jobs,
        payloads=keys,
        workers=[WorkerAnswer(name=name, jobs=n) for name, n in found.workers],
        deploy_before=deploy,
    )


def matrix_answer(found: Matrix) -> MatrixAnswer:
    """The matrix as the API gives it."""
    rows = [
        MatrixRow(
            type=job_type,
            cells=[
                MatrixCell(age=age.name, jobs=cell.n, exact=cell.exact)
                for age, cell in zip(AGES, cells, strict=True)
            ],
        )
        for job_type, cells in found.rows
    ]
    return MatrixAnswer(data=rows, more=found.more)
