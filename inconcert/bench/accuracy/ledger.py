"""What was measured already: one line a world, so that a long run may be taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from graph.errors import UserError


class Ledger:
    """Answers by key; kept in a file of JSON lines, if one is named."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        if path is not None and path.exists():
            self._known = dict(_read(path))
            _cut(path)

    def get(self, key: dict[str, Any], make: Callable[[], Any]) -> Any:
        """The answer for a key: the one kept, else a new one, which is kept."""
        name = json.dumps(key, sort_keys=True)
        if name not in self._known:
            answer = json.loads(json.dumps(make()))  # the same whether kept or new
            self._known[name] = answer
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([name, answer]) + "\n")
        return self._known[name]


def _read(path: Path) -> list[tuple[str, Any]]:
    """Whole lines only: the last one may have been cut off. UserError for another file."""
    lines = path.read_text(encoding="utf-8").split("\n")
    try:
        return [(str(name), answer) for name, answer in map(json.loads, lines[:-1])]
    except (ValueError, TypeError) as error:
        raise UserError(f"{path} holds something else than worlds measured.") from error


def _cut(path: Path) -> None:
    """Take away what a killed run left of its last line."""
    whole = path.read_bytes().rfind(b"\n") + 1
    with path.open("r+b") as file:
        file.truncate(whole)
