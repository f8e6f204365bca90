"""Rows of an SQLite file. Its cells have types of their own, whatever the column says: an
amount 5 is an integer beside a real 5.5. So every cell comes as its exact text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.errors import UserError
from loaders.feeds.rows import BATCH_ROWS, Asked, Rows, quoted
from loaders.feeds.watermarks import Unit, moment

if TYPE_CHECKING:
    import sqlite3

    import polars as pl

_TEXT = (
    "CASE typeof({0}) WHEN 'text' THEN {0} WHEN 'integer' THEN CAST({0} AS TEXT) "
    "WHEN 'null' THEN NULL ELSE exact_text({0}) END AS {0}"
)
_CLASS: dict[Unit, str] = {"time": "text", "number": "integer"}
_DAY = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
# Each finds too much rather than too little: what is no time or no number is found as well.
_SINCE: dict[Unit, str] = {
    "time": "{0} >= ? OR {0} IS NULL OR typeof({0}) <> 'text' OR {0} NOT GLOB " + _DAY,
    "number": "{0} >= ? OR {0} IS NULL OR typeof({0}) <> 'integer'",
}


class Sqlite:
    """One SQLite file, opened to be read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, asked: Asked) -> Iterator[Rows]:
        """See `loaders.feeds.rows.Database`."""
        import sqlite3

        if not self.path.is_file():
            raise UserError(f"There is no SQLite file '{self.path}'.")
        try:
            address = f"{self.path.absolute().as_uri()}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=60)) as connection:
                connection.execute("PRAGMA query_only = ON")
                connection.create_function("exact_text", 1, _exact_text, deterministic=True)
                connection.execute("BEGIN")
                yield from _read(connection, asked)
        except sqlite3.Error as error:
            raise UserError(f"SQLite refuses '{self.path}': {str(error).rstrip('.')}.") from None


def _exact_text(value: Any) -> str:
    """A real as the shortest text that is exactly it; bytes as hex."""
    return value.hex() if isinstance(value, bytes) else repr(value)


def _read(connection: sqlite3.Connection, asked: Asked) -> Iterator[Rows]:
    import pyarrow as pa

    names = [
        column[0]
        for column in connection.execute(f"SELECT * FROM {asked.rows} LIMIT 0").description
    ]
    if asked.watermark is not None and asked.watermark not in names:
        # SQLite itself takes a quoted name that it does not know for a text.
        raise UserError(
            f"There is no column '{asked.watermark}' for the watermark.",
            f"There is {', '.join(names)}.",
        )
    schema = pa.schema([(name, pa.large_string()) for name in names])
    cursor = connection.execute(*_statement(asked, names))
    unit = asked.unit
    while cells := cursor.fetchmany(BATCH_ROWS):
        columns = list(zip(*cells, strict=True))
        table = pa.table(
            [pa.array(cells, pa.large_string()) for cells in columns[: len(names)]], schema=schema
        )
        if asked.watermark is None:
            yield Rows(table, None, None)
            continue
        unit = unit or ("number" if columns[-1][0] == "integer" else "time")
        texts = columns[names.index(asked.watermark)]
        yield Rows(table, unit, _positions(texts, columns[-1], unit))


def _statement(asked: Asked, names: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
    wanted = [_TEXT.format(f"feed.{quoted(name)}").replace("AS feed.", "AS ") for name in names]
    if asked.watermark is None:
        return f"SELECT {', '.join(wanted)} FROM {asked.rows} AS feed", ()
    watermark = f"feed.{quoted(asked.watermark)}"
    statement = f"SELECT {', '.join(wanted)}, typeof({watermark}) FROM {asked.rows} AS feed"
    if asked.unit is None:
        return statement, ()
    return f"{statement} WHERE {_SINCE[asked.unit].format(watermark)}", (_bound(asked),)


def _bound(asked: Asked) -> str | int:
    """Texts of times are compared by their day alone, a day early, for zones and for blanks or
    a T before the hour; who asked drops what is too old."""
    if asked.unit == "number":
        return asked.since
    return f"{moment(asked.since) - timedelta(days=1):%Y-%m-%d}"


def _positions(texts: Sequence[str | None], classes: Sequence[str], unit: Unit) -> pl.Series:
    import polars as pl

    from loaders.times import times

    fits = pl.Series(classes) == _CLASS[unit]
    values = pl.Series(texts, dtype=pl.String)
    if unit == "time":
        found = times(values, None).values.dt.epoch("us")
    else:
        found = values.cast(pl.Int64, strict=False)
    return pl.select(pl.when(fits).then(found)).to_series()
