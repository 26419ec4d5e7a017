"""Tracebacks for reading: the application's own frames in sight, those of libraries folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

_FRAME = re.compile(r'^  File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in (?P<name>.+))?', re.MULTILINE)
_LIBRARY = re.compile(
    r"(^|/)(site-packages|dist-packages|lib/python3[^/]*|<frozen [^>]*>)/|^<frozen |(^|/)tasks/job\.py$"
)
"""Libraries, and what of ours every job runs through."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of a traceback. `frames`: how many calls they show; folded ones belong to libraries."""

    text: str
    is_folded: bool
    frames: int


def parts(traceback: str) -> list[Part]:
    """The traceback in order, cut where it goes from the application into libraries and back.

    When every frame belongs to a library, none is folded: something has to be seen.
    """
    pieces = list(_pieces(traceback))
    has_own = any(not is_library and _FRAME.match(text) for is_library, text in pieces)
    found = []
    for is_library, group in groupby(pieces, key=lambda piece: piece[0]):
        texts = [text for _, text in group]
        found.append(Part("".join(texts), is_library and has_own, sum(bool(_FRAME.match(text)) for text in texts)))
    return found


def place_of(found: list[Part]) -> str:
    """Where it failed: the last call in the application's own code, as "shop/pay.py:7, in charge"; empty: unknown."""
    frames = [frame for part in found if not part.is_folded for frame in _FRAME.finditer(part.text)]
    if not frames:
        return ""
    path, name = frames[-1]["path"].split("/"), frames[-1]["name"]
    return f"{'/'.join(path[-2:])}:{frames[-1]['line']}{f', in {name}' if name else ''}"


def _pieces(traceback: str) -> Iterator[tuple[bool, str]]:
    """(is of a library, text): one frame with its source lines, or one line that is no frame."""
    frame: list[str] = []
    is_library = False
    for line in traceback.splitlines(keepends=True):
        match = _FRAME.match(line)
        if frame and (match or not line.startswith("    ")):
            yield is_library, "".join(frame)
            frame = []
        if match:
            frame, is_library = [line], bool(_LIBRARY.search(match["path"]))
        elif frame:
            frame.append(line)
        else:
            yield False, line
    if frame:
        yield is_library, "".join(frame)
