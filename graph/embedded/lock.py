"""One writer of facts at a time: an operating-system lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graph.clock import iso, now
from graph.errors import BusyError
from graph.who import user


@contextmanager
def writer(path: Path, doing: str) -> Iterator[None]:
    """Hold the lock; `doing` ("loading transfers") is what the next comer is told.

    BusyError when another holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(handle) from None
        _sign(handle, doing)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _sign(handle: int, doing: str) -> None:
    card = {"pid": os.getpid(), "user": user(), "since": iso(now()), "doing": doing}
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(card).encode(), 0)


def _busy(handle: int) -> BusyError:
    try:
        card = json.loads(os.pread(handle, 4096, 0))
        who = f"{card['user']} (process {card['pid']}) is {card['doing']} since {card['since']}"
    except (ValueError, KeyError, TypeError):  # taken a moment ago, not signed yet
        who = "another process is writing to it"
    return BusyError(f"The store is busy: {who}.", "Try again when that is done.")
