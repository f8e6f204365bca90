"""Folders of a process's own among the temporary files, gone when it ends.

A process that is killed leaves its folders behind, with facts in them. Each is locked by who made
it, a lock of the operating system that dies with its holder: so the next process that makes one
knows those that nobody has any more, and removes them.
"""

from __future__ import annotations

import atexit
import fcntl
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

PREFIX = "inconcert-scratch-"
"""Names what only processes that lock it make."""

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

_UNTIL_EXIT = ExitStack()
atexit.register(_UNTIL_EXIT.close)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that its owner alone can read (mode 0700), removed at the end of the block."""
    _clear_once()
    place, handle = _locked()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)  # before another may take the lock
        os.close(handle)


def until_exit() -> Path:
    """The same, removed when this process ends: for files that frames scan."""
    return _UNTIL_EXIT.enter_context(folder())


def clear() -> None:
    """Remove the folders of this user's processes that are gone; those in use stay."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        left = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    for place in left:
        with suppress(OSError):  # another's, or another process was quicker
            _clear_one(place)


_clear_once = functools.cache(clear)


def _locked() -> tuple[Path, int]:
    """A new folder, and the handle that holds its lock."""
    while True:
        place = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            handle = os.open(place, _OPEN)
            if _holds(handle) and _is(place, handle):
                return place, handle
            os.close(handle)  # another process cleared it before it was locked


def _holds(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: then nobody can clear there either
        return True
    return True


def _is(place: Path, handle: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(place.lstat(), os.fstat(handle))
    return False


def _clear_one(place: Path) -> None:
    handle = os.open(place, _OPEN)
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is(place, handle):
                shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(handle)
