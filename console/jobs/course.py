"""The states that a job went through as a picture: a machine, its loops counted, durations on its edges. Pure.

The same machine is laid out twice: from left to right for wide screens, from top to bottom for phones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from console import clock
from console.jobs.queries import Moment
from console.jobs.rules import ENDED, State

_STATES = {
    "scheduled": State.SCHEDULED,
    "published": State.PENDING,
    "received": State.PENDING,
    "started": State.PROCESSING,
    "retry": State.RETRYING,
    "lost": State.PENDING,
    "succeeded": State.COMPLETED,
    "failed": State.FAILED,
    "cancelled": State.CANCELLED,
}
_ROW = (State.SCHEDULED, State.PENDING, State.PROCESSING)
_WIDTH, _HEIGHT = 104, 30
_GAP_X, _GAP_Y = 84, 44
_LABEL = 30
"""Room to the left of the first box for the words beside the arrow that comes back to it."""

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Edge:
    """From one state to another: how often, and how long the job was in the first one before it, in all."""

    source: State
    target: State
    times: int
    ms: int


@dataclass(frozen=True, slots=True)
class Course:
    """`states` in the order in which the job first was in them; the last entry of its story is `now`."""

    states: list[State]
    edges: list[Edge]
    now: State


@dataclass(frozen=True, slots=True)
class Box:
    """A state on the picture."""

    state: State
    x: float
    y: float
    width: float
    height: float
    is_now: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """An edge on the picture: `path` is SVG; the label stands at (x, y), anchored at its start, middle or end."""

    edge: Edge
    path: str
    x: float
    y: float
    anchor: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What to draw, and on how much room."""

    width: float
    height: float
    boxes: list[Box]
    arrows: list[Arrow]


def course_of(moments: Sequence[Moment], now: State) -> Course:
    """The machine of a timeline. `now` is the state of the row, which tells RETRYABLE from FAILED."""
    found: dict[tuple[State, State], tuple[int, int]] = {}
    states: list[State] = []
    at, since = None, 0
    for place, moment in enumerate(moments):
        state = _STATES.get(moment.kind)
        if state is None or (state == at and moment.kind != "lost"):
            continue
        if state in ENDED and place == len(moments) - 1 and now in ENDED:
            state = now
        if at is not None and state != at:
            times, ms = found.get((at, state), (0, 0))
            found[at, state] = times + 1, ms + max(0, clock.to_ms(moment.at) - since)
        if state not in states:
            states.append(state)
        at, since = state, clock.to_ms(moment.at)
    if now not in states:
        states.append(now)
        if at is not None:
            found.setdefault((at, now), (1, 0))
    return Course(states, [Edge(*pair, *counted) for pair, counted in found.items()], now)


def draw(course: Course, *, upright: bool = False) -> Picture:
    """The states of a job without trouble in a row, retries beside it, and everything else as an arc."""
    line = [state for state in _ROW if state in course.states]
    has_loop = State.RETRYING in course.states and bool(line)
    line += [state for state in course.states if state not in _ROW and not (has_loop and state == State.RETRYING)]
    boxes = {state: _box(state, place, upright, course.now, has_loop) for place, state in enumerate(line)}
    if has_loop:
        boxes[State.RETRYING] = _beside(boxes, line, upright, course.now)
    arcs = 0
    arrows = []
    for edge in course.edges:
        a, b = boxes[edge.source], boxes[edge.target]
        if has_loop and State.RETRYING in (edge.source, edge.target):
            arrows.append(_to_side(edge, a, b, upright))
        elif edge.target in line and line.index(edge.target) == line.index(edge.source) + 1:
            arrows.append(_straight(edge, a, b, upright))
        else:
            arrows.append(_arc(edge, a, b, upright, arcs))
            arcs += 1
    width = max(box.x + box.width for box in boxes.values()) + 2
    height = max(box.y + box.height for box in boxes.values()) + 2
    if upright:
        return Picture(max(width, 318), height, list(boxes.values()), arrows)
    return Picture(width, height + (34 + 20 * (arcs - 1) if arcs else 0), list(boxes.values()), arrows)


