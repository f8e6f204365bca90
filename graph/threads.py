"""Threads beside the main one, such that a signal leaves nobody waiting for ever.

A signal (Ctrl-C, a request to end) is an exception in the main thread, between any two of its
steps. Within a `queue.Queue`, a `Condition`, an `Event` or a `Future` it can leave their lock
held, and whoever wants it next waits for ever. Here threads meet in `queue.SimpleQueue` alone:
a put or a get of it is one step, done or not done.
"""

from __future__ import annotations

import time
from _thread import start_new_thread
from collections.abc import Callable
from functools import cached_property
from queue import Empty, SimpleQueue
from threading import RLock, Thread, current_thread, main_thread
from typing import Any, Generic, Self, TypeVar, overload

GRACE_SECONDS = 0.5
"""How long work that nobody waits for any more may go on before it is cut."""

LEAVE_SECONDS = 5.0
"""How long a thread that was told to end is waited for."""

_T = TypeVar("_T")


class Task(Generic[_T]):
    """Something for another thread to do."""

    def __init__(self, work: Callable[[], _T]) -> None:
        self._work = work
        self._outcome: SimpleQueue[Callable[[], _T]] = SimpleQueue()

    def run(self) -> BaseException | None:
        """Do it; returns what went wrong."""
        try:
            done = self._work()
        except BaseException as error:  # raised again where the result is asked for
            self.fail(error)
            return error
        self._outcome.put(lambda: done)
        return None

    def fail(self, error: BaseException) -> None:
        """Have the result be an error."""

        def refuse() -> _T:
            raise error

        self._outcome.put(refuse)

    def result(self) -> _T:
        """Wait for what it gives, which is to be asked for once; raises what went wrong."""
        return self.outcome()()

    def outcome(self) -> Callable[[], _T]:
        """Wait until it is done; what is returned gives or raises the result."""
        return self._outcome.get()


class Threads:
    """A few threads that do tasks in the order of their coming. Once one has failed none is
    begun any more: those that wait fail as it did."""

    def __init__(self, count: int) -> None:
        self._tasks: SimpleQueue[Task[object] | None] = SimpleQueue()
        self._over: BaseException | None = None
        self._threads = [Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def begin(self, work: Callable[[], _T]) -> Task[_T]:
        """Have it done by the next thread that is free."""
        task = Task(work)
        self._tasks.put(task)  # type: ignore[arg-type]  # nobody here looks at what it gives
        return task

    def close(self, seconds: float | None = None) -> bool:
        """End: what waits is not begun, what is under way is waited for. Returns whether all
        have ended; False when that takes longer than some seconds."""
        self._over = self._over or RuntimeError("the threads have been closed")
        for _ in self._threads:
            self._tasks.put(None)
        until = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            if self._over:
                task.fail(self._over)
            else:
                self._over = task.run() or self._over


class shared_property(cached_property[_T]):  # noqa: N801  # as the one that it extends
    """A cached property that several threads may ask for: the first one works it out, and the
    others wait. (Since Python 3.12 each of them would work it out.)"""

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> _T: ...
    def __get__(self, instance: object, owner: type[Any] | None = None) -> Self | _T:
        if instance is None:
            return self
        with instance.__dict__.setdefault(f"{self.attrname}, at work", RLock()):
            return super().__get__(instance, owner)


def aside(
    work: Callable[[], _T], cut: Callable[[], None], give_up: Callable[[], None] = lambda: None
) -> _T:
    """What `work` gives. The main thread has another one do it, for work that cannot bear a
    signal in its midst; other threads, which get no signals, do it themselves.

    A signal ends the wait. `give_up` is called, which is to have the work end soon, and `cut`
    where it does not end within GRACE_SECONDS. What has not ended after LEAVE_SECONDS more is
    left behind.
    """
    if current_thread() is not main_thread():
        return work()
    ended: SimpleQueue[None] = SimpleQueue()
    task = Task(work)

    def run() -> None:
        task.run()
        ended.put(None)

    try:
        start_new_thread(run, ())  # a Thread's start can be left half done by a signal
        outcome = task.outcome()
    except BaseException:
        give_up()
        if not _comes(ended, GRACE_SECONDS):
            cut()
            _comes(ended, LEAVE_SECONDS)
        raise
    return outcome()


def _comes(awaited: SimpleQueue[None], seconds: float) -> bool:
    try:
        awaited.get(timeout=seconds)
    except Empty:
        return False
    return True
