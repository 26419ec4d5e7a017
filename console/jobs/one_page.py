"""Everything that the page of one job shows, read with bounds: whatever its size, the page stays small."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from console.jobs import lineage, usual
from console.jobs.attempts import Attempts, attempts_of
from console.jobs.course import Course, Picture, course_of, draw
from console.jobs.lineage import Relatives
from console.jobs.masking import NOTHING, Mask, mask_of
from console.jobs.one import as_text
from console.jobs.queries import JobDetail, Moment
from console.jobs.redaction import Rules, redacted, redacted_text, rules_of
from console.jobs.rules import REASONS, State
from console.jobs.tree import Tree, payload_tree, result_tree
from console.jobs.usual import Comparison

FIRST_MOMENTS, LAST_MOMENTS = 10, 30
COPIED = 20_000
"""Characters up to which a payload can be copied from the page; a larger one is downloaded."""


@dataclass(frozen=True, slots=True)
class Value:
    """A payload or a result. `copied`: its text for the clipboard; empty when it is too large."""

    tree: Tree
    copied: str


@dataclass(frozen=True, slots=True)
class OnePage:
    """`left_out`: how many moments between the first and the last ones are not shown. `meaning`: the state in words.

    `mask`: hides in what the job logged what is hidden in its payload; of a large one, in the beginning that was read.
    """

    job: JobDetail
    meaning: str
    reason: str
    course: Course
    pictures: tuple[Picture, Picture]
    moments: list[Moment]
    left_out: int
    attempts: Attempts
    payload: Value | None
    result: Value | None
    usual: list[Comparison]
    relatives: Relatives
    is_revealed: bool
    mask: Mask

    @property
    def hidden(self) -> int:
        """How many of the values that are shown are hidden."""
        return sum(value.tree.hidden for value in (self.payload, self.result) if value)


def page_of(session: Session, job: JobDetail, attempts_before: str = "", *, reveal: bool = False) -> OnePage:
    """`reveal`: with what is sensitive; whoever asks for that has been checked and written down."""
    rules, mask = rules_of(job.line.type), NOTHING if reveal else mask_of(job)
    left_out = max(0, len(job.timeline) - FIRST_MOMENTS - LAST_MOMENTS)
    said = mask.job(replace(job, arguments=_arguments(job, rules, reveal=reveal)))
    course = course_of(said.timeline, job.line.state)
    shown = said.timeline if not left_out else said.timeline[:FIRST_MOMENTS] + said.timeline[-LAST_MOMENTS:]
    payload = None
    if job.payload is not None:
        payload = payload_tree(job.payload, rules, reveal=reveal, is_cut=job.payload_is_cut)
    result = None if job.result is None else result_tree(job.result, rules, reveal=reveal)
    seen_payload, seen_result = (
        value if reveal or tree is None or tree.is_cut else redacted(value, rules)
        for value, tree in ((job.payload, payload), (job.result, result))
    )
    return OnePage(
        job=said,
        meaning=_meaning(job),
        reason=REASONS.get(job.line.reason or "", ""),
        course=course,
        pictures=(draw(course), draw(course, upright=True)),
        moments=shown,
        left_out=left_out,
        attempts=attempts_of(session, job.line.id, attempts_before, mask=mask),
        payload=None if payload is None else Value(payload, _copied(payload, seen_payload)),
        result=None if result is None else Value(result, _copied(result, seen_result)),
        usual=usual.comparisons(session, job.line),
        relatives=lineage.relatives_of(session, job),
        is_revealed=reveal,
        mask=mask,
    )


def _arguments(job: JobDetail, rules: Rules, *, reveal: bool) -> str | None:
    return job.arguments if reveal or job.arguments is None else redacted_text(job.arguments, rules)


def _copied(tree: Tree, value: object) -> str:
    text = "" if tree.is_cut else as_text(value)
    return text if len(text) <= COPIED else ""


def _meaning(job: JobDetail) -> str:
    """What RETRYABLE and FAILED mean for whoever has to do something about it."""
    if job.line.state is State.RETRYABLE:
        return "Open: it failed for good and nobody has retried it yet. Its payload is kept, so it can be."
    if job.line.state is not State.FAILED:
        return ""
    if job.line.retried_as:
        return "Done with: it failed, and was retried as another job."
    if job.not_ours:
        return "It failed for good."
    return "It failed for good, and cannot be retried from here: " + (
        "its payload was not kept." if job.payload is None else "its message cannot be sent again."
    )
