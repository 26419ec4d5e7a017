"""How the commands print: tables for people, JSON for programs, notes on standard error. Never a colour."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from console import clock

GAP = "  "
LEAST_WIDTH = 8
"""A column is not cut below this; a terminal too narrow for that wraps."""
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))


def as_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def note(text: str) -> None:
    """Something people want to know and programs do not, on standard error."""
    click.echo(text, err=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]], right: Sequence[str] = ()) -> None:
    """Aligned columns, those named in `right` to the right.

    On a terminal, the widest columns are cut so that a row stays a line; elsewhere nothing is.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    if sys.stdout.isatty():
        _narrow(widths, shutil.get_terminal_size().columns)
    aligned_right = [head in right for head in heads]
    for line in (heads, *cells):
        fitted = [
            _cut(text, width).rjust(width) if to_right else _cut(text, width).ljust(width)
            for text, width, to_right in zip(line, widths, aligned_right, strict=True)
        ]
        click.echo(GAP.join(fitted).rstrip())


def number(value: int) -> str:
    """With separators: 12,345."""
    return f"{value:,}"


def counted(value: int, one: str = "job", many: str = "") -> str:
    """A number with its noun: 1 job, 2,000 jobs."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration(ms: float | None) -> str:
    """In the unit a person would say: 340 ms, 1.8 s, 4 min, 3 h, 2 d; "-" for none."""
    if ms is None:
        return "-"
    for size, unit in _UNITS:
        if ms >= size:
            whole = ms / size
            return f"{whole:.1f} {unit}" if unit == "s" and whole < 10 else f"{int(whole)} {unit}"
    return f"{int(ms)} ms"


def ago(at: datetime | None) -> str:
    """How long ago: "4 min ago"; "-" for never."""
    return "-" if at is None else f"{duration(max(0, clock.now_ms() - clock.to_ms(at)))} ago"


def instant(at: datetime | None) -> str | None:
    """As the API writes it."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def plain(text: str) -> str:
    """Text of a job without what a terminal would obey; its lines stay."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)


def _cell(value: Any) -> str:
    """One line, and nothing that a terminal would obey: errors and names come from jobs."""
    text = "-" if value is None or value == "" else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _narrow(widths: list[int], room: int) -> None:
    """Takes from the widest column until a row fits."""
    while sum(widths) + len(GAP) * (len(widths) - 1) > room:
        widest = max(range(len(widths)), key=lambda i: widths[i])
        if widths[widest] <= LEAST_WIDTH:
            return
        widths[widest] -= 1


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
