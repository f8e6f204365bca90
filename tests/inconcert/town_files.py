"""CSV files for commands to load."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, *rows: Iterable[object]) -> Path:
    """A CSV file; the first row is the header."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path
