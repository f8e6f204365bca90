"""Stores to test: every test that takes `store` runs on each home there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from neo4j_servers import asked

from graph.schema import AMOUNT, TIME
from graph.store import Batch, Counts, Load, Store, init_store, is_server

HOMES = ["embedded", "neo4j"]

DAY = datetime(2026, 3, 1, tzinfo=UTC)

Row = tuple[str, str, str, str]
"""uid, src, dst, amount."""


@pytest.fixture(params=HOMES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a new store can be made."""
    if request.param == "embedded":
        return str(tmp_path / "store")
    return str(request.getfixturevalue("neo4j_url"))


@pytest.fixture
def fresh_url(url: str, tmp_path: Path) -> Callable[[], str]:
    """Gives, each time, where a new store can be made: for tests that try many."""
    numbers = itertools.count()

    def fresh_url() -> str:
        if not is_server(url):
            return str(tmp_path / f"store-{next(numbers)}")
        asked(url, "MATCH (node) DETACH DELETE node")
        return url

    return fresh_url


@pytest.fixture
def store(url: str) -> Store:
    return init_store(url)


def write(load: Load, rows: Iterable[Row], revision: int = 1, at: datetime = DAY) -> int:
    """Write transfers into an open load; returns how many."""
    frame = pl.DataFrame(list(rows), schema=["uid", "src", "dst", "amount"], orient="row")
    numbers = load.number(pl.concat([frame["src"], frame["dst"]]))
    load.append(
        "transfers",
        frame.with_columns(
            pl.lit(revision, pl.Int32).alias("revision"),
            numbers[: frame.height].alias("src"),
            numbers[frame.height :].alias("dst"),
            pl.col("amount").cast(AMOUNT),
            pl.lit(at).cast(TIME).alias("at"),
            pl.lit(None, pl.Int64).alias("step"),
            pl.lit(None, pl.String).alias("kind"),
        ),
    )
    return frame.height


@pytest.fixture
def load_transfers() -> Callable[..., Batch]:
    """Loads transfers as one batch."""

    def load_transfers(store: Store, *rows: Row, **columns: Any) -> Batch:
        with store.loading("transfers", "test") as load:
            count = write(load, rows, **columns)
            return load.commit(Counts(read=count, loaded=count))

    return load_transfers


@pytest.fixture(scope="session")
def write_transfers() -> Callable[..., int]:
    """Writes transfers into an open load."""
    return write


@pytest.fixture
def seen() -> Callable[..., set[tuple[str, int, str, str, Decimal]]]:
    """What a reader sees of the transfers: uid, revision, accounts by their text, amount."""

    def seen(store: Store, known_at: int | None = None) -> set[tuple[str, int, str, str, Decimal]]:
        accounts = store.accounts()
        rows = (
            store.facts("transfers", known_at)
            .join(accounts.rename({"account": "from"}), left_on="src", right_on="ix", how="left")
            .join(accounts.rename({"account": "to"}), left_on="dst", right_on="ix", how="left")
            .select("uid", "revision", "from", "to", "amount")
            .collect()
            .rows()
        )
        assert len(set(rows)) == len(rows)
        return set(rows)

    return seen
