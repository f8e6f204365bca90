"""A file that changes while it is read: nothing of it is loaded, by a real second process."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from load_helpers import facts

from graph.errors import DamagedError, UserError
from graph.store import Store
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import load
from loaders.plan import Options

ROWS = 100_000

APPENDER = """
import sys, time
with open(sys.argv[1], "a") as file:
    print("begun", flush=True)
    while True:
        file.write("late,comer,1,x\\n")
        file.flush()
        time.sleep(0.01)
"""


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "transfers.csv"
    number = pl.int_range(ROWS, eager=True)
    names = "a" + (number % 97).cast(pl.String)
    pl.DataFrame({"src": names, "dst": "b", "amount": 1, "id": number}).write_csv(path)
    return path


def loaded(store: Store, *paths: Path, progress: Callable[..., None] = lambda *_: None) -> Any:
    with inputs([str(path) for path in paths], None) as readers:
        return load(store, sources()["transfers"], readers, Options(), progress=progress)


def test_a_process_that_appends_while_it_is_loaded(big: Path, store: Store) -> None:
    with inputs([str(big)], None) as readers:
        appender = subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(big)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert appender.stdout is not None
            assert appender.stdout.readline() == "begun\n"
            with pytest.raises(UserError, match="changed while it was read; nothing was loaded"):
                load(store, sources()["transfers"], readers, Options())
        finally:
            appender.kill()
            appender.wait()
    assert facts(store, "transfers") == []
    assert loaded(store, big).counts.loaded > 0, "once it stands still it is loaded"


class _Once:
    """Does something to the file when the first part of it was read."""

    def __init__(self, change: Callable[[], object]) -> None:
        self._change = change
        self.done = False

    def __call__(self, *_: object) -> None:
        if not self.done:
            self.done = True
            self._change()


@pytest.mark.parametrize("how", ["append", "replace", "delete", "rewrite"])
def test_whatever_happens_to_the_file_nothing_of_it_is_loaded(
    how: str, store: Store, tmp_path: Path
) -> None:
    path, other = tmp_path / "transfers.csv", tmp_path / "other.csv"
    path.write_text("src,dst\nann,ben\n", encoding="utf-8")
    other.write_text("src,dst\nann,dan\n", encoding="utf-8")
    times = path.stat()
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))

    def append() -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write("ann,cleo\n")

    changes = {
        "append": append,
        "replace": lambda: other.rename(path),  # same size, same time
        "delete": path.unlink,
        "rewrite": lambda: path.write_text("src,dst\nann,eve\n", encoding="utf-8"),
    }
    change = _Once(changes[how])
    with pytest.raises(UserError, match=r"changed while it was read|cannot be read"):
        loaded(store, path, progress=change)
    assert change.done
    assert facts(store, "transfers") == []
    assert not list(tmp_path.rglob("quarantine/*"))


def test_a_gzip_file_that_is_still_written_is_not_called_damaged(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "transfers.csv.gz"
    whole = gzip.compress(b"src,dst,id\n" + b"".join(b"a,b,%d\n" % n for n in range(10_000)))
    path.write_bytes(whole[:5_000])
    with pytest.raises(DamagedError, match="cut off"):
        loaded(store, path)
    with inputs([str(path)], None) as readers:
        path.write_bytes(whole[:9_000])
        with pytest.raises(UserError, match="changed while it was read") as caught:
            load(store, sources()["transfers"], readers, Options())
    assert not isinstance(caught.value, DamagedError)
    path.write_bytes(whole)
    assert loaded(store, path).counts.loaded == 10_000
