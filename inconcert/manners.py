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
    click.echo(prefix + sentence + (f" {hint}" if hint else ""), err=True)


@dataclass
class Manners:
    """The settings that all commands share; click's context object."""

    store_url: str | None = None
    verbose: bool = False

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
        return open_store(self.url)

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
        """A progress bar on stderr that shows itself after a second.

        Yields `advance(done=None, note=None)`: `done` so far (same unit as `total`), and a
        note on what is being done now. Silent unless `talkative`.
        """
        if not self.talkative:
            yield lambda done=None, note=None: None
            return
        from inconcert.progress import bar

        with bar(title, total, live=sys.stderr.isatty()) as advance:
            yield advance


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
        _let_signals_through()
        return function(manners, *args, **kwargs)

    return wrapped


def _let_signals_through() -> None:
    """Lets Ctrl-C and a request to end wake a thread that waits for another one: Polars, once
    imported, has the system go on with the wait instead."""
    import polars  # noqa: F401  # its handler is there from now on

    signal.siginterrupt(signal.SIGINT, True)
    signal.siginterrupt(signal.SIGTERM, True)
