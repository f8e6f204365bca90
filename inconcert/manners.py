"""What every command shares: which store, where words go, progress on long work."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from graph.store import Store

DEFAULT_STORE = "./inconcert-store"
SETTINGS_FILE = Path("inconcert.toml")


def say(sentence: str, hint: str | None = None, *, prefix: str = "") -> None:
    """One sentence (and what to do next) on stderr."""
    from graph.errors import on_one_line

    click.echo(on_one_line(prefix + sentence + (f" {hint}" if hint else "")), err=True)


def _silent(done: float | None = None, note: str | None = None, seldom: bool = False) -> None:
    """Shows nothing."""


@dataclass
class Manners:
    """The settings that all commands share; click's context object."""

    store_url: str | None = None
    verbose: bool = False
    _advance: Callable[..., None] = _silent

    @property
    def url(self) -> str:
        """The store's URL: `--store`, else INCONCERT_STORE, else inconcert.toml, else here."""
        named = self.store_url or os.environ.get("INCONCERT_STORE")
        if not named and SETTINGS_FILE.exists():
            from inconcert.settings import settings

            named = settings().store
        return named or DEFAULT_STORE

    def open(self) -> Store:
        """The store, opened. UserError when there is none, or the clock that is set is none."""
        from graph import clock
        from graph.store import open_store

        clock.now()  # a wrong INCONCERT_NOW is said before any work, not after it
        return self.heard(open_store(self.url))

    def heard(self, store: Store) -> Store:
        """The store; what it tells of long work is shown by the progress that is shown."""
        store.tell = lambda note: self._advance(note=note, seldom=True)
        return store

    @property
    def talkative(self) -> bool:
        """Whether progress and notes are shown: on a terminal, or with -v."""
        return self.verbose or sys.stderr.isatty()

    def note(self, sentence: str) -> None:
        """A remark that is not the answer; shown on a terminal or with -v."""
        if self.talkative:
            say(sentence)

    @contextmanager
    def progress(self, title: str, total: float | None = None) -> Iterator[Callable[..., None]]:
        """On stderr how far work is: a bar that shows itself after a second, or lines.

        Yields `advance(done=None, note=None)`: `done` so far (same unit as `total`), and a
        note on what is being done now. Silent unless `talkative`. What computes, or waits
        for a server's rows, does it within one: there Ctrl-C is heard at once.
        """
        _let_signals_through()
        if not self.talkative:
            yield _silent
            return
        from inconcert.progress import bar, lines

        with bar(title, total) if sys.stderr.isatty() else lines(title) as self._advance:
            try:
                yield self._advance
            finally:
                self._advance = _silent


def store_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--store` and `-v` (also accepted before the command's name) and
    passes `Manners` as its first argument."""

    @click.option("--store", "url", metavar="URL", help="The store: a folder or a server's URL.")
    @click.option("-v", "--verbose", is_flag=True, help="Progress and notes without a terminal.")
    @click.pass_obj
    @functools.wraps(function)
    def wrapped(
        manners: Manners, /, *args: Any, url: str | None, verbose: bool, **kwargs: Any
    ) -> Any:
        manners.store_url = url or manners.store_url
        manners.verbose = verbose or manners.verbose
        return function(manners, *args, **kwargs)

    return wrapped


def _let_signals_through() -> None:
    """Lets Ctrl-C and a request to end wake a thread that waits for another one: Polars, once
    imported, has the system go on with the wait instead."""
    import polars  # noqa: F401  # its handler is there from now on

    signal.siginterrupt(signal.SIGINT, True)
    signal.siginterrupt(signal.SIGTERM, True)
