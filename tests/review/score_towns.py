"""Small towns in real stores, for scores and genuine purchases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from neo4j_servers import wipe

from graph.snapshot import Snapshot, snapshot
from graph.store import Store, init_store
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import load
from loaders.plan import Options
from review.population import Population

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Ground:
    """Where towns settle. On a server a new one takes the place of the one before it."""

    folder: Path
    server: str | None

    def __truediv__(self, name: str) -> Ground:
        return replace(self, folder=self.folder / name)

    def new_store(self, **properties: Any) -> Store:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.server:
            wipe(self.server)
        return init_store(self.server or str(self.folder / "store"), **properties)


class Town:
    """Rows of files, by kind. A day of None: the row has no time."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, kind: str, day: float | None = None, **row: Any) -> None:
        at = {} if day is None else {"at": BEGIN + timedelta(days=day)}
        self.rows.setdefault(kind, []).append({**row, **at})

    def pay(self, src: str, dst: str, amount: Any = 50, day: float | None = 0.0) -> None:
        self.add("transfers", day, src=src, dst=dst, amount=str(amount))

    def buy(
        self, account: str, amount: Any, day: float | None = 0.0, receipt: str | None = None
    ) -> None:
        named = {} if receipt is None else {"receipt": receipt}
        self.add("purchases", day, account=account, amount=str(amount), **named)

    def hold(self, amount: Any, *accounts: str) -> None:
        for account in accounts:
            self.add("holdings", 0.0, account=account, amount=str(amount))

    def see(self, account: str, value: str, kind: str = "device") -> None:
        self.add("sightings", 0.0, account=account, identifier_kind=kind, value=value)

    def refer(self, referrer: str, referred: str) -> None:
        self.add("referrals", 0.0, referrer=referrer, referred=referred)

    def open(self, account: str, days_before: float | None = None, role: str | None = None) -> None:
        opened = None if days_before is None else BEGIN - timedelta(days=days_before)
        row = {"opened_at": opened, "role": role}
        known = {name: value for name, value in row.items() if value is not None}
        self.add("accounts", account=account, **known)

    def settle(self, ground: Ground, as_of: datetime | None = None, **properties: Any) -> Snapshot:
        """A snapshot of a new store with the town in it."""
        store = ground.new_store(**properties)
        place = 0
        for kind, rows in self.rows.items():
            for alike in _with_equal_columns(rows):
                place += 1
                path = ground.folder / f"{place}.parquet"
                pl.DataFrame(alike, strict=False).write_parquet(path)
                with inputs([str(path)], None) as readers:
                    done = load(store, sources()[kind], readers, Options(source=str(place)))
                assert done.counts.loaded == len(alike)
        return snapshot(store, as_of)


def _with_equal_columns(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Rows by which columns they have: an empty cell would be refused."""
    parts: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        parts.setdefault(tuple(sorted(row)), []).append(row)
    return list(parts.values())


def numbers(found: Snapshot, *accounts: str) -> list[int]:
    return [found.number_of(account) for account in accounts]


def values(population: Population, indicator: Any) -> dict[str, float]:
    """What an indicator measures, by account id."""
    rows = indicator.measure(population).select("account", "value").rows()
    names = population.snapshot.accounts["account"]
    return {names[account]: value for account, value in rows if value is not None}
