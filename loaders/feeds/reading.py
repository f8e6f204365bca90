"""One fetch of a feed of rows: from the database into a Parquet file, and how far it came."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from graph.clock import now
from graph.errors import UserError
from loaders.feeds.feed import Mark
from loaders.feeds.rows import Asked, Database, Rows
from loaders.feeds.watermarks import Overlap, Unit, from_shown, position, shown, width
from loaders.feeds.windows import Window, digest_of, digests

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

LEAST = -(2**63)
"""The least number that a database or a column of numbers holds."""


class Reading:
    """Rows from a bit before the last watermark on; `asked` is without where that is."""

    def __init__(self, asked: Asked, overlap: Overlap, last: Mark | None) -> None:
        self._watermark = asked.watermark
        self._overlap = overlap
        self._last = last
        self._before = _position_of(last)
        self._asked = asked
        if self._before is not None:
            unit, reached = self._before
            self._asked = asked.from_(unit, max(LEAST, reached - self._width(unit)))
        self.rows = 0
        self._unit: Unit | None = None
        self._highest: int | None = None
        self._without = 0
        self._digests: list[pl.Series] = []
        self._window = Window()

    def write(self, database: Database, file: IO[bytes]) -> None:
        """Read all that is asked for into a Parquet file, which is on the disk after that.

        Raises UserError, with the file half written, when the database does, or when a row
        has no watermark.
        """
        import pyarrow.parquet as pq

        writer = None
        with ExitStack() as stack:
            for rows in database.read(self._asked):
                table, positions = self._wanted(rows)
                if not table.num_rows:
                    continue
                if writer is None:
                    writer = pq.ParquetWriter(file, table.schema, compression="zstd")
                    stack.callback(writer.close)
                writer.write_table(table)
                self._count(table, positions)
        if self._without:
            raise self._refusal()
        file.flush()
        os.fsync(file.fileno())

    @property
    def anything_new(self) -> bool:
        """Whether there are rows that the last fetch did not see."""
        same = self._last is not None and self._last["window_sha256"] == digest_of(self._digests)
        return bool(self.rows) and not same

    def as_mark(self) -> Mark:
        """How far the rows reach, and what the next fetch finds if nothing changes."""
        if self._unit is None:
            return {"window_sha256": digest_of(self._digests)}
        reached = self._reached(self._unit)
        return {
            "window_sha256": self._window.sha256(),
            "watermark": {"unit": self._unit, "value": shown(reached, self._unit)},
        }

    # -- rows -----------------------------------------------------------------------------

    def _wanted(self, rows: Rows) -> tuple[pa.Table, pl.Series | None]:
        """The rows from the overlap on; those without a position are counted."""
        if rows.positions is None or rows.unit is None:
            return rows.table, None
        self._unit = rows.unit
        self._width(rows.unit)
        self._without += rows.positions.null_count()
        keep = rows.positions.is_not_null()
        if self._asked.unit == rows.unit:
            keep &= rows.positions >= self._asked.since
        if keep.all():
            return rows.table, rows.positions
        return rows.table.filter(keep.to_arrow()), rows.positions.filter(keep)

    def _count(self, table: pa.Table, positions: pl.Series | None) -> None:
        self.rows += table.num_rows
        found = digests(table)
        self._digests.append(found)
        if positions is None or self._unit is None:
            return
        top = int(positions.max())  # type: ignore[arg-type]
        self._highest = top if self._highest is None else max(self._highest, top)
        self._window.add(found, positions)
        since = max(LEAST, self._reached(self._unit) - self._width(self._unit))
        self._window.drop_before(since)

    # -- positions ------------------------------------------------------------------------

    def _reached(self, unit: Unit) -> int:
        """The highest position, but of times none after now: else all rows after one with a
        wrong year would be passed over. Never before where an earlier fetch came to."""
        reached = self._highest or 0
        if unit == "time":
            reached = min(reached, position(now()))
        if self._before is not None and self._before[0] == unit:
            reached = max(reached, self._before[1])
        return reached

    def _width(self, unit: Unit) -> int:
        found = width(self._overlap, unit)
        if found is None:
            raise _OTHER_UNIT[unit](self._watermark)
        return found

    def _refusal(self) -> UserError:
        one = self._without == 1
        rows = "1 row has" if one else f"{self._without:,} rows have"
        taken = "it was" if one else "they were"
        what = "a whole number" if self._unit == "number" else "a time"
        return UserError(
            f"{rows} no watermark: '{self._watermark}' is empty or not {what}, so it cannot be "
            f"known whether {taken} taken.",
            "Fill the column, or leave such rows out by a query.",
        )


def _position_of(mark: Mark | None) -> tuple[Unit, int] | None:
    if mark is None or "watermark" not in mark:
        return None
    unit: Unit = mark["watermark"]["unit"]
    return unit, from_shown(mark["watermark"]["value"], unit)


_OTHER_UNIT: dict[Unit, Callable[[str | None], UserError]] = {
    "time": lambda name: UserError(
        f"The watermark '{name}' holds times.", "Say the overlap as a duration: overlap = '2h'."
    ),
    "number": lambda name: UserError(
        f"The watermark '{name}' holds whole numbers.",
        "Say the overlap in their own unit: overlap = 7200.",
    ),
}
