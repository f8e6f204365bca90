"""What a load does alike in both homes: it numbers accounts and keeps account of its rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

import polars as pl

from graph.archive import horizon
from graph.clock import iso
from graph.errors import UserError
from graph.schema import KINDS
from graph.store import Batch, Counts, Store

NUMBERS = {"account": pl.String(), "ix": pl.Int64()}


def not_before(store: Store) -> datetime | None:
    """The earliest time of which holdings can be stated, where there is one: rolled holdings
    rest on the transfers since."""
    return horizon(store.archived()) if store.properties.holdings_rule == "rolled" else None


class OpenLoad(ABC):
    """See `graph.store.Load`. A home adds `existing`, and how rows are kept. Use it from one
    thread."""

    def __init__(self, batch: int, kind: str, not_before: datetime | None = None) -> None:
        self.batch = batch
        self._not_before = not_before
        self._kind = kind
        self._met = pl.DataFrame(schema=NUMBERS)
        self._rows = 0
        self._latest_at: datetime | None = None
        self._has_revisions = False

    def number(self, ids: pl.Series) -> pl.Series:
        """The ix of each id (not null, repeats allowed), in the same order."""
        wanted = ids.cast(pl.String).alias("account").to_frame()
        ix = _look_up(wanted, self._met)
        for learn in (self._stored, self._new):
            missing = ix.is_null().arg_true()
            if missing.is_empty():
                break
            strangers = wanted[missing]
            learned = learn(strangers.unique(maintain_order=True))
            self._met = pl.concat([self._met, learned], rechunk=True)
            ix = ix.scatter(missing, _look_up(strangers, learned))
        return ix.alias(ids.name)

    def append(self, kind: str, frame: pl.DataFrame) -> None:
        """Write rows: `uid`, `revision` and the kind's columns."""
        if kind != self._kind:
            raise ValueError(f"batch {self.batch} loads {self._kind}, not {kind}")
        if frame.is_empty():
            return
        self._refuse_early(frame)
        self._write_facts(frame)
        self._rows += frame.height
        if "at" in KINDS[kind].columns:
            latest = frame["at"].max()
            if isinstance(latest, datetime):
                self._latest_at = max(latest, self._latest_at or latest)
        revision = frame["revision"].max()
        self._has_revisions |= isinstance(revision, int) and revision > 1

    def commit(self, counts: Counts, *, complete_at: Sequence[datetime] = ()) -> Batch:
        """Make the batch visible, in one atomic step."""
        if counts.loaded != self._rows:
            raise ValueError(f"{counts.loaded} rows counted, {self._rows} written")
        return self._commit(counts, complete_at)

    def _refuse_early(self, frame: pl.DataFrame) -> None:
        """What came after such a statement is archived, as one sum with what came before it."""
        if self._kind != "holdings" or self._not_before is None:
            return
        earliest = frame["at"].min()
        if isinstance(earliest, datetime) and earliest < self._not_before:
            raise UserError(
                f"Holdings as of {iso(earliest)} cannot be loaded: the transfers before "
                f"{self._not_before:%Y-%m-%d} are archived.",
                "Bring them back first: `inconcert store unarchive`.",
            )

    def _new(self, accounts: pl.DataFrame) -> pl.DataFrame:
        first = self._reserve(accounts.height)
        numbers = pl.int_range(first, first + accounts.height, dtype=pl.Int64, eager=True)
        numbered = accounts.with_columns(ix=numbers)
        self._write_numbers(numbered)
        return numbered

    @abstractmethod
    def _stored(self, accounts: pl.DataFrame) -> pl.DataFrame:
        """`account` and `ix` of those of these accounts that committed batches have."""

    @abstractmethod
    def _reserve(self, count: int) -> int:
        """The first of `count` account numbers that are given to nobody else, ever."""

    @abstractmethod
    def _write_numbers(self, numbered: pl.DataFrame) -> None:
        """Keep new accounts: `account`, `ix`."""

    @abstractmethod
    def _write_facts(self, frame: pl.DataFrame) -> None:
        """Keep rows: `uid`, `revision` and the kind's columns."""

    @abstractmethod
    def _commit(self, counts: Counts, complete_at: Sequence[datetime]) -> Batch:
        """Write the one row that says so, when all else is there for good."""


def _look_up(wanted: pl.DataFrame, accounts: pl.DataFrame) -> pl.Series:
    """The ix of each wanted account, in order; null where it is not among the accounts."""
    return wanted.join(accounts, on="account", how="left", maintain_order="left")["ix"]
