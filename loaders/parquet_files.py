"""Parquet: typed columns as they are; what Polars has no exact type for comes as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from graph.errors import DamagedError, UserError
from loaders.chunks import CHUNK_ROWS, Chunk
from loaders.stamps import Stamp


class ParquetReader:
    """A Parquet file. Columns keep their types: integers, decimals and times stay exact."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.stamp = Stamp.of(path)
        self.size_bytes = self.stamp.size_bytes
        self.path = path

    def columns(self) -> dict[str, pl.DataType]:
        """The columns and their types."""
        with self._open() as file:
            names = file.schema_arrow.names
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise UserError(f"'{self.name}' has two columns named '{twice[0]}'.", "Rename one.")
            return dict(_frame(file.schema_arrow.empty_table()).schema)

    def chunks(self, columns: Sequence[str]) -> Iterator[Chunk]:
        """Chunks of up to a million rows."""
        first_row = 1
        with self._open() as file:
            total = max(file.metadata.num_rows, 1)
            try:
                for batch in file.iter_batches(CHUNK_ROWS, columns=list(columns)):
                    count = batch.num_rows
                    rows = pl.int_range(first_row, first_row + count, eager=True).rename("row")
                    first_row += count
                    done = int(self.size_bytes * (first_row - 1) / total)
                    yield Chunk(self.name, _frame(pa.table(batch)), rows, done)
            except (pa.ArrowException, OSError) as error:
                raise self._damaged(error) from None

    def _open(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def _damaged(self, error: Exception) -> DamagedError:
        first_line = str(error).splitlines()[0].rstrip(".") if str(error) else "unreadable"
        return DamagedError(f"'{self.name}' is not a Parquet file, or is damaged: {first_line}.")


def _frame(table: pa.Table) -> pl.DataFrame:
    for place, column in enumerate(table.schema):
        if pa.types.is_decimal256(column.type):
            table = table.set_column(
                place, column.name, pc.cast(table.column(place), pa.large_string())
            )
    return pl.DataFrame(pl.from_arrow(table))
