"""The list of refused rows: JSON Lines, readable by its owner only."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import polars as pl


class Quarantine:
    """Writes refused rows to a file that is made with the first of them."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.reasons: Counter[str] = Counter()
        self._file: BinaryIO | None = None

    def add(self, file: str, refused: pl.DataFrame) -> None:
        """Write rows of one input file: row, column, value, reason."""
        if refused.is_empty():
            return
        if self._file is None:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.fchmod(handle, 0o600)
            self._file = os.fdopen(handle, "wb")
        self.reasons.update(dict(refused["reason"].value_counts().iter_rows()))
        refused.select(pl.lit(file).alias("file"), "row", "column", "value", "reason").write_ndjson(
            self._file
        )

    def finish(self) -> str | None:
        """Put the list on disk for good; its path, or None when nothing was refused."""
        if self._file is None:
            return None
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._file = None
        return self.path

    def drop(self) -> None:
        """Remove the list."""
        if self._file is not None:
            self._file.close()
            self._file = None
        Path(self.path).unlink(missing_ok=True)
