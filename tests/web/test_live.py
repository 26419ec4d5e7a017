"""The event stream of an open page."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from console import clock
from console.access.rules import Permission
from console.app import _permission_of
from console.web import live
from console.web.live import Hub, Stream
from tests.web.conftest import Browser


@pytest.fixture(autouse=True)
def own_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A hub for each test, which stops after it; gives what stops it."""
    stopping, hub = threading.Event(), Hub()
    monkeypatch.setattr(live, "stopping", stopping)
    monkeypatch.setattr(live, "hub", hub)
    monkeypatch.setattr(live, "WAKE_S", 0.05)
    monkeypatch.setattr(live, "LONGEST_S", 10.0)  # a test that waits in vain ends
    yield stopping
    stopping.set()
    if hub._thread is not None:
        hub._thread.join(5)
        assert not hub._thread.is_alive()


class Reader:
    """Reads one stream, as EventSource does."""

    def __init__(self, browser: Browser, topics: str) -> None:
        self.response = browser.get(f"/live?topics={topics}", buffered=False)
        assert self.response.status_code == 200, self.response.text
        assert self.response.mimetype == "text/event-stream"
        self._chunks = iter(self.response.response)
        self._events = self._parsed()

    def next(self, event: str) -> str:
        """The data of the next event of that name."""
        for name, data in self._events:
            if name == event:
                return data
        raise AssertionError(f"the stream ended without {event!r}")

    def _parsed(self) -> Iterator[tuple[str, str]]:
        for chunk in self._chunks:
            for written in _text(chunk).split("\n\n"):
                lines = dict(line.split(": ", 1) for line in written.splitlines() if not line.startswith(":"))
                if "event" in lines:
                    yield lines["event"], lines["data"]

    def rest(self) -> str:
        return "".join(map(_text, self._chunks))


def _text(chunk: bytes | str) -> str:
    return chunk.decode() if isinstance(chunk, bytes) else chunk


@pytest.fixture
def read(support: Browser) -> Iterator[Callable[[str], Reader]]:
    """Opens streams and closes them afterwards."""
    opened: list[Reader] = []
    warm = live.hub.open(frozenset())
    assert warm.take(5)[1] is False
    assert warm.take(5)[1] is True, "what is opened before notices arrive counts as changed once they do"
    live.hub.close(warm)

    def open_stream(topics: str) -> Reader:
        opened.append(Reader(support, topics))
        return opened[-1]

    yield open_stream
    for reader in opened:
        reader.response.close()


def publish(broker: redis.Redis, *topics: str) -> None:
    broker.publish(live.CHANNEL, json.dumps({"topics": topics, "v": 1}))


def wait_live(reader: Reader) -> None:
    while reader.next("state") != "live":
        pass


def test_it_tells_which_of_its_topics_changed(read: Callable[[str], Reader], broker: redis.Redis) -> None:
    reader = read("jobs,job:a")
    wait_live(reader)
    publish(broker, "overview", "job:b", "job:a")
    assert json.loads(reader.next("changed")) == ["job:a"]


@pytest.mark.parametrize(("topics", "told"), [("jobs,failures", ["jobs"]), ("job:b", ["job:b"]), ("failures", [])])
def test_what_changed_while_the_page_was_made_is_told_at_once(
    support: Browser, read: Callable[[str], Reader], broker: redis.Redis, monkeypatch: pytest.MonkeyPatch,
    topics: str, told: list[str],
) -> None:
    monkeypatch.setattr(live, "SLACK_MS", 0)
    watched = read("jobs")
    wait_live(watched)
    time.sleep(0.01)  # the subscription is older than the page
    [since] = re.findall(r'data-since="(\d+)"', support.get("/jobs").text)
    publish(broker, "jobs", "job:a")
    watched.next("changed")
    opened = live.hub.open(frozenset(topics.split(",")), int(since))
    assert opened.take(0) == (told, True)
    assert live.hub.open(opened.topics, clock.now_ms() + 1).take(0) == ([], True)
    if told:
        assert json.loads(read(f"{topics}&since={since}").next("changed")) == told


def test_every_job_at_once(read: Callable[[str], Reader], broker: redis.Redis) -> None:
    reader = read("overview,job:a,job:b")
    wait_live(reader)
    publish(broker, "job:*")
    assert json.loads(reader.next("changed")) == ["job:a", "job:b"]


def test_a_notice_that_cannot_be_read_harms_nobody(read: Callable[[str], Reader], broker: redis.Redis) -> None:
    reader = read("jobs")
    wait_live(reader)
    broker.publish(live.CHANNEL, b"\xff{")
    publish(broker, "jobs")
    assert json.loads(reader.next("changed")) == ["jobs"]


def test_one_subscription_serves_all_streams(read: Callable[[str], Reader], broker: redis.Redis) -> None:
    readers = [read("jobs") for _ in range(3)]
    for reader in readers:
        wait_live(reader)
    assert broker.pubsub_numsub(live.CHANNEL) == [(live.CHANNEL.encode(), 1)]
    publish(broker, "jobs")
    assert [json.loads(reader.next("changed")) for reader in readers] == [["jobs"]] * 3


def test_after_a_lost_connection_everything_may_have_changed(
    read: Callable[[str], Reader], broker: redis.Redis
) -> None:
    reader = read("jobs,overview")
    wait_live(reader)
    broker.client_kill_filter(_type="pubsub")
    assert json.loads(reader.next("changed")) == ["jobs", "overview"]
    publish(broker, "jobs")
    assert json.loads(reader.next("changed")) == ["jobs"]


def test_it_ends_when_the_process_stops(read: Callable[[str], Reader], own_hub: threading.Event) -> None:
    reader = read("jobs")
    wait_live(reader)
    own_hub.set()
    assert "changed" not in reader.rest()


def test_a_closed_page_is_forgotten(read: Callable[[str], Reader]) -> None:
    reader = read("jobs")
    wait_live(reader)
    assert len(live.hub._streams) == 1
    reader.response.close()
    assert live.hub._streams == set()


def test_streams_leave_threads_to_pages(
    support: Browser, setting: Callable[[str, str], None], read: Callable[[str], Reader]
) -> None:
    setting("CELERIAC_WEB_THREADS", "9")
    wait_live(read("jobs"))
    assert support.get("/live?topics=jobs").status_code == 503


@pytest.mark.parametrize("topics", ["", ",", "secrets", "failures:a", ",".join(f"job:{number}" for number in range(21))])
def test_topics_that_do_not_exist_are_refused(support: Browser, topics: str) -> None:
    assert support.get(f"/live?topics={topics}").status_code == 422


@pytest.mark.parametrize("topics", ["jobs", "overview", "job:a", "failures", "jobs,failures"])
def test_a_topic_needs_the_permission_of_its_page(browser_of: Callable[[str], Browser], topics: str) -> None:
    assert browser_of("user").get(f"/live?topics={topics}").status_code == 403


def test_failures_are_told_to_those_who_may_see_them(read: Callable[[str], Reader], broker: redis.Redis) -> None:
    assert _permission_of("failures") is Permission.FAILURES_READ
    reader = read("failures")
    wait_live(reader)
    publish(broker, "jobs", "failures")
    assert json.loads(reader.next("changed")) == ["failures"]


def test_a_quiet_stream_says_that_it_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PING_S", 0.1)
    events = live.events(Stream(frozenset({"jobs"})))
    assert next(events) == "retry: 2000\n\n"
    assert next(events) == ": still here\n\n"
