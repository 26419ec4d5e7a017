"""`celeriac observe`: reads the events of Celery applications that know nothing of Celeriac."""

from __future__ import annotations

import logging
import re
import signal
import threading
from contextlib import suppress
from types import FrameType

import click

from console.commands.context import require_database
from console.config import settings
from console.errors import InvalidInput, Unavailable

DEFAULT_NAME = "observed"
FIRST_ANSWER_S = 10.0


@click.command()
@click.option(
    "--broker",
    "brokers",
    multiple=True,
    metavar="[NAME=]URL",
    help="Broker to observe; may be repeated.",
)
@click.option("--name", default=DEFAULT_NAME, show_default=True, metavar="NAME", help="Name of a source given without.")
@click.option(
    "--queue", "queues", multiple=True, metavar="[NAME:]QUEUE", help="Count this queue too; may be given several times."
)
@click.option("--no-inspect", is_flag=True, help="Do not ask workers which queues they serve and which jobs they hold.")
def observe(brokers: tuple[str, ...], name: str, queues: tuple[str, ...], no_inspect: bool) -> None:
    """Record what the workers of other Celery applications tell of themselves. They change nothing.

    Start their workers with -E. Ctrl-C or SIGTERM ends it; what was missed meanwhile is shown as a gap.
    """
    from console.observe.observer import Observer, Source
    from console.tracking.tracker import Tracker

    logging.basicConfig(level=settings().log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    require_database()
    urls = named(brokers, name)
    of_source = queues_of(queues, set(urls))
    limits = {"stream_limit_mb": settings().stream_limit, "spool_limit_mb": settings().spool_limit}
    writer = Tracker(settings().broker, settings().spool_dir, settings().streams, **limits).begin()
    if writer is None:
        raise Unavailable(f"Nothing can be written to {settings().spool_dir}.")
    root = settings().data / "observe"
    sources = [Source(one, url, of_source.get(one, ())) for one, url in urls.items()]
    observers = [Observer(source, root, writer, ask_workers=not no_inspect) for source in sources]
    run(observers)


def run(observers: list) -> None:  # type: ignore[type-arg]  # the class is imported when the command runs
    """Until SIGTERM or Ctrl-C. Raises `Unavailable` when none of the brokers answers at the start."""
    import redis

    from console.presence import Presence

    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    presence = Presence("observer")
    for observer in observers:
        observer.start()
    while not stopping.wait(1.0):
        with suppress(redis.RedisError):
            presence.say()
    for observer in observers:
        observer.stop()
    with suppress(redis.RedisError):
        presence.leave()


def named(brokers: tuple[str, ...], name: str) -> dict[str, str]:
    """Sources by name. Raises `InvalidInput`."""
    if not brokers:
        raise InvalidInput("Say what to observe: --broker redis://host:6379/0, as the application's workers use it.")
    found: dict[str, str] = {}
    for text in brokers:
        given, _, url = text.partition("=") if re.match(r"[^:/?]+=", text) else (name, "", text)
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", given):
            raise InvalidInput(f"{given!r} cannot be a name: use up to 40 letters, digits, - and _.")
        if given in found:
            raise InvalidInput(f"Two brokers are named {given}. Give each a name: --broker orders=redis://…")
        found[given] = url
    return found


def queues_of(queues: tuple[str, ...], names: set[str]) -> dict[str, tuple[str, ...]]:
    """The queues given by hand, by source. Raises `InvalidInput`."""
    found: dict[str, tuple[str, ...]] = {}
    for text in queues:
        name, mark, queue = text.partition(":")
        if not mark and len(names) == 1:
            name, queue = next(iter(names)), text
        if name not in names or not queue:
            raise InvalidInput(f"--queue {text}: say whose it is, as in {min(names)}:{queue or name}.")
        found[name] = (*found.get(name, ()), queue)
    return found
