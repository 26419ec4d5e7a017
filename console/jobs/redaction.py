"""Which values of a payload or a result are not for everybody. Pure, but for one setting.

A value is sensitive because of the name it stands under, at whatever depth (`password`, `apiKey`, `card_number`), or
because its job type says so: a `SecretStr`, or a field with `json_schema_extra={"sensitive": True}`. No rule could tell
a password in a sentence; where the job's own values stand in what it says, errors and log lines, `masking` hides them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any, TypeAlias

from pydantic import BaseModel

from console.config import settings
from console.jobs import registry

HIDDEN = "[hidden]"
"""What stands in the place of a sensitive value. Sent back at the same place, it means the value that is there."""
NAMES = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "jwt", "bearer", "authorization", "auth", "api_key",
    "access_key", "private_key", "secret_key", "credential", "credentials", "cookie", "card", "card_number", "cvv",
    "cvc", "iban", "ssn", "otp", "pin",
)  # fmt: skip
ANY = "*"
"""In a path of a schema: whatever index or name stands there."""
_LONG_NAME = 5
_DEPTH = 12
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NAMED = re.compile(
    r"""(?P<name>['"]?[A-Za-z_][\w\- ]*['"]?)(?P<is>\s*[:=]\s*)"""
    r"""(?P<value>b?'(?:[^'\\]|\\.)*'?|b?"(?:[^"\\]|\\.)*"?|[^\s,)}\]]+)"""
)
_PLACE = re.compile(r"[+-]?\d+")
_QUOTES = re.compile(r"""^b?["']|["']$""")

Path: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What is sensitive in the jobs of one type. `paths`: those of the type's schema, within the keyword arguments."""

    paths: frozenset[Path] = frozenset()
    names: tuple[str, ...] = NAMES
    is_sensitive: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_sensitive", _remembering(self.names))

    def hides(self, path: Path) -> bool:
        """Whether the value at this path is sensitive by itself; what it stands in may be, too.

        A path begins with `kwargs` or `args` in a payload; that of a result begins with the result's own names.
        """
        if path and not path[-1].isdigit() and self.is_sensitive(path[-1][:200]):
            return True
        return bool(self.paths) and path[:1] == ("kwargs",) and any(_fits(path[1:], known) for known in self.paths)


    def may_hide(self, path: Path) -> bool:
        """The same of a path that somebody typed, where any place in a list stands for all: `01` and `-1` name one."""
        typed = _somewhere(path[1:])
        return self.hides(path) or any(_fits(typed, _somewhere(known)) for known in self.paths)


def rules_of(job_type: str) -> Rules:
    """The rules for the jobs of this type, whether this process knows it or not."""
    kind = registry.known(job_type)
    return Rules(frozenset() if kind is None else _paths_of(kind.schema), _names(settings().sensitive))


def redacted(value: Any, rules: Rules, path: Path = (), hidden: list[Path] | None = None) -> Any:
    """The value with each sensitive one replaced by `HIDDEN`. Nothing (null) has nothing to hide.

    `hidden`: a list that gets the paths of what was replaced.
    """
    if path and value is not None and rules.hides(path):
        if hidden is not None:
            hidden.append(path)
        return HIDDEN
    if isinstance(value, dict):
        return {key: redacted(item, rules, (*path, str(key)), hidden) for key, item in value.items()}
    if isinstance(value, list):
        if not rules.paths and not any(isinstance(item, dict | list) for item in value):
            return value  # numbers of a list are no names; there may be a million
        return [redacted(item, rules, (*path, str(number)), hidden) for number, item in enumerate(value)]
    return value


def hidden_values(value: Any, rules: Rules) -> Iterator[Any]:
    """What `redacted` replaces. Paths are made up where the job type has some only: it takes most of the time."""
    rest: list[tuple[Path, Any]] = [((), value)]
    while rest:
        path, item = rest.pop()
        pairs: Iterable[tuple[Any, Any]]
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, below in pairs:
            step = (*path, str(key)) if rules.paths else (str(key),) if isinstance(item, dict) else ()
            if below is not None and rules.hides(step):
                yield below
            elif isinstance(below, dict | list):
                rest.append((step, below))


def restored(edited: Any, original: Any, rules: Rules, path: Path = ()) -> Any:
    """What somebody edited without seeing all of it: `HIDDEN` becomes what stood at the same sensitive place."""
    if edited == HIDDEN and original is not None and path and rules.hides(path):
        return original
    if isinstance(edited, dict) and isinstance(original, dict):
        return {key: restored(item, original.get(key), rules, (*path, key)) for key, item in edited.items()}
    if isinstance(edited, list) and isinstance(original, list):
        known = [*original, *[None] * (len(edited) - len(original))]
        return [restored(item, known[n], rules, (*path, str(n))) for n, item in enumerate(edited)]
    return edited


def redacted_text(text: str, rules: Rules) -> str:
    """Arguments as Python or Celery writes them, `{'password': 'x'}` or `f(token='x')`, without what is sensitive."""

    def hide(found: re.Match[str]) -> str:
        name = found["name"].strip("'\"")
        return f"{found['name']}{found['is']}{HIDDEN}" if rules.is_sensitive(name[:200]) else found[0]

    return _NAMED.sub(hide, text)


def named_values(text: str, rules: Rules) -> list[str]:
    """The values that `redacted_text` hides, without their quotes."""
    found = [match["value"] for match in _NAMED.finditer(text) if rules.is_sensitive(match["name"].strip("'\"")[:200])]
    return [_QUOTES.sub("", value) for value in found]


@lru_cache(maxsize=64)
def _names(more: str) -> tuple[str, ...]:
    return (*NAMES, *filter(None, (name.strip() for name in more.split(","))))


@lru_cache(maxsize=64)
def _remembering(names: tuple[str, ...]) -> Callable[[str], bool]:
    """`_is_sensitive` for these names: a payload has few keys, each of them many times."""
    return lru_cache(maxsize=4_096)(partial(_is_sensitive, names=names))


def _is_sensitive(key: str, names: tuple[str, ...]) -> bool:
    """Whether a sensitive name stands in the key as whole words: `cardNumber` and `card` do, `discard` does not.

    Written in one, a long one counts at the end as well: `dbpassword`, `accesstoken`.
    """
    words = [word.lower() for word in _WORDS.findall(key)]
    squashed = "".join(words)
    for name in names:
        wanted = [word.lower() for word in _WORDS.findall(name)]
        plain = "".join(wanted)
        if squashed == plain or (len(plain) >= _LONG_NAME and squashed.endswith(plain)):
            return bool(plain)
        if any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1)):
            return bool(plain)
    return False


