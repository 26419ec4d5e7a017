"""`celeriac schedules`, and files that own schedules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from console.cli import main

pytestmark = pytest.mark.usefixtures("sqlite_database", "broker")

FILE = """
owner: shop
calendars:
  holidays: |
    2026-12-24..2026-12-26
schedules:
  - name: Nightly report
    type: demo.noop
    kind: cron
    cron: "30 2 * * *"
    timezone: Europe/Berlin
    blackouts: [holidays]
    starts_at: 2026-11-01T00:00:00Z
  - {name: Often, type: elsewhere.task, args: [1], queue: other, kind: every, every: 5}
"""


def run(*words: str, fails: int = 0) -> str:
    done = CliRunner().invoke(main, ["schedules", *words])
    assert done.exit_code == fails, done.output
    return done.output


def blackouts(*words: str, fails: int = 0) -> str:
    done = CliRunner().invoke(main, ["blackouts", *words])
    assert done.exit_code == fails, done.output
    return done.output


@pytest.fixture
def file(tmp_path: Path) -> Any:
    path = tmp_path / "schedules.yaml"
    path.write_text(FILE)
    return path


def test_a_file_is_applied_once_owns_what_it_says_and_takes_it_away_again(file: Path) -> None:
    assert "create  Often" in run("diff", str(file), fails=1)
    run("apply", str(file))
    assert run("apply", str(file)) == run("diff", str(file)) == "Nothing to change.\n"
    assert "owns this schedule" in run("edit", "Often", "--every", "1h", fails=3)
    file.write_text(FILE.replace("every: 5", "every: 6"))
    assert "every: 5 → 6" in run("apply", str(file))
    exported = run("export", "--owner", "shop")
    assert "Nightly report" in exported and "holidays" in exported
    file.write_text(exported)
    assert run("diff", str(file)) == "Nothing to change.\n"
    file.write_text("owner: shop\nschedules: []\n")
    assert run("apply", str(file)).count("delete") == 2


def test_what_people_own_is_refused_until_it_is_adopted(file: Path) -> None:
    run("create", "Often", "--type", "demo.noop", "--every", "1h")
    assert "people own it" in run("apply", str(file), fails=2)
    assert "Nightly" not in run("list")  # all or nothing
    assert "adopt" in run("apply", str(file), "--adopt")


@pytest.mark.parametrize("text", ["- x", "schedules: {a: 1}", "schedules: [1]", "x: 1", "a: [", "schedules:\n- {name: a}",
                                  "schedules:\n- &a {name: a, type: demo.noop, kind: every, every: 1}\n- *a"])
def test_a_file_that_cannot_be_used_is_told(file: Path, text: str) -> None:
    file.write_text(text)
    assert "Error: " in run("apply", str(file), fails=2)


def test_by_hand(file: Path) -> None:
    assert "Every 2 hours" in run("create", "often", "--type", "demo.noop", "--every", "2h")
    assert "Every hour" in run("edit", "often", "--every", "1h", "--set", "tags=a,b")
    assert "paused" in run("pause", "often", "--reason", "inventory", "--until", "2099-01-01")
    assert run("resume", "often") == "often is active.\n"
    assert len(run("run", "often").strip()) == 36
    span = ("--from", "2026-11-01", "--to", "2026-11-02")
    assert "24 jobs would be made" in run("backfill", "often", *span, "--dry-run")
    assert "Made 24 jobs" in run("backfill", "often", *span)
    shown = run("show", "often")
    assert "next" in shown and "fired" in shown
    assert run("import", str(file)) == "Made 2 schedules; 0 were there already.\n"
    assert "Deleted often" in run("delete", "often")
    for wrong in (("--every", "1x"), ("--cron", "* *"), ("--payload", "{"), ("--at", "noon"), ("--every", "1h", "--cron", "@daily")):
        run("create", "x", "--type", "demo.noop", *wrong, fails=2)


def test_what_comes_and_what_collides_and_is_spread() -> None:
    for n in range(11):
        run("create", f"s{n:02}", "--type", "demo.noop", "--cron", "0 * * * *")
    assert "s10" in run("calendar", "--text", "s1", "--timezone", "Asia/Kolkata")
    hours = json.loads(run("calendar", "--json", "--days", "2", "--from", "2026-01-01"))["data"]
    assert len(hours) == 48 and hours[0]["start"] == "2026-01-01T00:00:00.000Z"
    assert "11 in one second: s00, s01, s02" in run("heat")
    assert json.loads(run("heat", "--json"))["peak"]["second"] == 11
    assert "jitter_s: 0 → 60" in run("spread") and "add --apply" in run("spread")
    at = json.loads(run("heat", "--json"))["collisions"][0]["at"]
    assert "Spread 10 schedules." in run("spread", "--way", "shift", "--over", "3600", "--at", at, "--apply")
    assert run("spread") == "Nothing to spread.\n"
    assert "is no time" in run("spread", "--at", "soon", fails=2)


def test_blackouts_are_kept_tried_first_and_taken_out(tmp_path: Path) -> None:
    run("create", "nightly", "--type", "demo.noop", "--cron", "0 9 * * *")
    calendar = tmp_path / "h.ics"
    calendar.write_text("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20200102\nRRULE:FREQ=YEARLY\nEND:VEVENT\nEND:VCALENDAR\n")
    tried = blackouts("set", "holidays", str(calendar), "--schedule", "nightly", "--dry-run")
    assert "1 run fall away" in tried and "nightly: -1 +0" in tried and "no calendar" in blackouts("list")
    assert json.loads(blackouts("set", "holidays", str(calendar), "--schedule", "nightly", "--json"))["gone"] == 1
    assert json.loads(blackouts("list", "--json"))["data"][0]["users"] == 1
    assert json.loads(blackouts("show", "holidays", "--json"))["effect"]["affected"][0]["name"] == "nightly"
    assert "not in holidays" in run("list")
    assert "keeps to this calendar" in blackouts("delete", "holidays", fails=3)
    blackouts("delete", "holidays", "--detach")
    assert "not in holidays" not in run("list")
    blackouts("set", "x", fails=2)
    assert "There is no schedule" in blackouts("set", "x", "--date", "2026-12-25", "--schedule", "nobody", fails=2)
    assert "Line 1" in blackouts("set", "x", "--date", "soon", fails=2)
