"""Whoever asks for something. Known to every layer: services write it down, the web kit finds out who it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a token, the command line or Celeriac itself."""

    name: str
    role: str
    address: str | None = None


SYSTEM = Actor("celeriac", "admin")
