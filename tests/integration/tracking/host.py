"""An application whose surroundings are broken. Says how long it took for what it does, and what it raised: nothing."""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from celery import Celery

JOBS = 200


class Broken:
    """Cannot be printed, sorted, encoded or measured."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class Dishonest(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")

    def __iter__(self) -> Any:
        raise RuntimeError("no iteration")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def main(url: str, spool: str, folder: str, *wishes: str) -> dict[str, Any]:
    app = Celery("host", broker="filesystem://")
    app.conf.broker_transport_options = {"data_folder_in": folder, "data_folder_out": folder, "control_folder": folder}
    if "untracked" not in wishes:
        from console.tracking import track

        track(app, url=url, spool=Path(spool) if spool else None)

    @app.task(name="host.add")
    def add(x: Any, y: Any = 0) -> Any:
        return x

    @app.task(name="host.same")
    def same(x: Any, y: Any) -> bool:
        return x is y

    @app.task(name="host.breaks")
    def breaks() -> None:
        raise Unprintable

    if "full" in wishes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # a write beyond fails, as on a full disk
    began = time.monotonic()
    returned = [add.apply((number,)).get() for number in range(JOBS)]
    ran = time.monotonic()
    if "full" not in wishes:
        for number in range(JOBS):
            add.delay(number)
    published = time.monotonic()
    odd = [Broken(), Dishonest(a=1), object(), {(1, 2): 3}, {1, 2}, "x" * 6_000_000, threading.Lock(), "\ud800", [[]]]
    odd[-1].append(odd[-1])  # type: ignore[attr-defined]
    assert all(same.apply((one,), {"y": one}).get() for one in odd)
    assert all(add.apply((one,)).get() is one for one in odd if not isinstance(one, Dishonest))
    assert isinstance(breaks.apply().result, Unprintable)
    again = add.apply((1,), headers={"celeriac_run": 0}, delivery_info={"redelivered": True})
    assert again.get() == 1
    return {"returned": returned == list(range(JOBS)), "ran_s": ran - began, "published_s": published - ran}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
