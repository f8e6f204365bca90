"""One writer of facts at a time: an operating-system lock that dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def _signed(card: dict[str, Any]) -> str:
    return f"{card['user']} (process {card['pid']}) is {card['doing']} since {card['since']}"


def _busy(handle: int) -> BusyError:
    try:
        card = json.loads(os.pread(handle, 4096, 0))
        who = _signed(card)
    except (ValueError, KeyError, TypeError):  # taken a moment ago, not signed yet
        who = "another process is writing to it"
    return BusyError(f"The store is busy: {who}.", "Try again when that is done.")


def holder(path: Path) -> str | None:
    """Who holds the lock, in words, or None; looked up without taking it even for a moment.
    Linux tells which files are locked; elsewhere the process that signed is looked for."""
    try:
        found = path.stat()
        card = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    try:
        place = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
        held = place in Path("/proc/locks").read_text(encoding="ascii").split()
    except OSError:
        held = _lives(card["pid"])
    return _signed(card) if held else None


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
