"""What may be typed into the search box, what it means, and what is said of the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console.errors import InvalidInput
from console.jobs.filters import Condition, JobFilter
from console.jobs.rules import State
from console.jobs.search.language import KEYS, combined, format_filter, parse
from console.jobs.search.shown import shown
from console.jobs.search.terms import read, write

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FAILED = (State.RETRYABLE, State.FAILED)
BUT_DONE = tuple(state for state in State if state is not State.COMPLETED)


def one(key: str, value: str, compare: str = "=", negated: bool = False) -> JobFilter:
    return JobFilter(conditions=(Condition(key, value, compare, negated),))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", JobFilter()),
        ("   ", JobFilter()),
        ("state:failed", JobFilter(states=FAILED)),
        ("STATE:Failed", JobFilter(states=FAILED)),
        ("state:failed -state:retryable", JobFilter(states=(State.FAILED,))),
        ("state:completed,cancelled", JobFilter(states=(State.COMPLETED, State.CANCELLED))),
        ("state:completed state:cancelled", JobFilter(states=(State.COMPLETED, State.CANCELLED))),
        ("-state:completed", JobFilter(states=BUT_DONE)),
        ("queue:emails type:emails.send", JobFilter(queue="emails", type="emails.send")),
        ('queue:"with a blank"', JobFilter(queue="with a blank")),
        ("type:emails.*", one("type", "emails.", "^")),
        ('type:"emails.*"', JobFilter(type="emails.*")),
        ('type:"a b"*', one("type", "a b", "^")),
        ("-type:noise", one("type", "noise", negated=True)),
        ("type:a type:b", JobFilter(conditions=(Condition("type", "a"), Condition("type", "b")))),
        ("type:a type:a", JobFilter(type="a")),
        ("error:Timeout*", one("error", "Timeout", "^")),
        ("attempt:>2", one("attempt", "2", ">")),
        ("attempt:02", one("attempt", "2")),
        ("runtime:>=90s", one("runtime", "1m30s", ">=")),
        ("runtime:<1.5h", one("runtime", "1h30m", "<")),
        ("args.user_id:42", one("args.user_id", "42")),
        ("args.user.id:>42.5", one("args.user.id", "42.5", ">")),
        ("args.0:-3", one("args.0", "-3")),
        ('args.note:""', one("args.note", "")),
        ("args.Note:x", one("args.Note", "x")),
        ("reason:TIMEOUT", one("reason", "timeout")),
        ("id:0199*", one("id", "0199", "^")),
        ("internal:yes", JobFilter(internal=True)),
        ("internal:no", JobFilter()),
        ("4711", JobFilter(text="4711")),
        ('"no such name"', JobFilter(text="no such name")),
        ("a b", JobFilter(text="a", conditions=(Condition("text", "b"),))),
        ("-a b", JobFilter(text="b", conditions=(Condition("text", "a", negated=True),))),
        ("-", JobFilter(text="-")),
        ("12:30", JobFilter(text="12:30")),
        ("O'Neill", JobFilter(text="O'Neill")),
        ('he"llo', JobFilter(text='he"llo')),
        (r'"a \"b\" \\ \n"', JobFilter(text=r'a "b" \ \n')),
        ("star*", JobFilter(text="star*")),
        ("after:2h", JobFilter(after=NOW - timedelta(hours=2))),
        ("before:1d12h", JobFilter(before=NOW - timedelta(hours=36))),
        ("-before:2h", JobFilter(after=NOW - timedelta(hours=2))),
        ("after:2h after:1h", JobFilter(after=NOW - timedelta(hours=1))),
        ("before:2h before:1h", JobFilter(before=NOW - timedelta(hours=2))),
        ("after:2026-11-01", JobFilter(after=datetime(2026, 11, 1, tzinfo=UTC))),
        ("after:2026-11-01T12:00+01:00", JobFilter(after=datetime(2026, 11, 1, 11, tzinfo=UTC))),
    ],
)
def test_what_it_means(text: str, meant: JobFilter) -> None:
    assert parse(text, NOW) == meant
    assert parse(format_filter(meant), NOW) == meant


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("quue:emails", 1, "There is no key 'quue'. Keys are state, type"),
        ("a http://x", 3, "goes into quotes"),
        ("state:broken", 1, "States are SCHEDULED"),
        ("state:failed -state:failed", 14, "No state is left"),
        ("attempt:many", 1, "Write it like attempt:2"),
        ("attempt:99999999999", 1, "no whole number"),
        ("runtime:5", 1, "Write it like 5s"),
        ("runtime:>٣s", 1, "Write it like 5s"),
        ("before:soon", 1, "Write 2h for two hours ago"),
        ("before:99999999w", 1, ""),
        ("after:0001-01-01T00:00+14:00", 1, "no time"),
        ("queue:", 1, "Behind queue: comes what to look for"),
        ('a ""', 3, "Between the quotes"),
        ('a "b', 3, "not closed"),
        ('"a"b', 4, "A blank is missing"),
        ("error:>x", 1, "no greater and less"),
        ("args.x:>y", 1, "no number"),
        ("args:x", 1, "args.NAME:value"),
        ("args.a..b:x", 1, "no path"),
        ("args.a'b:x", 1, "no path"),
        ("reason:x*", 1, "takes no *"),
        ("reason:x", 1, "Use one of exception"),
        ("internal:maybe", 1, "Use one of yes, no"),
        ("a\0b", 2, "control character"),
        ("a" * 256, 1, "at most 255"),
        ("a " * 41, 81, "at most 40 conditions"),
        ("x" * 2001, 0, "longer than 2,000"),
    ],
)
def test_what_is_said_of_the_rest(text: str, place: int, says: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        parse(text, NOW)
    assert raised.value.detail.startswith(f"Character {place}: " if place else ""), raised.value.detail
    assert says in raised.value.detail
    assert raised.value.errors[0]["field"] == "q"


WORDS = st.sampled_from([*(f"{key}:" for key in KEYS), "args.a:", "args.0.b:", "-", '"', "*", ">", "<=", " ", "\\", "2h", "42", "failed", "yes"])


@given(st.one_of(st.text(), st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=12).map("".join)))
@example('-"')
@example('x:"\\')
@example("state:,")
@example("after:-1d")
@example("before:2026-W01")
@example("before:9999-12-31T23:59-23:59")
def test_whatever_is_typed_is_understood_or_refused_with_words(text: str) -> None:
    try:
        meant = parse(text, NOW)
    except InvalidInput:
        return
    assert parse(format_filter(meant), NOW + timedelta(days=1)) == meant
    assert JobFilter.from_json(meant.to_json()) == meant
    assert read(write(read(text))) == read(text)


VALUES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
CONDITIONS = st.builds(
    Condition, st.sampled_from(["error", "worker", "tag", "source", "args.a.b"]), VALUES, st.sampled_from("=^"), st.booleans()
)
FILTERS = st.builds(
    JobFilter,
    states=st.sets(st.sampled_from(State)).map(lambda chosen: tuple(state for state in State if state in chosen)),
    queue=st.one_of(st.just(""), VALUES), type=st.one_of(st.just(""), VALUES), text=st.one_of(st.just(""), VALUES),
    before=st.one_of(st.none(), st.datetimes(timezones=st.just(UTC))), internal=st.booleans(),
    conditions=st.lists(CONDITIONS, max_size=4, unique=True).map(tuple),
)


@given(FILTERS)
def test_a_filter_is_what_its_text_means(given: JobFilter) -> None:
    assert parse(format_filter(given), NOW) == given


def test_parameters_beside_the_search() -> None:
    terms = combined("error:Timeout", {"state": ["FAILED"], "text": ["a:b c"], "internal": ["1"], "queue": [""]})
    assert write(terms) == 'error:Timeout state:failed "a:b c" internal:yes'


def test_what_is_acted_on_is_said_once() -> None:
    with pytest.raises(InvalidInput, match="queue is given in q and beside it"):
        combined("queue:a", {"queue": ["b"]})


def test_a_parameter_that_is_wrong_is_named() -> None:
    with pytest.raises(InvalidInput) as raised:
        combined("", {"before": ["soon"]})
    assert raised.value.errors[0]["field"] == "before"


def test_the_form_stands_in_place_of_what_the_box_said() -> None:
    search = shown("queue:a after:2h", {"queue": ["b"], "error": ["-Time out*"], "args_path": ["user.id"], "args_value": [">3"]}, NOW, instead=True)
    assert search.q == 'after:2h queue:b -error:"Time out"* args.user.id:>3'
    assert search.fields == {
        "queue": "b", "error": "-Time out*", "after": "2h", "args_path": "user.id", "args_value": ">3",
    }
    assert search.rest == ""


def test_what_has_no_field_stays_in_the_box() -> None:
    search = shown("type:a type:b state:failed -queue:x 4711", {}, NOW, instead=True)
    assert search.fields == {}
    assert search.rest == search.q
    assert [chip.text for chip in search.chips] == ["type:a", "type:b", "-queue:x", "4711"]
    assert search.chips[0].without == "type:b state:failed -queue:x 4711"
    assert search.of_state("COMPLETED") == "state:completed type:a type:b -queue:x 4711"


@settings(max_examples=300)
@given(st.lists(st.one_of(WORDS, st.text(max_size=3)), max_size=12).map("".join))
def test_the_fields_of_the_form_say_what_the_box_says(text: str) -> None:
    try:
        search = shown(text, {}, NOW, instead=True)
    except InvalidInput:
        return
    again = shown(search.rest, {name: [value] for name, value in search.fields.items()}, NOW, instead=True)
    assert set(again.terms) == set(to_terms(search))


def to_terms(search):
    return [term for term in search.terms if term.key != "internal" or search.wanted.internal]
