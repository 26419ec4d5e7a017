"""Dispatches jobs steadily until standard input is closed, as a process of its own; then prints what it noted of each:
id, when the call began (ms since 1970), and how many ms it took.
"""

from __future__ import annotations

import json
import random
import select
import sys

from console import clock


def main(queue: str, rate: float) -> None:
    """Dispatches `rate` jobs a second, at random intervals."""
    from bench.frame import jobs

    jobs.dispatch("demo.noop", queue=queue)  # imports, connects
    print("ready", flush=True)
    noted: list[tuple[str, float, float]] = []
    while not select.select([sys.stdin], [], [], random.uniform(0.5, 1.5) / rate)[0]:
        began_ms, began = clock.now_ms(), clock.monotonic()
        [job_id] = jobs.dispatch("demo.noop", queue=queue)
        noted.append((job_id, began_ms, (clock.monotonic() - began) * 1000))
    print(json.dumps(noted), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
