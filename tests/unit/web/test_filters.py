"""How pages write numbers, durations and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from markupsafe import Markup

from console.web import filters

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "–"), (0, "0 ms"), (340, "340 ms"), (999.4, "999 ms"), (999.6, "1 s"), (1_000, "1 s"), (1_840, "1.8 s"),
        (12_400, "12 s"), (59_900, "60 s"), (60_000, "1 min"), (90_000, "1.5 min"), (240_000, "4 min"),
        (3_600_000, "1 h"), (9_000_000, "2.5 h"), (86_400_000, "1 d"), (259_200_000, "3 d"),
    ],
)
def test_a_duration_is_in_the_unit_a_person_would_say(ms: float | None, said: str) -> None:
    assert filters.duration_ms(ms) == said


@pytest.mark.parametrize(("value", "said"), [(None, "–"), (0, "0"), (999, "999"), (3412, "3\u202f412"), (1e6, "1\u202f000\u202f000")])
def test_a_figure_has_thin_separators(value: float | None, said: str) -> None:
    assert filters.number(value) == said


@pytest.mark.parametrize(("n", "said"), [(0, "0 jobs"), (1, "1 job"), (3412, "3,412 jobs")])
def test_a_sentence_counts_in_words(n: int, said: str) -> None:
    assert filters.count(n, "job") == said


@pytest.mark.parametrize(
    ("ago", "said"),
    [(timedelta(), "now"), (timedelta(seconds=44), "44 s ago"), (timedelta(hours=2), "2 h ago"), (-timedelta(minutes=5), "in 5 min")],
)
def test_a_time_in_a_list_is_relative(ago: timedelta, said: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert filters.relative(NOW - ago) == said


def test_a_time_carries_the_instant_for_the_browser_and_utc_without_scripts() -> None:
    tag = filters.time_tag(NOW, relative=False)
    assert 'datetime="2026-03-01T12:00:00.000Z"' in tag
    assert ">2026-03-01 12:00:00 UTC<" in tag


def test_commands_in_words_become_code_and_nothing_else_becomes_markup() -> None:
    assert filters.code_spans("Start `celeriac beat`, <b>now</b>.") == Markup(
        "Start <code>celeriac beat</code>, &lt;b&gt;now&lt;/b&gt;."
    )


def test_a_long_value_is_cut_in_the_middle_and_whole_on_hover() -> None:
    cut = filters.middle("a" * 20 + "<" + "b" * 20, 11)
    assert ">aaaaa…bbbbb<" in cut
    assert "&lt;" in cut


def test_json_is_shown_as_it_is() -> None:
    assert filters.json_text({"ü": "<b>"}) == '{"ü": "<b>"}'
