"""A feed of rows: a table or query of a database, read on from where it was read to."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from graph.disk import room_for, sync
from graph.errors import UserError
from loaders.feeds.feed import Delivery, FeedSettings, Mark, Tell
from loaders.feeds.postgresql import PostgreSQL
from loaders.feeds.reading import Reading
from loaders.feeds.rows import Asked, Database
from loaders.feeds.sqlite import Sqlite
from loaders.feeds.watermarks import Overlap, parse_overlap
from loaders.mapping import parse_map
from loaders.stamps import Stamp, sha256

KEY = "database"

_POSTGRESQL = ("postgresql", "postgres")


class SqlSettings(FeedSettings):
    """A `[[feed]]` with a `database`."""

    database: str
    """`sqlite:///PATH` or `postgresql://USER@HOST/NAME`, without a password."""
    password_env: Annotated[str, Field(min_length=1)] | None = None
    """The environment variable that holds the password."""
    password_file: Annotated[str, Field(min_length=1)] | None = None
    """The file that holds it."""
    table: Annotated[str, Field(min_length=1)] | None = None
    query: Annotated[str, Field(min_length=1)] | None = None
    """Instead of a table: one SELECT."""
    watermark: Annotated[str, Field(min_length=1)] | None = None
    """A column that grows with every change of a row; None: all rows are read each time."""
    overlap: Annotated[Overlap, BeforeValidator(parse_overlap)] | None = None
    """How long before the last watermark reading begins: longer than any transaction takes."""

    @field_validator("database")
    @classmethod
    def _a_database(cls, database: str) -> str:
        scheme, colon, rest = database.partition("://")
        scheme = scheme.partition("+")[0]  # SQLAlchemy names a driver there
        if colon and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
            return f"sqlite://{rest}"
        if not colon or scheme not in _POSTGRESQL:
            raise ValueError("is sqlite:///PATH or postgresql://USER@HOST/NAME")
        parts = urlsplit(f"postgresql://{rest}")
        if parts.password or "password" in parse_qs(parts.query):
            raise ValueError("holds a password; say password_env or password_file instead")
        return f"postgresql://{rest}"

    @model_validator(mode="after")
    def _hangs_together(self) -> SqlSettings:
        if (self.table is None) == (self.query is None):
            raise ValueError("a database needs a table or a query, and not both")
        if self.password_env is not None and self.password_file is not None:
            raise ValueError("password_env and password_file exclude each other")
        if (self.watermark is None) != (self.overlap is None):
            raise ValueError(
                "a watermark needs an overlap, longer than any transaction takes: overlap = '1h'"
                if self.overlap is None
                else "an overlap needs a watermark"
            )
        if self.watermark is not None:
            self._can_be_read_on()
        return self

    def _can_be_read_on(self) -> None:
        if self.complete:
            raise ValueError("what is read from a watermark on is no complete list")
        if "id" in self.facts.names and "id" not in parse_map(self.map, self.facts):
            # Without an id the n-th of equal rows is known by n, and n is of one file.
            raise ValueError("rows are read twice by the overlap, so map their id: map = 'id=…'")

    def opened(self) -> Database:
        """The database. UserError where the password is not where it is said to be."""
        if self.database.startswith("sqlite"):
            return Sqlite(Path(self.database.removeprefix("sqlite:///")))
        return PostgreSQL(self.database, self._password())

    def _password(self) -> str | None:
        if self.password_env is not None:
            found = os.environ.get(self.password_env)
            if found is None:
                raise UserError(f"The variable {self.password_env} with the password is not set.")
            return found
        if self.password_file is None:
            return None
        try:
            return Path(self.password_file).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"The password file '{self.password_file}' cannot be read.") from None


class SqlFeed:
    """Rows of a table or query, from a bit before the last watermark on."""

    def __init__(self, settings: SqlSettings) -> None:
        self._settings = settings
        self.name = settings.name
        self.kind = settings.kind

    def fetch(self, taken: Sequence[Mark], staging: Path, tell: Tell) -> list[Delivery]:
        """The rows as one Parquet file in `staging`; none where they are those of before."""
        try:
            return self._fetch(taken, staging, tell)
        except UserError as error:
            raise UserError(f"Feed '{self.name}': {error.sentence}", error.hint) from None

    def _fetch(self, taken: Sequence[Mark], staging: Path, tell: Tell) -> list[Delivery]:
        one = self._settings
        asked = Asked(one.query, one.table, one.watermark)
        reading = Reading(asked, one.overlap or 0, self._last(taken))
        staging.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, part = staging / f"{self.name}.parquet", staging / f".{self.name}.part"
        try:
            with room_for(path), _private(part) as file:
                reading.write(one.opened(), file)
            if not reading.anything_new:
                tell(f"Feed '{self.name}': there is nothing new.")
                return []
            os.utime(part, ns=(0, 0))  # the same rows fetched again have the same mark
            part.replace(path)
            sync(staging)
        finally:
            part.unlink(missing_ok=True)
        return [self._delivery(path, reading)]

    def _last(self, taken: Sequence[Mark]) -> Mark | None:
        """The last mark; one of another query or watermark says nothing about this one."""
        asked = self._asked_sha256()
        return next((mark for mark in reversed(taken) if mark.get("asked_sha256") == asked), None)

    def _asked_sha256(self) -> str:
        one = self._settings
        return hashlib.sha256(repr((one.query, one.table, one.watermark)).encode()).hexdigest()

    def _delivery(self, path: Path, reading: Reading) -> Delivery:
        file = {"path": path.name, **Stamp.of(path).as_mark(), "sha256": sha256(path)}
        return Delivery(
            feed=self.name,
            kind=self.kind,
            paths=(str(path),),
            options=self._settings.options(),
            input_format="parquet",
            rows=reading.rows,
            mark={
                "files": [file],
                "rows": reading.rows,
                "asked_sha256": self._asked_sha256(),
                **reading.as_mark(),
            },
        )


def _private(path: Path) -> IO[bytes]:
    """A new file for its owner alone."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


SETTINGS = SqlSettings
FEED = SqlFeed
