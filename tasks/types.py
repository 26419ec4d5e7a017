"""The modules that hold job types."""

from __future__ import annotations

from importlib import import_module

MODULES = ("tasks.emails", "tasks.heavy", "tasks.demo", "tasks.demo_shop", "tasks.upkeep")


def load() -> None:
    """Imports every module of job types; each registers what it defines."""
    for name in MODULES:
        import_module(name)
