"""Refreshes in processes of their own that have everything imported when they begin.

A night of a small platform takes 4 processor seconds, half of them to import: a kill at a random
moment would often meet nothing but that. These processes are forked from one that has imported
what a refresh needs and done nothing else; they are killed as any other.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOMS = ("graph", "loaders", "detectors", "review", "inconcert.refresh", "inconcert.commands")

FORKED = multiprocessing.get_context("forkserver")


def _modules() -> Iterator[str]:
    for name in ROOMS:
        room = importlib.import_module(name)
        yield from (module.name for module in pkgutil.walk_packages(room.__path__, f"{name}."))


FORKED.set_forkserver_preload(list(_modules()))


class Warm:
    """A refresh under way; of `subprocess.Popen` what nights need."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *words: str) -> None:
        self._said = folder / "said.txt"
        self._process = FORKED.Process(
            target=_refresh, args=(str(folder), dict(environment), words), daemon=True
        )
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self) -> tuple[str, str]:
        """Waits for its end; the second is what it said."""
        self._process.join()
        return "", self._said.read_text(encoding="utf-8") if self._said.exists() else ""


def _refresh(folder: str, environment: Mapping[str, str], words: tuple[str, ...]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    from inconcert.cli import run

    raise SystemExit(run(["refresh", *words]))
