"""Rows of a PostgreSQL server, by ADBC: COPY in binary, one batch of Arrow after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC
from typing import TYPE_CHECKING, Any

from graph.errors import UserError
from loaders.feeds.rows import Asked, Rows, quoted
from loaders.feeds.watermarks import Unit, moment

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_AS_THEY_ARE = (
    *("int2", "int4", "int8", "float4", "float8", "bool"),
    *("text", "varchar", "bpchar", "name", "date", "timestamp", "timestamptz"),
)
"""Types that Arrow has exactly. Others come as PostgreSQL's text: ADBC has no type for most,
and gives money in cents."""

_UNITS: dict[str, Unit] = {
    **dict.fromkeys(("date", "timestamp", "timestamptz"), "time"),
    **dict.fromkeys(("int2", "int4", "int8"), "number"),
}
_SINCE = "inconcert.since"
_CONNECT_SECONDS = 30


class PostgreSQL:
    """A database of a PostgreSQL server, in a transaction that may only read."""

    def __init__(self, address: str, password: str | None) -> None:
        """`address`: a libpq URL without the password."""
        self._address = address
        self._password = password

    def read(self, asked: Asked) -> Iterator[Rows]:
        """See `loaders.feeds.rows.Database`."""
        import adbc_driver_manager as adbc
        import pyarrow as pa
        from adbc_driver_postgresql import dbapi

        try:
            with (
                closing(dbapi.connect(self._with_password())) as connection,
                closing(connection.cursor()) as cursor,
            ):
                yield from _read(cursor, asked)
        except (adbc.Error, pa.ArrowException, OSError) as error:
            raise UserError(f"PostgreSQL: {self._sentence(error)}") from None

    def _with_password(self) -> str:
        from urllib.parse import quote

        address = self._address
        if "connect_timeout=" not in address:
            address += f"{'&' if '?' in address else '?'}connect_timeout={_CONNECT_SECONDS}"
        if self._password is not None:
            address += f"&password={quote(self._password, safe='')}"
        return address

    def _sentence(self, error: Exception) -> str:
        """What the server said first, without the statement and never with the password."""
        text = str(error)
        for mark in ("ERROR:", "FATAL:", "Failed to connect:", "[libpq]"):
            if mark in text:
                text = text.split(mark, 1)[1]
                break
        line = text.strip().splitlines()[0].strip() if text.strip() else type(error).__name__
        if self._password:
            from urllib.parse import quote

            for secret in (self._password, quote(self._password, safe="")):
                line = line.replace(secret, "…")
        return line.rstrip(".") + "."


def _read(cursor: Any, asked: Asked) -> Iterator[Rows]:
    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    types = _types(cursor, asked)
    if asked.watermark is None:
        cursor.execute(_statement(asked, types))
    else:
        unit = _unit(asked.watermark, types)
        since = asked.since if asked.unit == unit else None
        if since is not None:
            # COPY takes no parameters, and without COPY a whole answer lies in memory. So the
            # value is bound here, and the statement reads it from the transaction.
            cursor.execute(
                "SELECT set_config($1, $2, true)", (_SINCE, _text(since, types[asked.watermark]))
            )
            cursor.fetchall()
        cursor.execute(_statement(asked, types, since is not None))
    for batch in cursor.fetch_record_batch():
        table = _table(batch)
        if asked.watermark is None:
            yield Rows(table, None, None)
        else:
            yield Rows(table, unit, _positions(table[asked.watermark], unit))


def _types(cursor: Any, asked: Asked) -> dict[str, str]:
    """Each column's type, as PostgreSQL names it."""
    cursor.execute(f"SELECT * FROM {asked.rows} AS feed LIMIT 0")
    schema = cursor.fetch_record_batch().schema
    names = schema.names
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"Two columns are named '{twice}'.", "Name one of them anew: AS.")
    if asked.watermark is not None and asked.watermark not in names:
        raise UserError(
            f"There is no column '{asked.watermark}' for the watermark.",
            f"There is {', '.join(names)}.",
        )
    return {
        field.name: (field.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for field in schema
    }


def _unit(watermark: str, types: dict[str, str]) -> Unit:
    try:
        return _UNITS[types[watermark]]
    except KeyError:
        raise UserError(
            f"The watermark '{watermark}' is of type {types[watermark]}.",
            "It has to be a time, a date or an integer; cast it in the query.",
        ) from None


def _statement(asked: Asked, types: dict[str, str], since: bool = False) -> str:
    wanted = ", ".join(_column(name, kind) for name, kind in types.items())
    statement = f"SELECT {wanted} FROM {asked.rows} AS feed"
    if not since:
        return statement
    watermark = f"feed.{quoted(str(asked.watermark))}"
    bound = f"current_setting('{_SINCE}')::{types[str(asked.watermark)]}"
    return f"{statement} WHERE {watermark} >= {bound} OR {watermark} IS NULL"


def _column(name: str, kind: str) -> str:
    column = f"feed.{quoted(name)}"
    if kind in _AS_THEY_ARE:
        return column
    # As text an address has /32 behind it, abbreviated it has not.
    return f"{f'abbrev({column})' if kind == 'inet' else f'{column}::text'} AS {quoted(name)}"


def _text(since: int, kind: str) -> str:
    if _UNITS[kind] == "number":
        return str(since)
    found = moment(since).astimezone(UTC)
    if kind == "date":
        return found.date().isoformat()
    return found.isoformat() if kind == "timestamptz" else found.replace(tzinfo=None).isoformat()


def _table(batch: pa.RecordBatch) -> pa.Table:
    """Without what ADBC notes of the types, which is no part of the rows."""
    import pyarrow as pa

    bare = pa.schema([field.remove_metadata() for field in batch.schema])
    return pa.table(batch.columns, schema=bare)


def _positions(column: pa.ChunkedArray, unit: Unit) -> pl.Series:
    import polars as pl

    values = pl.Series(column)
    if unit == "number":
        return values.cast(pl.Int64)
    if values.dtype == pl.Date:
        values = values.cast(pl.Datetime("us"))
    return values.dt.epoch("us")
