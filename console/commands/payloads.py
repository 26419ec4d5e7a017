"""A payload as it is given on the command line: in place, from a file, or from standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from console.errors import InvalidInput


def payload_of(text: str) -> dict[str, Any]:
    """The payload. Raises `InvalidInput` when it cannot be read or is no JSON object."""
    try:
        given = json.loads(_read(text))
    except OSError as error:
        raise InvalidInput(f"--payload {text} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"--payload is not JSON: {error}. Quote it for the shell: '{{\"seconds\": 1}}'.") from None
    if not isinstance(given, dict):
        raise InvalidInput("--payload must be a JSON object, such as '{\"seconds\": 1}'.")
    return given


def _read(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    return Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text
