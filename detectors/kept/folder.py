"""A folder of named arrays: written whole or not at all, and checked when they are read.

One file an entry: a line of JSON that says what it holds, by which program and from what it was
made (`key`), then the arrays, and last a digest of it all. A new one takes the place of the old
one by a rename. What is cut off, changed, of another program or of another store is not read.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from graph.disk import sync
from graph.threads import Task, Threads

Arrays = Mapping[str, npt.NDArray[Any]]

FORMAT = 1
ENDING = ".kept"
UNFINISHED = ".unfinished"
SECONDS_TO_FINISH = 24 * 3600
"""What is unfinished for longer was left by a process that died."""

DIGEST_BYTES = 32
MOST_HEADER = 1 << 20
ALIGNED = 64
"""Arrays begin at multiples of so many bytes."""

PARTS_THAT_DECIDE = ("detectors", "graph")
"""Another version of these programs may work out something else."""


class Kept:
    """Entries by name. Without a folder, nothing is kept and nothing found.

    `owner`: whose facts these are: an entry that was made for another is not read.
    `writes`: whether new entries replace old ones (a look at the past should not).
    """

    def __init__(self, folder: Path | None = None, owner: str = "", *, writes: bool = True) -> None:
        self.folder = folder
        self._owner = owner
        self._writes = writes and folder is not None
        self._thread: Threads | None = None
        self._waiting: list[Task[None]] = []
        self._lock = Lock()

    @functools.cached_property
    def _about(self) -> dict[str, Any]:
        return {"format": FORMAT, "program": PROGRAM, "owner": self._owner}

    @property
    def writes(self) -> bool:
        """Whether `write` does anything."""
        return self._writes

    def read(self, name: str, key: str) -> dict[str, npt.NDArray[Any]] | None:
        """The arrays of an entry that was made from `key`; None where there is none, or where
        anything about it is not as it should be. Arrays are read-only."""
        if self.folder is None:
            return None
        try:
            content = np.fromfile(self._path(name), np.uint8)
            return self._checked(content, name, key)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, name: str, key: str, arrays: Arrays) -> None:
        """Keep arrays, in the background: they must not be changed any more."""
        if not self._writes:
            return
        with self._lock:  # families work side by side
            self._thread = self._thread or Threads(1)
            self._waiting.append(self._thread.begin(lambda: self._write(name, key, arrays)))

    def finish(self) -> None:
        """Wait until everything is written. What cannot be written (a full disk, a folder that
        may not be written to) is not kept: nothing depends on it."""
        waiting, self._waiting = self._waiting, []
        for task in waiting:
            with suppress(OSError):
                task.result()
        if self._thread is not None:
            self._thread.close()
            self._thread = None

    def _path(self, name: str) -> Path:
        assert self.folder is not None
        return self.folder / f"{name}{ENDING}"

    def _checked(
        self, content: npt.NDArray[np.uint8], name: str, key: str
    ) -> dict[str, npt.NDArray[Any]] | None:
        if len(content) <= DIGEST_BYTES:
            return None
        body = content[:-DIGEST_BYTES]
        head = bytes(body[:MOST_HEADER]).split(b"\n", 1)[0]
        header = json.loads(head)
        if header["about"] != self._about or (header["name"], header["key"]) != (name, key):
            return None
        if hashlib.sha256(body.data).digest() != bytes(content[-DIGEST_BYTES:]):
            return None
        return {
            array: body[begin:end].view(np.dtype(of)).reshape(shape)
            for array, of, shape, begin, end in header["arrays"]
        }

    def _write(self, name: str, key: str, arrays: Arrays) -> None:
        if program() != PROGRAM:
            return  # another version was installed meanwhile: this one's work is not that one's
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._clear()
        mark = f".{os.getpid()}-{secrets.token_hex(4)}{UNFINISHED}"
        unfinished = path.with_name(path.name + mark)
        try:
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                digest = hashlib.sha256()
                for part in _parts(self._about, name, key, arrays):
                    digest.update(part)
                    out.write(part)
                out.write(digest.digest())
                out.flush()
                os.fsync(out.fileno())
            unfinished.replace(path)
            sync(path.parent)
        finally:
            unfinished.unlink(missing_ok=True)

    def _clear(self) -> None:
        assert self.folder is not None
        for path in self.folder.glob(f"*{UNFINISHED}"):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > SECONDS_TO_FINISH:
                    path.unlink()


NOTHING_KEPT = Kept()


def _parts(about: Mapping[str, Any], name: str, key: str, arrays: Arrays) -> list[Any]:
    """What an entry's file is made of, in bytes: the header, then each array where it says."""
    flat = {array: np.ascontiguousarray(values) for array, values in arrays.items()}
    sizes = [values.nbytes for values in flat.values()]
    length = ALIGNED
    while True:  # the header says where arrays begin, which depends on its length
        begins = np.cumsum([length] + [_aligned(size) for size in sizes]).tolist()
        listed = [
            [array, values.dtype.str, values.shape, begin, begin + values.nbytes]
            for (array, values), begin in zip(flat.items(), begins, strict=False)
        ]
        about_it = {"about": about, "name": name, "key": key, "arrays": listed}
        head = json.dumps(about_it).encode() + b"\n"
        if len(head) <= length:
            break
        length = _aligned(len(head))
    parts: list[Any] = [head.ljust(length)]
    for values, size in zip(flat.values(), sizes, strict=True):
        parts += [values.reshape(-1).view(np.uint8).data, bytes(_aligned(size) - size)]
    return parts


def _aligned(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED


def program() -> str:
    """A name for the program that works things out: its own files, and what it stands on."""
    import numba
    import polars as pl

    digest = hashlib.sha256()
    root = Path(__file__).parents[2]
    for path in sorted(path for part in PARTS_THAT_DECIDE for path in (root / part).rglob("*.py")):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    versions = platform.python_version(), pl.__version__, np.__version__, numba.__version__
    digest.update(json.dumps([*versions, platform.machine()]).encode())
    return digest.hexdigest()


PROGRAM = program()
"""Of the program that runs: taken when it begins, before another version can be installed."""