def _fits(path: Path, known: Path) -> bool:
    return len(path) == len(known) and all(part in (ANY, given) for given, part in zip(path, known, strict=True))


def _somewhere(path: Path) -> Path:
    return tuple("0" if _PLACE.fullmatch(step) else step for step in path)


@lru_cache(maxsize=256)
def _paths_of(schema: type[BaseModel]) -> frozenset[Path]:
    whole = schema.model_json_schema()
    return frozenset(_said_by(whole, whole.get("$defs", {}), (), 0))


def _said_by(schema: Any, known: dict[str, Any], path: Path, depth: int) -> Iterator[Path]:
    """The paths that a JSON schema calls sensitive: `sensitive`, or written only, as a secret is."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    if path and (schema.get("sensitive") is True or (schema.get("writeOnly") and schema.get("format") == "password")):
        yield path
        return
    for part, below in _parts(schema, known):
        yield from _said_by(below, known, (*path, *part), depth + 1)


def _parts(schema: dict[str, Any], known: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The schemas within one, each with what it adds to the path."""
    if isinstance(reference := schema.get("$ref"), str):
        yield (), known.get(reference.rpartition("/")[2])
    for word in ("anyOf", "oneOf", "allOf"):
        yield from (((), choice) for choice in schema.get(word, ()))
    yield from (((name,), item) for name, item in schema.get("properties", {}).items())
    yield from (((ANY,), schema.get(word)) for word in ("items", "additionalProperties"))
    yield from (((str(number),), item) for number, item in enumerate(schema.get("prefixItems", ())))
