"""Which failures are alike: job type, exception class, what the message says without its values, and the place.

The place is a function rather than a line, and of its file only the last two parts of the path count, so that neither
an edit above it nor another release directory makes a new group. Pure, and cached: a recorder sees the same again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

MAX_PATTERN = 300
MAX_FRAME = 255
_READ = 2_000
"""Characters of a message that are looked at."""
_CACHED = 4_096

_FRAME = re.compile(r'^[ |+-]*File "(?P<path>[^"]+)", line \d+, in (?P<function>.+)$', re.MULTILINE)
_NEXT_ERROR = re.compile(r"^[ |+-]*Traceback \(most recent call last\):$", re.MULTILINE)
_FOREIGN = re.compile(
    r"(?:^|[/\\])(?:site-packages|dist-packages|lib[/\\]python3[^/\\]*|celery|billiard|kombu)[/\\]"
    r"|^<|(?:^|[/\\])tasks[/\\]job\.py$|(?:^|[/\\])console[/\\]tracking[/\\]"
)
"""Libraries, Python's own modules, and what of ours every job runs through."""
_BUILD = re.compile(r"[0-9a-f]{7,}|\d+")
"""What differs from one release to the next in the name of a directory."""

_DAYS = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_MONTHS = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
_ZONE = r"(?:Z|UTC|GMT|[+-]\d\d:?\d\d)"
_GROUP = "[0-9a-fA-F]{1,4}"
_IP6 = f"(?:{_GROUP}:){{3,7}}(?::?{_GROUP})+|(?:{_GROUP}:){{1,6}}:(?:{_GROUP}:?)*"
_NAME = "[A-Za-z_.]+"
_BEFORE_NAMES = (
    "(?:constraint|relation|column|table|index|attribute|module named|import name|argument|variable|field)"
)
_MIXED = r"[A-Za-z_]+[-#]?\d|\d+[A-Za-z_-]*[A-Za-z_]"
"""Letters and digits in one word."""
_UNIT = r"[\d.,]+[a-zA-Z]{1,3}"
"""A number with its unit: of it only the number goes."""
_TOKENS: tuple[tuple[str, str | None, str], ...] = (
    # name, what stands in its place (None: it stays), what it looks like; the first that fits holds
    ("sql", "[parameters: …]", r"\[parameters:.*\]"),
    ("input", "input_value=<value>", r"input_value=.*?, input_type=\w+"),
    ("key", "=(<value>)", r"=\((?:[^()]|\([^()]*\))*\)(?= (?:already|is not|conflicts|is still))"),
    ("row", "row contains (…)", r"row contains \(.*?\)(?=\.|$)"),
    ("url", "<url>", r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s'\"<>)\]}]+"),
    ("email", "<email>", r"[\w.+%-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"),
    ("uuid", "<id>", r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"),
    ("day", "<time>", rf"\b\d{{4}}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?{_ZONE})?)?"),
    ("date", "<time>", rf"\b(?:{_DAYS},? )?\d{{1,2}} {_MONTHS} \d{{4}}(?: \d\d:\d\d(?::\d\d)?(?: {_ZONE})?)?"),
    ("time", "<time>", r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?"),
    ("address", "<address>", r"\b0x[0-9a-fA-F]+\b"),
    ("ip", "<ip>", r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d+)?\b"),
    ("ip6", "<ip>", rf"(?<![\w:])(?:{_IP6}|::1)(?![\w:])"),
    # What programmers name stays: a missing attribute is another failure than a missing second one.
    ("named", None, rf"\b{_BEFORE_NAMES} ['\"][A-Za-z_][A-Za-z_.]*['\"]|\bname '[A-Za-z_]+'(?= is not defined)"),
    ("kind", None, rf"'[A-Za-z_.]+' (?:object|model)(?= has no)|type object '{_NAME}'|(?<=: )'{_NAME}' and '{_NAME}'$"),
    # A number that says which error it is stays too.
    ("errno", None, r"\[?\b[Ee]rrno[ =]-?\d+\]?|\b(?:status(?: code)?|HTTP(?:/\d\.\d)?|code)[ :=]+[1-9]\d{1,2}\b"),
    ("status", None, r"\b[45]\d\d (?=(?:Client|Server) Error)|^[45]\d\d\b|\([245]\d\d(?=, b)"),
    ("single", "<value>", r"(?<![\w'])[bru]{0,2}'(?:[^'\\\n]|\\.){0,80}'(?!\w)"),
    ("double", "<value>", r"(?<![\w\"])[bru]{0,2}\"(?:[^\"\\\n]|\\.){0,80}\"(?!\w)|“[^”\n]{0,80}”|`[^`\n]{0,80}`"),
    ("path", "<path>", r"(?<![\w/.<>])(?:~|\.{1,2})?/(?:[\w.@+~%=,-]+/)*[\w.@+~%=?&,-]*[\w@+~%=-]"),
    ("drive", "<path>", r"\b[A-Z]:\\[^\s'\":*?<>|]+"),
    ("file", "<path>", r"\b[\w-]{1,80}(?:/[\w.-]{1,80})+\.[a-z]{2,4}\b"),
    ("token", "<id>", r"\b(?=[A-Za-z_/+-]*\d)[A-Za-z0-9_/+-]{32,}={0,2}"),
    ("hex", "<id>", r"\b(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{7,}\b"),
    ("word", "<id>", rf"\b(?={_MIXED})(?!{_UNIT}\b)[A-Za-z0-9_]+(?:[-#][A-Za-z0-9_]*\d[A-Za-z0-9_]*)*"),
    ("number", "<n>", r"(?<![\w<])[-+]?\d+(?:[.,_]\d+)*(?:[eE][-+]?\d+)?"),
)
_TOKEN = re.compile("|".join(f"(?P<{name}>{look})" for name, _, look in _TOKENS), re.DOTALL)
_INSTEAD = {name: text for name, text, _ in _TOKENS}
_BRACES = re.compile(r"\{[^{}]*:[^{}]*\}")
_SEVERAL = re.compile(r"(<[a-z]+>)(?:(?:, ?| and | or |; ?|: ?| )\1)+")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a failure has in common with those that are alike. `frame`: "file:function"; empty: no traceback."""

    key: str
    type: str
    error_type: str
    pattern: str
    frame: str


def fingerprint_of(job_type: str, error_type: str | None, message: str | None, traceback: str | None) -> Fingerprint:
    """The fingerprint of a failure. What raised nothing has its reason as `error_type`."""
    # The frames without the message below them, which differs from job to job where the frames do not.
    frames = traceback[: traceback.rstrip().rfind("\n") + 1] if traceback else ""
    return _made(job_type, error_type or "", pattern_of(message or ""), frame_of(frames))


@lru_cache(maxsize=_CACHED)
def pattern_of(message: str) -> str:
    """The message with marks in the place of what differs from one time to the next."""
    text = message[:_READ]
    if "<locals>" in text or "<lambda>" in text:
        text = text.replace("<locals>", "locals").replace("<lambda>", "lambda")
    text = _TOKEN.sub(_instead, text)
    while text != (text := _BRACES.sub("<value>", text)):
        pass
    text = _SEVERAL.sub(r"\1, …", _SPACES.sub(" ", text)).strip()
    return text if len(text) <= MAX_PATTERN else text[: MAX_PATTERN - 1] + "…"


@lru_cache(maxsize=_CACHED)
def frame_of(traceback: str) -> str:
    """Where the application's own code was when it happened, as "file:function".

    The innermost frame that is not of a library, of the error that came last; if there is none, of those before it; if
    all are of libraries, the innermost one.
    """
    *before, last = _NEXT_ERROR.split(traceback)
    for part in (last, *reversed(before)):
        for path, function in reversed(_FRAME.findall(part)):
            if not _FOREIGN.search(path):
                return _place(path, function)
    found = _FRAME.findall(last)
    return _place(*found[-1]) if found else ""


@lru_cache(maxsize=_CACHED)
def _made(job_type: str, error_type: str, pattern: str, frame: str) -> Fingerprint:
    text = f"{job_type}\0{error_type}\0{pattern}\0{frame}"
    key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return Fingerprint(key, job_type, error_type, pattern, frame)


def _instead(match: re.Match[str]) -> str:
    instead = _INSTEAD[match.lastgroup or ""]
    return match[0] if instead is None else instead


def _place(path: str, function: str) -> str:
    *folders, file = path.replace("\\", "/").split("/")
    folder = f"{_BUILD.sub('*', folders[-1])}/" if folders and folders[-1] else ""
    return f"{folder}{file}:{function.strip()}"[:MAX_FRAME]
