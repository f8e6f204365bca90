"""What readers yield: raw columns with their row numbers, and rows that could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import polars as pl

from loaders.stamps import Stamp

CHUNK_ROWS = 1_000_000

REFUSED = {"row": pl.Int64(), "column": pl.String(), "value": pl.String(), "reason": pl.String()}
"""Columns of refused rows, as the quarantine lists them (`file` is added when written)."""


def no_refused() -> pl.DataFrame:
    """An empty frame of refused rows."""
    return pl.DataFrame(schema=REFUSED)


@dataclass
class Chunk:
    """A part of a file. `rows` numbers the rows of `frame` (1: the file's first data row)."""

    file: str
    frame: pl.DataFrame
    """Raw columns by their name in the file: text, bytes, or the file's own types."""
    rows: pl.Series
    done_bytes: int
    """How far into the file this chunk reaches."""
    refused: pl.DataFrame = field(default_factory=no_refused)
    """Rows that could not be read as rows; the whole line is their value."""


class Reader(Protocol):
    """One input file. Every call of `chunks` reads it anew."""

    name: str
    """The file as the user named it."""
    path: Path
    size_bytes: int
    stamp: Stamp
    """Taken before anything of it is read."""

    def columns(self) -> dict[str, pl.DataType]:
        """The file's columns and the types that `chunks` gives them.

        Raises DamagedError when the file is not what its ending says.
        """

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """The file's rows with these columns. Raises DamagedError in mid-file if need be."""
