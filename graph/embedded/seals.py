"""Digests by which damage shows that reading does not find.

A flipped bit in a Parquet page, or in a value of SQLite, is another value as a rule and no error
(measured: 283 of 300 flips in a file of facts). So every file of facts has a SHA-256 in the
ledger from its load on, and every row of the ledger's own tables one from its last change on.
The events of the log have their chain instead, and the views are what the events come to.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS seals (
    name TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""

KEYS = {"properties": "name", "batches": "batch", "supplies": "batch", "runs": "number"}
"""The sealed tables, each with its key. Rows of them are never deleted."""

SCHEMA_ROWS = "schema"
"""What the tables, indexes and views are is sealed too: a flipped bit in the text of a view
changed what was withdrawn."""

SEALED = (SCHEMA_ROWS, *KEYS)

FILES = "file/"
"""Before the path of a file of facts, below the store's folder."""


def sha256_of(path: Path) -> str:
    """The digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def guard(connection: sqlite3.Connection) -> None:
    """From now on what this connection writes into a sealed table is sealed with it, by triggers
    of the connection's own: nothing stays of them in the file."""
    connection.create_function("sealed", -1, _sealed, deterministic=True)
    for table, key in KEYS.items():
        columns = ", ".join(f'NEW."{name}"' for name in _columns(connection, table))
        for change in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TEMP TRIGGER seal_{table}_{change} AFTER {change} ON main.{table} "
                f"BEGIN INSERT OR REPLACE INTO seals "
                f"VALUES ('{table}/' || NEW.{key}, sealed({columns})); END"
            )


def begin(connection: sqlite3.Connection) -> None:
    """Seal what is there, once, in a ledger of before there were seals. Within a transaction,
    before it writes anything."""
    if not is_there(connection):
        connection.execute(SCHEMA)
        for name, row in _rows(connection, KEYS):
            connection.execute("INSERT INTO seals VALUES (?, ?)", (name, _sealed(*row)))


def end(connection: sqlite3.Connection) -> None:
    """Seal what a transaction has made: tables, indexes, views."""
    for name, row in list(_rows(connection, (SCHEMA_ROWS,))):
        connection.execute("INSERT OR IGNORE INTO seals VALUES (?, ?)", (name, _sealed(*row)))


def renew_schema(connection: sqlite3.Connection) -> None:
    """Seal tables, indexes and views anew, where a transaction has made some of them anew."""
    prefix = f"{SCHEMA_ROWS}/"
    connection.execute("DELETE FROM seals WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))
    end(connection)


def is_there(connection: sqlite3.Connection) -> bool:
    """Whether the ledger has seals: one that was never written to since there are, has none."""
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'seals'").fetchone()
    return found is not None


def seal_files(connection: sqlite3.Connection, files: Mapping[str, str]) -> None:
    """Record the digests of files, by their path below the store's folder."""
    rows = [(FILES + path, digest) for path, digest in files.items()]
    connection.executemany("INSERT OR REPLACE INTO seals VALUES (?, ?)", rows)


def forget_files(connection: sqlite3.Connection, folder: str) -> None:
    """Take away the digests of a table's files."""
    prefix = f"{FILES}{folder}/"
    connection.execute("DELETE FROM seals WHERE substr(name, 1, ?) = ?", (len(prefix), prefix))


def sealed_files(connection: sqlite3.Connection) -> dict[str, str]:
    """The digests of files, by their path below the store's folder."""
    if not is_there(connection):
        return {}
    rows = connection.execute(
        "SELECT substr(name, ?) AS path, sha256 FROM seals WHERE substr(name, 1, ?) = ?",
        (len(FILES) + 1, len(FILES), FILES),
    )
    return {row["path"]: row["sha256"] for row in rows}


def broken(connection: sqlite3.Connection, tables: Iterable[str] = SEALED) -> Iterator[str]:
    """Rows that are not what was written, and rows that are gone, one sentence each."""
    if not is_there(connection):
        return
    with _raw(connection):
        for table in tables:
            seals = _seals_of(connection, table)
            for name, row in _rows(connection, (table,)):
                if seals.pop(name, "") != _sealed(*row):
                    yield f"the row {name} is not what was written"
            for name in seals:
                yield f"the row {name} is gone"


def strange(connection: sqlite3.Connection) -> Iterator[str]:
    """Digests of nothing that there could be: their names are damaged, one sentence each."""
    if is_there(connection):
        known = (*SEALED, FILES.rstrip("/"))
        with _raw(connection):
            for (name,) in connection.execute("SELECT name FROM seals"):
                if _text(name).partition("/")[0] not in known:
                    yield f"there is a digest of {_text(name)!r}, which is nothing"


def _seals_of(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, sha256 FROM seals WHERE name >= ? AND name < ?",
        (f"{table}/", f"{table}0"),  # 0 comes after /
    )
    return {_text(name): _text(seal) for name, seal in rows}


def _rows(
    connection: sqlite3.Connection, tables: Iterable[str]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The rows of sealed tables with their names."""
    for table in tables:
        for name, *values in connection.execute(_query(connection, table)):
            yield f"{table}/{_text(name)}", tuple(values)


def _query(connection: sqlite3.Connection, table: str) -> str:
    if table == SCHEMA_ROWS:
        return "SELECT name, type, tbl_name, sql FROM sqlite_schema"
    names = ", ".join(f'"{name}"' for name in _columns(connection, table))
    return f"SELECT {KEYS[table]}, {names} FROM {table}"


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [_text(row[1]) for row in connection.execute(f"PRAGMA table_info({table})")]


@contextmanager
def _raw(connection: sqlite3.Connection) -> Iterator[None]:
    """Texts as bytes: damaged ones may be no UTF-8."""
    kept, connection.text_factory = connection.text_factory, bytes
    try:
        yield
    finally:
        connection.text_factory = kept


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _sealed(*row: object) -> str:
    """The digest of a row: of each value its sort, its length and itself."""
    digest = hashlib.sha256()
    for value in row:
        raw = value if isinstance(value, bytes) else str(value).encode()
        sort = "n" if value is None else "t" if isinstance(value, (str, bytes)) else "i"
        digest.update(f"{sort}{len(raw)}:".encode() + raw)
    return digest.hexdigest()
