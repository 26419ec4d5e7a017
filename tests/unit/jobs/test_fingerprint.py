"""Failures of one cause have one fingerprint, and those of different causes different ones."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

import pytest
from hypothesis import given, strategies

from console.jobs.fingerprint import MAX_PATTERN, fingerprint_of, frame_of, pattern_of
from tests.unit.jobs.failing_programs import PROGRAMS, raised

PRECISION, RECALL = 0.95, 0.95

HEAD = "Traceback (most recent call last):\n"
LIBRARY = '  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 453, in trace_task\n    R = fun()\n'
WRAPPER = '  File "/srv/celeriac/tasks/job.py", line 166, in run\n    self.handle()\n'
OWN = '  File "/srv/shop/jobs.py", line 8, in handle\n    charge()\n'
INNER = '  File "/srv/releases/20260301/shop/cards.py", line 99, in charge\n    post()\n'
FROZEN = '  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import\n'
END = "TimeoutError: no answer\n"


def measured(failures: list[tuple[str, str]]) -> tuple[float, float]:
    """Precision and recall over pairs of (cause, fingerprint)."""
    pairs = [(a[0] == b[0], a[1] == b[1]) for a, b in combinations(failures, 2)]
    right = sum(belong and together for belong, together in pairs)
    return right / sum(together for _, together in pairs), right / sum(belong for belong, _ in pairs)


def test_a_corpus_of_real_failures_is_grouped_as_people_would() -> None:
    """Pairs of failures: of those put together, how many belong together; of those that do, how many are together.

    Then the same as if there were no tracebacks, for which less is asked.
    """
    found: dict[str, list[str]] = defaultdict(list)
    failures, without_place = [], []
    for cause, programs in PROGRAMS.items():
        for program in programs:
            error, message, traceback = raised(program)
            made = fingerprint_of("shop.job", error, message, traceback)
            failures.append((cause, made.key))
            without_place.append((cause, fingerprint_of("shop.job", error, message, None).key))
            found[made.key].append(f"{cause}: {error}: {made.pattern} in {made.frame}")
    assert len(failures) >= 60
    assert len(PROGRAMS) >= 25
    precision, recall = measured(failures)
    blind_precision, blind_recall = measured(without_place)
    said = f"{len(failures)} failures of {len(PROGRAMS)} causes in {len(found)} groups: precision {precision:.3f}, recall {recall:.3f}"
    said += f"; without tracebacks precision {blind_precision:.3f}, recall {blind_recall:.3f}"
    print(said)
    assert (precision >= PRECISION, recall >= RECALL) == (True, True), said + "\n" + "\n".join(
        sorted(line for lines in found.values() for line in lines)
    )
    assert (blind_precision >= 0.9, blind_recall >= RECALL) == (True, True), said


@pytest.mark.parametrize(
    ("traceback", "frame"),
    [
        (HEAD + LIBRARY + WRAPPER + OWN + END, "shop/jobs.py:handle"),
        (HEAD + LIBRARY + WRAPPER + OWN + INNER + LIBRARY + END, "shop/cards.py:charge"),
        (HEAD + OWN + FROZEN + END, "shop/jobs.py:handle"),
        (HEAD + LIBRARY + WRAPPER + END, "tasks/job.py:run"),
        (HEAD + LIBRARY + END, "app/trace.py:trace_task"),
        (HEAD + INNER + END + "\nThe above exception was the direct cause of the following exception:\n\n" + HEAD + OWN + END,
         "shop/jobs.py:handle"),
        (HEAD + INNER + END + "\nDuring handling of the above exception, another exception occurred:\n\n" + HEAD + LIBRARY + END,
         "shop/cards.py:charge"),
        ("", ""),
        ("nonsense", ""),
    ],
)  # fmt: skip
def test_the_place_is_in_the_code_of_the_application(traceback: str, frame: str) -> None:
    assert frame_of(traceback) == frame


def test_another_line_or_another_release_is_the_same_place() -> None:
    moved = INNER.replace("line 99", "line 101").replace("20260301", "20260302")
    assert frame_of(HEAD + moved + END) == frame_of(HEAD + INNER + END)
    dated = INNER.replace("/shop/cards.py", "/shop-1a2b3c4d/cards.py")
    assert frame_of(HEAD + dated + END) == frame_of(HEAD + dated.replace("1a2b3c4d", "9f8e7d6c") + END)


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("order 17 of ada@example.com at 10.0.0.1:80", "order <n> of <email> at <ip>"),
        ("<Shop object at 0x7f3a2b1c>", "<Shop object at <address>>"),
        ("failed in 3.5s, 512MB, 12 %", "failed in <n>s, <n>MB, <n> %"),
        ("at 2026-03-01T12:00:00.123Z, not 12:00:01", "at <time>, not <time>"),
        ("see /srv/data/x.csv and https://a.b/c?d=e", "see <path> and <url>"),
        ("can't open it, won't try", "can't open it, won't try"),
        ("ids 1, 2, 3, 4", "ids <n>, …"),
        ("ids 1, 2", "ids <n>, …"),
        ("and/or", "and/or"),
        ("", ""),
    ],
)
def test_values_give_way_to_marks(message: str, pattern: str) -> None:
    assert pattern_of(message) == pattern


def test_type_class_message_and_place_each_tell_failures_apart() -> None:
    same = ("a.job", "ValueError", "no", HEAD + OWN + END)
    others = [("b.job", *same[1:]), (same[0], "KeyError", *same[2:]), (*same[:2], "yes", same[3]), (*same[:3], HEAD + INNER + END)]
    keys = {fingerprint_of(*of).key for of in (same, *others)}
    assert len(keys) == 5
    assert all(len(key) == 16 for key in keys)


@given(strategies.text(max_size=2_500), strategies.text(max_size=500))
def test_any_text_has_a_pattern_that_fits(message: str, traceback: str) -> None:
    assert len(pattern_of(message)) <= MAX_PATTERN
    assert len(fingerprint_of("t", None, message, traceback).key) == 16
