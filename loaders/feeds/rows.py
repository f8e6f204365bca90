"""What a database is asked for, and the rows that it gives, whatever its make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from loaders.feeds.watermarks import Unit

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

BATCH_ROWS = 65_536


@dataclass(frozen=True)
class Asked:
    """Rows of a table or query, from a position of its watermark on."""

    query: str | None
    table: str | None
    watermark: str | None
    unit: Unit | None = None
    """What the watermark was when it was last read; None: all rows are asked for."""
    since: int = 0
    """The position from which on rows are asked for."""

    def from_(self, unit: Unit, since: int) -> Asked:
        """The same from a position on."""
        return replace(self, unit=unit, since=since)

    @property
    def rows(self) -> str:
        """What stands behind FROM."""
        if self.table is not None:
            return ".".join(quoted(part) for part in self.table.split("."))
        # A remark at the end of the query ends with its line.
        return f"({str(self.query).strip().rstrip(';')}\n)"


@dataclass(frozen=True)
class Rows:
    """A part of what was read."""

    table: pa.Table
    unit: Unit | None
    """None without a watermark."""
    positions: pl.Series | None
    """Int64, null where the watermark is none; may begin before what was asked for."""


class Database(Protocol):
    """A database that can be read."""

    def read(self, asked: Asked) -> Iterator[Rows]:
        """The rows as of one moment, in parts, in no order; nothing of the database changes.

        Rows whose watermark is missing or of another sort come too. Raises UserError, with
        what the database said as one sentence.
        """


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'
