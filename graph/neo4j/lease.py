"""One loader at a time, and one refresh: a lease on the server, with a heartbeat and a fence.

Every taking of the lease has a higher fence, and every transaction of a loader looks at it
under the lease's lock: one who lost the lease (asleep for too long, cut off) cannot write
any more. Where the holder ran on this machine and its process is gone, the lease is taken
over at once; else it lapses.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import neo4j

from graph.clock import iso, now
from graph.errors import BusyError, InconcertError
from graph.neo4j.server import Run, Server
from graph.who import user

SECONDS = 60
"""A lease lapses when its holder has not been heard of for this long."""

BEAT_SECONDS = 15.0

FACTS, REFRESH = 1, 2
"""What a lease gives the right to."""

_T = TypeVar("_T")


class LeaseLostError(BusyError):
    """Another loader has taken over."""


LOST = {
    FACTS: ("loader", "nothing of this load will be seen"),
    REFRESH: ("refresh", "what this one had recorded by then stays"),
}
"""Who has taken over, and what becomes of what was begun."""


@dataclass
class Lease:
    """The right to write facts, or to refresh. `transact` is the way to use it."""

    server: Server
    right: int
    fence: int
    next_seq: int
    """The place after the last fact in the store."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def transact(self, work: Callable[[Run], _T], *, repeatable: bool = False) -> _T:
        """One transaction that holds every other loader off; `repeatable` as of
        `Server.transact`. LeaseLostError when another loader has taken over; then nothing
        of it is written."""

        def held(run: Run) -> _T:
            if not run("store/lease_hold", self._hold):
                raise self._lost()
            return work(run)

        return self.server.transact(held, repeatable=repeatable)

    @property
    def _hold(self) -> dict[str, int]:
        return {"right": self.right, "fence": self.fence, "seconds": SECONDS}

    def _lost(self) -> LeaseLostError:
        who, left = LOST[self.right]
        return LeaseLostError(
            f"Another {who} has taken over, since nothing was heard of this one for "
            f"{SECONDS} seconds; {left}.",
            "Run it again when the other is done.",
        )

    def write(self, name: str, /, **parameters: Any) -> list[neo4j.Record]:
        """The rows of one statement, in a transaction of its own as `transact` does it."""
        return self.transact(lambda run: run(name, parameters))

    def rewrite(self, name: str, /, **parameters: Any) -> list[neo4j.Record]:
        """As `write`, of a statement that does no more when it is run twice."""
        return self.transact(lambda run: run(name, parameters), repeatable=True)

    def beat(self) -> None:
        """Tell the server now and then that this loader lives, until told to stop."""
        while not self._stop.wait(BEAT_SECONDS):
            # a server that is away for a moment, or a lease that is lost, shows at the next write
            with suppress(InconcertError):
                self.transact(lambda _: None, repeatable=True)


@contextmanager
def lease(server: Server, doing: str, right: int = FACTS) -> Iterator[Lease]:
    """Hold the lease; `doing` ("loading transfers") is what the next comer is told.

    BusyError when another one holds it.
    """
    held = _take(server, doing, right)
    try:
        threading.Thread(target=held.beat, daemon=True).start()
        yield held
    finally:
        held._stop.set()
        with suppress(InconcertError), server.impatient():  # a server that is gone: it lapses
            server.write(("store/lease_release", {"right": right, "fence": held.fence}))


def _take(server: Server, doing: str, right: int) -> Lease:
    if right != FACTS:
        server.write(("store/lease_make", {"right": right}))
    [holder] = server.read("store/lease_holder", right=right)
    # `now` is the clock that may be set; who lives is told by the server's own
    taker = {
        "right": right,
        "token": _token(),
        "dead": holder["token"] if holder["held"] and _is_gone(holder["token"]) else None,
        "user": user(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "doing": doing,
        "since": iso(now()),
        "seconds": SECONDS,
    }
    # who has the token already is this very process, whose answer was lost
    rows = server.transact(lambda run: run("store/lease_take", taker), repeatable=True)
    if not rows:
        raise _busy(server.read("store/lease_holder", right=right)[0])
    return Lease(server, right, rows[0]["fence"], rows[0]["next_seq"])


def holder(server: Server, right: int) -> str | None:
    """Who has the lease, in words, or None."""
    rows = server.read("store/lease_holder", right=right)
    held = bool(rows) and rows[0]["held"] and not _is_gone(rows[0]["token"])
    return _said(rows[0]) if held else None


def _said(holder: neo4j.Record) -> str:
    who = f"{holder['user']} (process {holder['pid']} on {holder['host']})"
    return f"{who} is {holder['doing']} since {holder['since']}"


def _busy(holder: neo4j.Record) -> BusyError:
    return BusyError(
        f"The store is busy: {_said(holder)}.",
        f"Try again when that is done; one that died is let go after {SECONDS} seconds.",
    )


def _token() -> str:
    """This process, on this machine, once."""
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}/{secrets.token_hex(4)}"


def _is_gone(token: str | None) -> bool:
    """Whether the process that made a token ran here and is gone."""
    if not token or not token.startswith(f"{_machine()}/"):
        return False
    pid, started, _ = token.rsplit("/", 3)[1:]
    return bool(started) and _started(int(pid)) != started


def _machine() -> str:
    """This boot of this machine and its space of process numbers; containers have their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # not Linux: a lease of a dead loader lapses
        return f"{socket.gethostname()}/{secrets.token_hex(8)}"


def _started(pid: int) -> str:
    """When a process began, in ticks since the machine did; empty when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
