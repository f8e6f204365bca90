"""Threads whose main one is interrupted at any moment, by real signals."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from queue import SimpleQueue

import pytest

from graph.neo4j.lease import lease
from graph.neo4j.load import PartWriter
from graph.neo4j.server import Server
from graph.neo4j.store import Neo4jStore
from graph.threads import Threads, aside, shared_property

SECONDS = 1.0
"""How long a test goes on interrupting: hundreds of times."""

HANGS_SECONDS = 10.0

Alarm = Callable[[float, type[BaseException]], None]


class Signalled(BaseException):
    """As KeyboardInterrupt, but the test's own."""


class Hangs(BaseException):
    """What was to end did not."""


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    """Sets when the main thread is interrupted next, and by what; at 0: never."""
    raised: list[type[BaseException]] = []

    def ring(*_: object) -> None:
        raise raised.pop()

    def set_alarm(seconds: float, by: type[BaseException]) -> None:
        raised[:] = [by]
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, ring)
    yield set_alarm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def interrupted(
    alarm: Alarm,
    use: Callable[[], object],
    close: Callable[[], object],
    longest: float = 1e-3,
) -> None:
    """Does something again and again until a signal comes, which is to be heard; then what
    is to end, whenever it came."""
    heard = False
    try:
        alarm(random.uniform(1e-5, longest), Signalled)
        for _ in range(100_000):
            use()
    except Signalled:
        heard = True
    assert heard
    alarm(HANGS_SECONDS, Hangs)
    close()
    alarm(0, Hangs)


def some_work() -> int:
    return sum(range(200))


def test_threads_end_whenever_a_signal_comes(alarm: Alarm) -> None:
    until = time.monotonic() + SECONDS
    rounds = 0
    while time.monotonic() < until:
        threads = Threads(2)
        interrupted(alarm, lambda: threads.begin(some_work).result(), threads.close)  # noqa: B023
        rounds += 1
    assert rounds > 100


def test_the_thread_that_writes_parts_ends_whenever_a_signal_comes(
    alarm: Alarm, neo4j_url: str
) -> None:
    store = Neo4jStore.init(neo4j_url)
    rounds = 0
    with lease(store.server, "testing") as held:
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            writer = PartWriter(held, 1)
            interrupted(alarm, lambda: writer._put(some_work), writer.close)  # noqa: B023
            rounds += 1
    assert rounds > 50


def test_a_server_is_heard_after_a_signal_whenever_it_came(alarm: Alarm, neo4j_url: str) -> None:
    server = Server.connect(neo4j_url)
    until = time.monotonic() + SECONDS
    rounds = 0

    def read() -> None:
        assert server.read("store/version")[0]["version"]

    while time.monotonic() < until:
        interrupted(alarm, read, read, longest=0.01)
        rounds += 1
    assert rounds > 10
    server.close()


def test_work_aside_gives_its_result_or_its_error() -> None:
    assert aside(some_work, some_work) == some_work()
    with pytest.raises(ZeroDivisionError):
        aside(lambda: 1 // 0, some_work)


def test_work_aside_that_goes_on_after_a_signal_is_cut(alarm: Alarm) -> None:
    cut: list[float] = []

    def work() -> None:
        while not cut:
            time.sleep(0.01)

    alarm(0.05, Signalled)
    begun = time.monotonic()
    with pytest.raises(Signalled):
        aside(work, lambda: cut.append(time.monotonic() - begun))
    assert 0.5 < cut[0] < time.monotonic() - begun < 3


def test_after_a_failure_nothing_is_begun() -> None:
    done: list[int] = []
    with closing(Threads(1)) as threads:
        tasks = [threads.begin(lambda: 1 // 0), threads.begin(lambda: done.append(1))]
        for task in tasks:
            with pytest.raises(ZeroDivisionError):
                task.result()
    assert done == []


def test_what_waits_when_they_close_is_not_begun() -> None:
    done: list[int] = []
    threads = Threads(1)
    begun: SimpleQueue[None] = SimpleQueue()

    def slow_work() -> None:
        begun.put(None)
        time.sleep(0.2)

    under_way = threads.begin(slow_work)
    waiting = threads.begin(lambda: done.append(1))
    begun.get()
    assert not threads.close(0.01)
    assert threads.close()
    under_way.result()
    with pytest.raises(RuntimeError, match="closed"):
        waiting.result()
    assert done == []


def test_a_shared_property_is_worked_out_once_however_many_ask_at_a_time() -> None:
    class Asked:
        def __init__(self) -> None:
            self.times = 0

        @shared_property
        def answer(self) -> int:
            """Slow enough for all to come before it is known."""
            self.times += 1
            time.sleep(0.1)
            return self.times

    asked, other = Asked(), Asked()
    with closing(Threads(4)) as threads:
        tasks = [threads.begin(lambda: asked.answer) for _ in range(4)]
        assert [task.result() for task in tasks] == [1] * 4
    assert (asked.answer, other.times, other.answer) == (1, 0, 1)
