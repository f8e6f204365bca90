"""How far long work is: a bar on a terminal, lines elsewhere. Both move by themselves too, so
that nobody wonders whether the work still goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread, Timer

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

DELAY_SECONDS = 1.0
"""A bar appears when the work takes longer than this."""

LINE_SECONDS = 3.0
"""A line is written at least this often."""

Advance = Callable[..., None]


@contextmanager
def bar(title: str, total: float | None) -> Iterator[Advance]:
    """A bar on the terminal. Yields `advance(done=None, note=None, seldom=False)`; each note
    is shown at once, `seldom` or not."""
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %" if total else ""),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = progress.add_task(title, total=total)
    appears = Timer(DELAY_SECONDS, progress.start)
    appears.daemon = True

    def advance(done: float | None = None, note: str | None = None, seldom: bool = False) -> None:
        description = f"{title}: {note}" if note else None
        progress.update(task, completed=done, description=description)

    appears.start()
    try:
        yield advance
    finally:
        appears.cancel()
        appears.join()
        if progress.live.is_started:
            progress.stop()


@contextmanager
def lines(title: str) -> Iterator[Advance]:
    """A line a note. Yields `advance(done=None, note=None, seldom=False)`; a note that comes
    often is `seldom` shown: when it is time for a line."""
    console = Console(stderr=True)
    begun = time.monotonic()
    ended = Event()
    shown = title

    def line() -> None:
        console.print(f"{shown} ({time.monotonic() - begun:.1f} s)", highlight=False, markup=False)

    def write_on() -> None:
        while not ended.wait(LINE_SECONDS):
            line()

    def advance(done: float | None = None, note: str | None = None, seldom: bool = False) -> None:
        nonlocal shown
        shown = f"{title}: {note}" if note else shown
        if note and not seldom:
            line()

    writer = Thread(target=write_on, daemon=True)
    writer.start()
    try:
        yield advance
    finally:
        ended.set()
        writer.join()
