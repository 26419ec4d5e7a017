"""When this web process has to stop: open streams watch `stopping`, so that they do not hold it up."""

from __future__ import annotations

import threading

stopping = threading.Event()
"""Set once, when the process was asked to stop. A stream waits on it instead of sleeping, and ends when it is set."""
