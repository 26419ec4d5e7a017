"""Adds jobs to a queue steadily until standard input is closed, as a process of its own; then prints what it noted of
each: id, when the call began (ms since 1970), and whether it was "sent" as by any application or "dispatched" by us.
"""

from __future__ import annotations

import json
import random
import select
import sys
from collections.abc import Callable
from itertools import cycle

from console import clock
from console.broker.celery_app import make_app

TYPE = "demo.noop"


def main(queue: str, rate: float) -> None:
    """Adds `rate` jobs a second, at random intervals, in both ways by turns."""
    from bench.frame import jobs

    app = make_app("bench")
    add: dict[str, Callable[[], str]] = {
        "sent": lambda: str(app.send_task(TYPE, kwargs={}, queue=queue).id),
        "dispatched": lambda: jobs.dispatch(TYPE, queue=queue)[0],
    }
    for way in add.values():
        way()  # imports, connects
    print("ready", flush=True)
    noted: list[tuple[str, float, str]] = []
    for name in cycle(add):
        if select.select([sys.stdin], [], [], random.uniform(0.5, 1.5) / rate)[0]:
            break
        began_ms = clock.now_ms()
        noted.append((add[name](), began_ms, name))
    print(json.dumps(noted), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
