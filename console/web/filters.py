"""How pages write numbers, durations and times."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from console import clock

THIN = "\N{NARROW NO-BREAK SPACE}"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))


def init_app(app: Flask) -> None:
    """Gives the filters to the templates."""
    app.jinja_env.filters.update(
        number=number, count=count, duration_ms=duration_ms, time_tag=time_tag, relative=relative, middle=middle,
        code_spans=code_spans, json_text=json_text, instant=clock.from_ms,
    )


def number(value: float | None) -> str:
    """A figure with thin separators; a dash for none."""
    return "–" if value is None else f"{value:,.0f}".replace(",", THIN)


def count(value: int, one: str, many: str = "") -> str:
    """A number with what it counts, for sentences: "1 job", "3,412 jobs"."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration_ms(ms: float | None) -> str:
    """A duration in the unit a person would say: 340 ms, 1.8 s, 4 min, 2.5 h, 3 d; a dash for none."""
    if ms is None:
        return "–"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    for size, unit in _UNITS:
        if seconds >= size * 0.9995:
            return f"{_short(seconds / size)} {unit}"
    return f"{_short(seconds)} s"


def relative(at: datetime) -> str:
    """How long ago, or how far ahead, in words; what a browser keeps up to date."""
    seconds = (clock.now() - at).total_seconds()
    if abs(seconds) < 1:
        return "now"
    said = duration_ms(abs(int(seconds)) * 1000)
    return f"{said} ago" if seconds > 0 else f"in {said}"


def time_tag(at: datetime | None, relative: bool = True) -> Markup | str:
    """A <time> that the browser writes in the zone of whoever looks; without scripts it says it in UTC."""
    if at is None:
        return "–"
    machine = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    exact = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    words = _relative(at) if relative else exact
    kind = "relative" if relative else "absolute"
    return Markup('<time datetime="{}" data-time="{}" title="{}">{}</time>').format(machine, kind, exact, words)


_relative = relative


def middle(text: str, length: int = 24) -> Markup:
    """A long value cut in the middle, whole on hover."""
    if len(text) <= length:
        return escape(text)
    half = (length - 1) // 2
    return Markup('<span title="{}">{}…{}</span>').format(text, text[:half], text[-half:])


def code_spans(text: str) -> Markup:
    """Plain words in which `commands` stand between backticks."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def json_text(value: Any, indent: int | None = None) -> str:
    """A value as JSON to read; Jinja escapes it as it does any text."""
    return json.dumps(value, indent=indent, ensure_ascii=False)


def _short(value: float) -> str:
    """One decimal below ten, if it says anything."""
    text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    return text.removesuffix(".0")