def _box(state: State, place: int, upright: bool, now: State, has_loop: bool) -> Box:
    if upright:
        return Box(state, 2, 2 + place * (_HEIGHT + _GAP_Y), _WIDTH, _HEIGHT, state == now)
    x = (_LABEL if has_loop else 2) + place * (_WIDTH + _GAP_X)
    return Box(state, x, 76 if has_loop else 6, _WIDTH, _HEIGHT, state == now)


def _beside(boxes: dict[State, Box], line: list[State], upright: bool, now: State) -> Box:
    """Between waiting and running, off the line."""
    around = [boxes[state] for state in (State.PENDING, State.PROCESSING) if state in boxes] or [boxes[line[0]]]
    is_now = now == State.RETRYING
    if upright:
        y = sum(box.y for box in around) / len(around)
        return Box(State.RETRYING, 212, y, _WIDTH, _HEIGHT, is_now)
    x = sum(box.x for box in around) / len(around)
    return Box(State.RETRYING, x, 6, _WIDTH, _HEIGHT, is_now)


def _straight(edge: Edge, a: Box, b: Box, upright: bool) -> Arrow:
    if upright:
        x, y0, y1 = a.x + a.width / 2, a.y + a.height, b.y
        return Arrow(edge, f"M{x:g} {y0:g}V{y1 - 2:g}", x + 8, (y0 + y1) / 2 + 4, "start")
    y, x0, x1 = a.y + a.height / 2, a.x + a.width, b.x
    return Arrow(edge, f"M{x0:g} {y:g}H{x1 - 2:g}", (x0 + x1) / 2 - 2, y - 6, "middle")


def _to_side(edge: Edge, a: Box, b: Box, upright: bool) -> Arrow:
    """Between the line and RETRYING. What goes out and what comes back keep to different sides."""
    goes_out = edge.target == State.RETRYING
    on_line, beside = (a, b) if goes_out else (b, a)
    if upright:
        x0, y0 = on_line.x + on_line.width, on_line.y + on_line.height / 2
        is_below = y0 > beside.y + beside.height / 2
        x1, y1 = beside.x + beside.width / 2, beside.y + (beside.height if is_below else 0)
        bend = f"Q{x1:g} {y0:g}"
        path = f"M{x0:g} {y0:g}{bend} {x1:g} {y1 + (2 if is_below else -2):g}"
        if not goes_out:
            path = f"M{x1:g} {y1:g}{bend} {x0 + 2:g} {y0:g}"
        return Arrow(edge, path, x0 + 52, y0 + (18 if is_below else -8), "middle")
    x0, y0 = on_line.x + on_line.width / 2, on_line.y
    is_right = x0 > beside.x + beside.width / 2
    x1, y1 = beside.x + (beside.width if is_right else 0), beside.y + beside.height / 2
    path = f"M{x0:g} {y0:g}Q{x0:g} {y1:g} {x1 + (2 if is_right else -2):g} {y1:g}"
    if not goes_out:
        path = f"M{x1:g} {y1:g}Q{x0:g} {y1:g} {x0:g} {y0 - 2:g}"
    return Arrow(edge, path, x0 + (6 if is_right else -6), y0 - 14, "start" if is_right else "end")


def _arc(edge: Edge, a: Box, b: Box, upright: bool, number: int) -> Arrow:
    """Anything else, such as back to the queue after a worker was lost, or cancelled while it waited."""
    if upright:
        x, y0, y1 = a.x + a.width, a.y + a.height * 0.7, b.y + b.height * 0.3
        out = x + 40 + 14 * number
        path = f"M{x:g} {y0:g}C{out:g} {y0:g} {out:g} {y1:g} {x + 2:g} {y1:g}"
        return Arrow(edge, path, out - 6, (y0 + y1) / 2, "start")
    shift = 10 if b.x < a.x else -10
    x0, x1, y = a.x + a.width / 2 + shift, b.x + b.width / 2 - shift, a.y + a.height
    low = y + 24 + 20 * number
    path = f"M{x0:g} {y:g}C{x0:g} {low:g} {x1:g} {low:g} {x1:g} {y + 2:g}"
    return Arrow(edge, path, (x0 + x1) / 2, y + 0.75 * (low - y) + 13, "middle")  # below its deepest point
