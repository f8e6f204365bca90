"""A progress bar that only appears when the work takes longer than a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

DELAY_SECONDS = 1.0


@contextmanager
def bar(title: str, total: float | None, live: bool) -> Iterator[Callable[..., None]]:
    """Yields `advance(done=None, note=None)`. On a terminal a bar; else a line a note."""
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %" if total else ""),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not live,
    )
    task = progress.add_task(title, total=total)
    begun = time.monotonic()
    started = False

    def advance(done: float | None = None, note: str | None = None) -> None:
        nonlocal started
        description = f"{title}: {note}" if note else title
        progress.update(task, completed=done, description=description)
        if not live:
            if note:
                console.print(f"{description} ({time.monotonic() - begun:.1f} s)", highlight=False)
        elif not started and time.monotonic() - begun > DELAY_SECONDS:
            progress.start()
            started = True

    try:
        yield advance
    finally:
        if started:
            progress.stop()
