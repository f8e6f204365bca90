"""A night's work without its stages: fetch, load what is delivered, keep the marks."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgres_servers import execute, own_database, some_postgres

from graph.store import Store, init_store
from inconcert.settings import parse
from loaders.feeds import Delivery, Feed, Mark, feeds, refuse_changed
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import Result, load

NOW = "2026-06-01T12:00:00Z"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCONCERT_NOW", NOW)
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)


class Night:
    """A store, one feed, and the marks of what was loaded."""

    def __init__(self, store: Store, feed: Feed, staging: Path) -> None:
        self.store = store
        self.feed = feed
        self.staging = staging
        self.marks: list[Mark] = []
        self.told: list[str] = []

    def fetch(self) -> list[Delivery]:
        found = self.feed.fetch(self.marks, self.staging, self.told.append)
        # a mark goes through JSON on its way to the record and back
        return [
            Delivery(**{**vars(one), "mark": json.loads(json.dumps(one.mark))}) for one in found
        ]

    def load(self, delivery: Delivery) -> Result:
        with inputs(delivery.paths, delivery.input_format) as readers:
            return load(
                self.store,
                sources()[delivery.kind],
                readers,
                delivery.options,
                before_commit=lambda: refuse_changed(delivery),
            )

    def __call__(self) -> list[Result]:
        """Fetch and load all; the marks are kept, each after its load."""
        results = []
        for delivery in self.fetch():
            results.append(self.load(delivery))
            self.marks.append(delivery.mark)
        return results

    def found(self) -> list[list[str]]:
        """The names of the files of each delivery that is ready."""
        return [[Path(path).name for path in one.paths] for one in self.fetch()]


@pytest.fixture
def feed_of() -> Callable[[str], Feed]:
    """The feed that a `[[feed]]` table (without its head) is."""

    def make(text: str) -> Feed:
        (feed,) = feeds(parse("[[feed]]\n" + text).feed)
        return feed

    return make


@pytest.fixture(scope="session")
def night_class() -> type[Night]:
    """For nights in a folder of the test's own making."""
    return Night


@pytest.fixture
def night(tmp_path: Path, feed_of: Callable[[str], Feed]) -> Callable[..., Any]:
    def make(text: str, **properties: Any) -> Night:
        store = init_store(str(tmp_path / "store"), **properties)
        return Night(store, feed_of(text), tmp_path / "staging")

    return make


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with some_postgres() as address:
        yield address


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The address of an empty database on a real server."""
    with own_database(postgres_server) as address:
        yield address


class Platform:
    """The database of a platform, with a table `ledger` that grows."""

    time = "text"
    amount = "text"

    def __init__(self, address: str) -> None:
        self.address = address
        self.number = "integer"

    def execute(self, *statements: str) -> None:
        raise NotImplementedError

    def create(self, watermark: str | None = None) -> None:
        self.execute(
            f"CREATE TABLE ledger (id text, src text, dst text, amount {self.amount}, "
            f"updated_at {watermark or self.time})"
        )

    def put(self, id: str, updated_at: str | int | None, amount: str = "1") -> None:
        value = "NULL" if updated_at is None else f"'{updated_at}'"
        value = str(updated_at) if isinstance(updated_at, int) else value
        self.execute(f"INSERT INTO ledger VALUES ('{id}', 'ann', 'ben', '{amount}', {value})")

    def feed(self, *more: str, asked: str = 'table = "ledger"') -> str:
        return (
            f'name = "ledger"\nkind = "transfers"\ndatabase = "{self.address}"\n{asked}\n'
            'map = "id=id"\n' + "".join(f"{line}\n" for line in more)
        )


class SqlitePlatform(Platform):
    def execute(self, *statements: str) -> None:
        with contextlib.closing(sqlite3.connect(self.address.removeprefix("sqlite:///"))) as file:
            for statement in statements:
                file.execute(statement)
                file.commit()


class PostgresPlatform(Platform):
    time = "timestamptz"
    amount = "numeric"

    def execute(self, *statements: str) -> None:
        execute(self.address, *statements)


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    if request.param == "sqlite":
        return SqlitePlatform(f"sqlite:///{tmp_path / 'platform.db'}")
    return PostgresPlatform(request.getfixturevalue("postgres"))
