"""The states that a job went through, and the picture of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import clock
from console.jobs.course import Edge, course_of, draw
from console.jobs.queries import Moment
from console.jobs.rules import State

KINDS = ["scheduled", "published", "received", "started", "retry", "lost", "succeeded", "failed", "cancelled", "nonsense"]


def story(*kinds: str) -> list[Moment]:
    """Each a second after the one before."""
    return [Moment(clock.from_ms(1_700_000_000_000 + n * 1_000), kind, 1, "") for n, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("kinds", "now", "edges"),
    [
        (["published", "received", "started", "succeeded"], State.COMPLETED,
         [("PENDING", "PROCESSING", 1, 2_000), ("PROCESSING", "COMPLETED", 1, 1_000)]),
        (["scheduled", "published", "cancelled"], State.CANCELLED,
         [("SCHEDULED", "PENDING", 1, 1_000), ("PENDING", "CANCELLED", 1, 1_000)]),
        (["published", *["started", "retry", "published"] * 3, "started", "failed"], State.RETRYABLE,
         [("PENDING", "PROCESSING", 4, 4_000), ("PROCESSING", "RETRYING", 3, 3_000), ("RETRYING", "PENDING", 3, 3_000),
          ("PROCESSING", "RETRYABLE", 1, 1_000)]),
        (["published", "started", "lost", "started", "succeeded"], State.COMPLETED,
         [("PENDING", "PROCESSING", 2, 2_000), ("PROCESSING", "PENDING", 1, 1_000), ("PROCESSING", "COMPLETED", 1, 1_000)]),
        (["published"], State.PENDING, []), ([], State.FAILED, []),
        (["published", "failed"], State.FAILED, [("PENDING", "FAILED", 1, 1_000)]),
    ],
)  # fmt: skip
def test_the_course(kinds: list[str], now: State, edges: list[Any]) -> None:
    assert course_of(story(*kinds), now).edges == [Edge(State(a), State(b), times, ms) for a, b, times, ms in edges]


@given(st.lists(st.sampled_from(KINDS), max_size=12), st.sampled_from(list(State)), st.booleans())
def test_whatever_happened_it_can_be_drawn_and_nothing_overlaps(kinds: list[str], now: State, upright: bool) -> None:
    course = course_of(story(*kinds), now)
    picture = draw(course, upright=upright)
    assert {box.state for box in picture.boxes} == set(course.states)
    assert [box.is_now for box in picture.boxes].count(True) == 1
    assert len(picture.arrows) == len(course.edges)
    for box in picture.boxes:
        assert 0 <= box.x <= box.x + box.width <= picture.width
        assert 0 <= box.y <= box.y + box.height <= picture.height
    for a in picture.boxes:
        for b in picture.boxes:
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert a is b or apart
