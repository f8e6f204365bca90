"""One contract for every store, and the way from a URL to a store.

Facts are append-only. A batch exists when one small row says `committed`; readers take
the set of visible batches (committed, not withdrawn) and see nothing else. Everything
that changes what is known (a load, a withdrawal, its undoing, a supply) takes the next
batch number, so "known at batch N" is a well-defined past.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import polars as pl

HOLDINGS_RULES = ("stated", "rolled", "replayed")


@dataclass(frozen=True)
class Properties:
    """What `store init` fixed for good."""

    format: int
    """Format of the store; a higher one than this program knows is refused."""
    created: datetime
    masked: bool
    """Account ids are kept as HMAC digests only."""
    holdings_rule: str
    """One of HOLDINGS_RULES."""
    issuers: tuple[str, ...]
    """Accounts (as stored, so masked when the store masks) that issue; left out of the base."""
    key_fingerprint: str


@dataclass(frozen=True)
class Counts:
    """What became of the rows of one load: read = loaded + known + conflicts + quarantined."""

    read: int = 0
    loaded: int = 0
    known: int = 0
    conflicts: int = 0
    quarantined: int = 0


@dataclass(frozen=True)
class Batch:
    """One numbered change of what is known."""

    batch: int
    action: str
    """load, withdraw, reinstate or supply."""
    kind: str | None
    """The kind of fact, for a load."""
    source: str | None
    target: int | None
    """The batch that a withdrawal or reinstatement is about."""
    committed_at: datetime
    counts: Counts
    withdrawn: bool
    latest_at: datetime | None
    """The latest `at` among its rows."""
    has_revisions: bool
    """Whether any row is a revision above 1."""
    complete_at: tuple[datetime, ...] = ()
    """Times at which its holdings were complete: accounts not listed hold 0 from then."""
    user: str = ""


@dataclass(frozen=True)
class SupplyEntry:
    """The base against which shares are taken, from a date on."""

    amount: Decimal
    valid_from: datetime
    batch: int


class Load(Protocol):
    """One batch being written. Nothing of it is seen until `commit` returns."""

    batch: int

    def number(self, ids: pl.Series) -> pl.Series:
        """The ix of each id. `ids`: text, distinct, not null; returns Int64 in the same order.

        Ids not seen before get new numbers. Call it once for each chunk with the distinct ids.
        """

    def existing(self, kind: str, uids: pl.Series) -> pl.DataFrame:
        """Committed rows that have one of these uids: the kind's stored columns plus
        `visible` (bool, false when its batch is withdrawn). Withdrawn rows count for the
        next revision number, not as known."""

    def append(self, kind: str, frame: pl.DataFrame) -> None:
        """Write rows: `uid`, `revision` and the kind's columns (`batch` is filled in)."""

    def commit(
        self,
        counts: Counts,
        *,
        complete_at: Sequence[datetime] = (),
    ) -> Batch:
        """Make the batch visible, in one atomic step."""


@dataclass(frozen=True)
class RunRecord:
    """One saved detection: its summary, its whole result, and details for later looks."""

    id: str
    created_at: datetime
    result: dict[str, Any]
    """The JSON of the contract (schema 1)."""
    details: dict[str, Any] = field(default_factory=dict)
    """What plots need beside the result, by group id (merge curves)."""


@dataclass(frozen=True)
class CheckReport:
    """What `store check` found. `problems` is empty for a sound store."""

    problems: list[str]
    facts: dict[str, int]
    """Visible rows by kind."""


class Store(Protocol):
    """A home of facts. Both homes do the same; one suite of tests runs on both."""

    url: str
    properties: Properties
    key: str
    """The store's key as hex text: the HMAC key for uids, identifiers and masked ids."""

    def loading(self, kind: str, source: str) -> AbstractContextManager[Load]:
        """Begin a load: takes the loader's lock (BusyError when another holds it), clears
        what dead loaders left, gives the next batch number. Left without commit: nothing
        of it will be seen."""

    def quarantine_path(self, batch: int) -> str:
        """Where the refused rows of this batch are written (JSON Lines, mode 0600)."""

    def batches(self) -> list[Batch]:
        """All committed changes, by number."""

    def facts(self, kind: str, known_at: int | None = None) -> pl.LazyFrame:
        """Visible rows of the kind, of each uid the highest visible revision, with the
        kind's stored columns. `known_at`: as of that batch; None: now."""

    def accounts(self) -> pl.LazyFrame:
        """`account` (text) and `ix` (Int64) of every numbered account of committed batches."""

    def supplies(self, known_at: int | None = None) -> list[SupplyEntry]:
        """Supplies that were set, by batch; the later wins for the same date."""

    def set_supply(self, amount: Decimal, valid_from: datetime) -> SupplyEntry:
        """Record the base from a date on."""

    def withdraw(self, batch: int) -> Batch:
        """Hide a load. UserError when there is none or it is withdrawn already."""

    def reinstate(self, batch: int) -> Batch:
        """Undo a withdrawal."""

    def save_run(self, run: RunRecord) -> None: ...

    def runs(self) -> list[RunRecord]:
        """Saved runs, newest first."""

    def run(self, id_or_prefix: str) -> RunRecord: ...

    def compact(self, progress: Callable[[str], None] = lambda _: None) -> dict[str, int]:
        """Rewrite small files; returns files before and after by kind. No content changes."""

    def check(self) -> CheckReport: ...

    def sizes(self) -> dict[str, int]:
        """Bytes on disk by part."""


def open_store(url: str) -> Store:
    """The store at a URL (a folder, or neo4j:// …).

    Raises UserError when there is none, when it is of a newer format, or when the key
    file is not this store's; UnreachableError when a server does not answer.
    """
    _refuse_server(url)
    from graph.embedded import EmbeddedStore

    return EmbeddedStore.open(url)


def init_store(
    url: str,
    *,
    masked: bool = False,
    holdings_rule: str = "stated",
    issuers: Sequence[str] = (),
) -> Store:
    """Make a new store, with a new key (mode 0600). UserError when one is there already."""
    _refuse_server(url)
    from graph.embedded import EmbeddedStore

    return EmbeddedStore.init(
        url, masked=masked, holdings_rule=holdings_rule, issuers=tuple(issuers)
    )


def _refuse_server(url: str) -> None:
    from graph.errors import UserError

    if "://" in url:
        raise UserError(
            f"{url.split('://')[0]}:// stores are not supported by this version.",
            "Use a folder.",
        )
