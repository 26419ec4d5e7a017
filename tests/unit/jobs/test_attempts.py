"""What differs between two texts."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from console.jobs.attempts import DIFF_LINES, difference

LINES = st.lists(st.sampled_from("abc"), max_size=12)


@given(LINES, LINES)
def test_it_says_all_that_differs_and_nothing_else(old: list[str], new: list[str]) -> None:
    found = difference("\n".join(old), "\n".join(new))
    assert bool(found) == (old != new)
    removed, added = ([one.text for one in found if one.sign == sign] for sign in "-+")
    rest = list(old)
    for line in removed:
        rest.remove(line)
    assert len(rest) + len(added) == len(new)
    assert sorted(rest + added) == sorted(new)


def test_long_texts_are_compared_at_once() -> None:
    same = ["  b()"] * 5_000
    began = time.perf_counter()
    found = difference("\n".join(["a", *same]), "\n".join(["c", *same]))
    assert [(one.sign, one.text) for one in found] == [("-", "a"), ("+", "c"), (" ", "  b()"), (" ", "  b()")]
    difference("\n".join(map(str, range(5_000))), "\n".join(map(str, range(5_000, 10_000))))
    assert time.perf_counter() - began < 0.2


def test_a_long_difference_is_cut() -> None:
    found = difference("", "\n".join(map(str, range(300))))
    assert len(found) == DIFF_LINES + 1
    assert found[-1].text.startswith("2")
