"""What of a traceback is folded."""

from __future__ import annotations

import pytest

from console.jobs.tracebacks import parts, place_of

HEAD = "Traceback (most recent call last):\n"
LIBRARY = '  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 453, in trace_task\n    R = fun()\n        ^^^^^\n'
OWN = '  File "/srv/shop/jobs.py", line 8, in handle\n    charge()\n'
END = "TimeoutError: no answer\n"


def test_library_frames_in_a_row_are_folded_into_one() -> None:
    found = parts(HEAD + LIBRARY + LIBRARY + OWN + LIBRARY + END)
    assert [(part.is_folded, part.frames) for part in found] == [(False, 0), (True, 2), (False, 1), (True, 1), (False, 0)]


def test_nothing_is_folded_when_all_frames_are_of_libraries() -> None:
    assert not any(part.is_folded for part in parts(HEAD + LIBRARY + END))


def test_frozen_modules_are_libraries() -> None:
    frozen = '  File "<frozen importlib._bootstrap>", line 1204, in _gcd_import\n'
    assert [part.is_folded for part in parts(HEAD + frozen + OWN + END)] == [False, True, False]


@pytest.mark.parametrize(
    "text",
    ["", "Traceback: no such name", HEAD + OWN + END, HEAD + LIBRARY + OWN + LIBRARY + "KeyError: 'a\n\n    b'", END + HEAD + LIBRARY + OWN],
)
def test_no_line_is_lost(text: str) -> None:
    assert "".join(part.text for part in parts(text)) == text


@pytest.mark.parametrize(
    ("traceback", "expected"),
    [
        ('  File "/srv/shop/pay.py", line 7, in charge\n    x()\n  File "/usr/lib/python3.11/json/a.py", line 9, in b\n    y()\nE\n',
         "shop/pay.py:7, in charge"),
        ('  File "/usr/lib/python3.11/json/a.py", line 9, in b\n    y()\nE\n', "json/a.py:9, in b"),
        ('  File "<string>", line 1, in <module>\nE\n', "<string>:1, in <module>"),
        ('  File "a.py", line 3\n    x y\nSyntaxError: no\n', "a.py:3"),
        ("Traceback: no such name", ""), ("", ""),
    ],
)  # fmt: skip
def test_where_it_failed(traceback: str, expected: str) -> None:
    assert place_of(parts(traceback)) == expected
