"""What happened, for programs: a line of JSON each, in a file that is only appended to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from graph.clock import iso, now
from graph.who import user
from inconcert.refresh.held import HeldError


class Journal:
    """Writes lines; without a file none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def say(self, event: str, **facts: Any) -> None:
        """Append one line, whole: other processes may write to the file, too."""
        if self._path is None:
            return
        import structlog

        line = structlog.processors.JSONRenderer(ensure_ascii=False)(
            None, "info", {"at": iso(now()), "event": event, "user": user(), **facts}
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = line if isinstance(line, str) else line.decode()
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            os.write(handle, f"{text}\n".encode(errors="backslashreplace"))
        finally:
            os.close(handle)

    @contextmanager
    def failures(self, **facts: Any) -> Iterator[None]:
        """A failure inside is a line, too."""
        try:
            yield
        except HeldError:  # it is a line already
            raise
        except BaseException as error:
            self.say("failed", error=type(error).__name__, sentence=str(error), **facts)
            raise
