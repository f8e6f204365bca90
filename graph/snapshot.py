"""The facts as of a time, as known at a batch, with a dense numbering of their accounts.

Numbers are ranks of account ids in code point order, so nothing downstream depends on the
order in which a store met the accounts.
"""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import polars as pl

from graph import clock
from graph.amount import plain, summed
from graph.archive import horizon, refuse_past
from graph.digest import mask
from graph.errors import UserError
from graph.schema import AMOUNT, KINDS
from graph.store import Store, visible_batches

ZERO_ADDRESS = "0x" + "0" * 40
"""Mints and burns on chains of the Ethereum kind; never part of a base."""

LARGEST_SUM = 9.9e19
"""Sums above this do not fit decimal(38, 18)."""


@dataclass(frozen=True)
class Snapshot:
    """What detection sees.

    `accounts`: one row an account, the row's place is the account's number; columns
    `account` (text, ascending), `ix`, `role`, `opened_at`, `excluded` (left out of the
    base), `holdings` (decimal, never negative).
    """

    as_of: datetime
    known_at: int
    accounts: pl.DataFrame
    supply: Decimal
    """The base against which shares are taken."""
    counted: Decimal
    """The sum of the holdings that count."""
    base_rule: str
    negative: tuple[str, ...]
    """Accounts (other than issuers) whose replayed holdings fell below 0; they count 0."""
    _store: Store
    _numbers: npt.NDArray[np.int32]
    """Number of each ix, -1 where it has none here."""
    horizon: datetime | None = None
    """The facts of before are in the archive, but for those that came late or stay; None: no
    facts are."""
    _moved: tuple[int, ...] = ()
    """The changes that took them there."""

    @property
    def excluded(self) -> list[str]:
        """Ids left out of the base."""
        rows = self.accounts.filter("excluded")["account"]
        return [str(account) for account in rows]

    def facts(self, kind: str) -> pl.LazyFrame:
        """The kind's facts as of this snapshot: stored columns, accounts by number (Int32)."""
        frame = _as_of(self._store, kind, self.as_of, self.known_at)
        self._refuse_moved()
        return self._numbered(frame, KINDS[kind].accounts)

    def made_of(self, kind: str) -> str:
        """A name for a kind's facts: snapshots of one store with equal ones have equal facts."""
        loads = [
            load
            for load in visible_batches(self._store.batches(), self.known_at)
            if load.kind == kind
        ]
        cut = any(load.latest_at and load.latest_at > self.as_of for load in loads)
        dated = cut or "valid_from" in KINDS[kind].columns
        made = [[load.batch, clock.iso(load.committed_at), load.counts.loaded] for load in loads]
        gone = list(self._moved)  # months of them are in the archive
        return json.dumps([kind, clock.iso(self.as_of) if dated else None, made, gone])

    def touching(self, kind: str, numbers: npt.NDArray[np.int32]) -> pl.LazyFrame:
        """Those of the kind's facts that name any of some accounts: much less is read for them."""
        theirs = self.accounts["ix"].gather(numbers).implode()
        frame = _as_of(self._store, kind, self.as_of, self.known_at)
        self._refuse_moved()
        named = pl.any_horizontal(pl.col(end).is_in(theirs) for end in KINDS[kind].accounts)
        return self._numbered(frame.filter(named), KINDS[kind].accounts)

    def carried(self) -> pl.LazyFrame:
        """`account` (number), `at`, `amount`: what archived transfers brought to accounts, less
        what they took."""
        frame = self._store.carried()
        self._refuse_moved()
        return self._numbered(frame, ("account",))

    def _numbered(self, frame: pl.LazyFrame, columns: tuple[str, ...]) -> pl.LazyFrame:
        return frame.with_columns(
            pl.col(column).map_batches(
                self._to_numbers, return_dtype=pl.Int32(), is_elementwise=True
            )
            for column in columns
        )

    def _refuse_moved(self) -> None:
        """UserError where months went to the archive, or came back, since this was begun."""
        if tuple(one.batch for one in self._store.archived()) != self._moved:
            raise UserError("Months were moved to or from the archive meanwhile.", "Run it again.")

    def _to_numbers(self, ix: pl.Series) -> pl.Series:
        return pl.Series(ix.name, self._numbers[ix.to_numpy()])

    def number_of(self, account: str) -> int:
        """The number of an account given as the platform writes it.

        UserError when the snapshot does not know it.
        """
        text = unicodedata.normalize("NFC", account.strip())
        for candidate in (
            (mask(text, self._store.key), text) if self._store.properties.masked else (text,)
        ):
            place = self.accounts["account"].search_sorted(candidate)
            if place < len(self.accounts) and self.accounts["account"][place] == candidate:
                return int(place)
        raise UserError(f"There is no account '{text}' in the store as of {clock.iso(self.as_of)}.")


def snapshot(store: Store, as_of: datetime | None = None, known_at: int | None = None) -> Snapshot:
    """Number the accounts, count the holdings, take the base.

    Arguments as for `holdings_as_of`. Raises UserError as it does, and for a base below what
    is held.
    """
    held = holdings_as_of(store, as_of, known_at)
    return dataclasses.replace(held, supply=_supply(store, held, held.counted))


def holdings_as_of(
    store: Store, as_of: datetime | None = None, known_at: int | None = None
) -> Snapshot:
    """A snapshot whose base is the sum counted, whatever supply is set: what a new supply
    is compared with.

    `as_of`: inclusive; default: the latest time of any fact, else now. `known_at`: the last
    batch whose facts count; default: all. Raises UserError for an unknown batch and
    for sums over 38 digits.
    """
    archived = store.archived()
    as_of, known = moment_of(store, as_of, known_at)
    refuse_past(archived, as_of)
    seen = _seen(store, as_of, known)
    accounts = (
        store.accounts()
        .join(pl.LazyFrame({"ix": seen}), on="ix", how="semi")
        .select("account", "ix")
        .sort("account")
        .collect()
    )
    numbers = np.full(int(seen.max() if len(seen) else 0) + 1, -1, np.int32)
    numbers[accounts["ix"].to_numpy()] = np.arange(len(accounts), dtype=np.int32)
    blank = Snapshot(
        as_of,
        known,
        accounts,
        Decimal(0),
        Decimal(0),
        store.properties.holdings_rule,
        (),
        store,
        numbers,
        horizon(archived),
        tuple(one.batch for one in archived),
    )
    return _with_holdings(store, _with_attributes(store, blank))


def moment_of(
    store: Store, as_of: datetime | None = None, known_at: int | None = None
) -> tuple[datetime, int]:
    """The time and the batch that a snapshot is of, where they are not given.

    Arguments as for `holdings_as_of`. Raises UserError for an unknown batch.
    """
    batches = store.batches()
    last = batches[-1].batch if batches else 0
    if known_at is not None and known_at not in {batch.batch for batch in batches}:
        raise UserError(f"There is no batch {known_at}.", f"The last one is {last}.")
    known = last if known_at is None else known_at
    latest = _latest(store, known)
    edge = horizon(store.archived())
    if latest is not None and edge is not None:
        latest = max(latest, edge)  # nothing can be told of before
    return as_of or latest or clock.now(), known


def _latest(store: Store, known_at: int) -> datetime | None:
    """The latest `at` among the batches that are visible at `known_at`."""
    visible = visible_batches(store.batches(), known_at)
    return max((load.latest_at for load in visible if load.latest_at is not None), default=None)


def _as_of(store: Store, kind: str, as_of: datetime, known_at: int) -> pl.LazyFrame:
    """Facts of a kind that hold at a time; those without a time always do."""
    frame = store.facts(kind, known_at)
    moment = pl.lit(as_of).cast(pl.Datetime("us", "UTC"))
    columns = KINDS[kind].columns
    for begin in ("at", "valid_from"):
        if begin in columns:
            frame = frame.filter(pl.col(begin).is_null() | (pl.col(begin) <= moment))
    if "valid_until" in columns:
        frame = frame.filter(pl.col("valid_until").is_null() | (pl.col("valid_until") > moment))
    return frame


def _seen(store: Store, as_of: datetime, known_at: int) -> npt.NDArray[np.int64]:
    """The ix of every account that some fact names, ascending."""
    named = np.zeros(0, np.bool_)
    frames = [
        _as_of(store, kind.name, as_of, known_at).select(kind.accounts) for kind in KINDS.values()
    ]
    for frame in (*frames, store.carried().select("account")):
        for column in frame.collect().iter_columns():
            ix = column.to_numpy()
            most = int(ix.max(initial=-1)) + 1
            if most > len(named):
                named = np.concatenate((named, np.zeros(most - len(named), np.bool_)))
            named[ix] = True  # a mark each: a third of the time of making them distinct
    return np.flatnonzero(named)


def _with_attributes(store: Store, blank: Snapshot) -> Snapshot:
    """Adds role and opening: of several statements the latest counts, by valid_from, then
    by their text (never by load order)."""
    latest = (
        blank.facts("accounts")
        .sort("valid_from", "role", "opened_at", nulls_last=False)
        .group_by("account", maintain_order=True)
        .agg(pl.col("role").drop_nulls().last(), pl.col("opened_at").drop_nulls().last())
        .collect()
    )
    nobody = mask(ZERO_ADDRESS, store.key) if store.properties.masked else ZERO_ADDRESS
    issuers = [*store.properties.issuers, nobody]
    accounts = (
        blank.accounts.with_row_index("number")
        .with_columns(pl.col("number").cast(pl.Int32))
        .join(latest, left_on="number", right_on="account", how="left", maintain_order="left")
        .with_columns(
            excluded=pl.col("account").is_in(issuers) | pl.col("role").eq_missing(pl.lit("issuer")),
        )
        .drop("number")
    )
    return dataclasses.replace(blank, accounts=accounts)


def _with_holdings(store: Store, numbered: Snapshot) -> Snapshot:
    """Adds holdings by the store's rule and the sum that counts, as base too."""
    rule = store.properties.holdings_rule
    if rule == "replayed":
        before = numbered.carried().select("account", "amount")
        balances = pl.concat([_net(numbered.facts("transfers")), before])
    else:
        statements = _statements(store, numbered)
        balances = _last(statements)
        if rule == "rolled":
            balances = _rolled(numbered, statements)
    held = summed(balances.group_by("account").agg(pl.col("amount").sum()))
    accounts = (
        numbered.accounts.with_row_index("number")
        .with_columns(pl.col("number").cast(pl.Int32))
        .join(held, left_on="number", right_on="account", how="left", maintain_order="left")
        .with_columns(pl.col("amount").fill_null(0))
    )
    below = accounts.filter((pl.col("amount") < 0) & ~pl.col("excluded"))["account"]
    zero = pl.lit(Decimal(0), dtype=AMOUNT)
    accounts = accounts.with_columns(
        holdings=pl.when(pl.col("excluded") | (pl.col("amount") < 0))
        .then(zero)
        .otherwise(pl.col("amount"))
    ).drop("number", "amount")
    counted = exact_sum(accounts["holdings"])
    return dataclasses.replace(
        numbered,
        accounts=accounts,
        negative=tuple(below.to_list()),
        counted=counted,
        supply=counted,
    )


def exact_sum(amounts: pl.Series) -> Decimal:
    """The sum of decimals. UserError when it does not fit 38 digits."""
    if len(amounts) == 0:
        return Decimal(0)
    if float(amounts.cast(pl.Float64).sum()) > LARGEST_SUM:
        raise UserError(
            "The holdings add up to more than 20 digits before the point.",
            "Load them with --shift to move the point.",
        )
    total = amounts.sum()
    return Decimal(total)


def _net(transfers: pl.LazyFrame) -> pl.LazyFrame:
    """`account`, `amount`: what came in less what went out, one row an account and side."""
    moved = transfers.select("src", "dst", "amount").filter(pl.col("src") != pl.col("dst"))
    gone = moved.group_by(account="src").agg(-pl.col("amount").sum())
    come = moved.group_by(account="dst").agg(pl.col("amount").sum())
    return pl.concat([gone, come])


def _statements(store: Store, numbered: Snapshot) -> pl.LazyFrame:
    """`account`, `amount`, `at`, `step` of the statements that count: a complete one ends
    all earlier ones."""
    statements = numbered.facts("holdings").select("account", "amount", "at", "step")
    complete = [
        moment
        for batch in visible_batches(store.batches(), numbered.known_at)
        for moment in batch.complete_at
        if moment <= numbered.as_of
    ]
    if complete:
        begin = pl.lit(max(complete)).cast(pl.Datetime("us", "UTC"))
        statements = statements.filter(pl.col("at") >= begin)
    return statements


def _last(statements: pl.LazyFrame) -> pl.LazyFrame:
    """`account`, `amount`, `at`: the last statement of each account; at equal times the
    larger (so that load order has no say)."""
    return (
        statements.sort("at", "step", "amount", nulls_last=False)
        .group_by("account", maintain_order=True)
        .agg(pl.col("amount").last(), pl.col("at").last())
    )


def _rolled(numbered: Snapshot, statements: pl.LazyFrame) -> pl.LazyFrame:
    """Last stated plus net transfers since. Accounts never stated start with 0 at the first
    statement of the store; transfers without a time cannot be placed and do not count."""
    stated = _last(statements)
    first = statements.select(pl.col("at").min()).collect().item()
    if first is None:
        return stated.select("account", "amount")
    moved = (
        numbered.facts("transfers")
        .select("src", "dst", "amount", "at")
        .filter(pl.col("at").is_not_null() & (pl.col("src") != pl.col("dst")))
    )
    since = pl.concat(
        [
            moved.select("at", account="src", amount=-pl.col("amount")),
            moved.select("at", account="dst", amount="amount"),
            numbered.carried().select("at", "account", "amount"),
        ]
    ).join(stated.select("account", stated_at="at"), on="account", how="left")
    counted = since.filter(pl.col("at") > pl.col("stated_at").fill_null(pl.lit(first)))
    return pl.concat(
        [
            stated.select("account", "amount"),
            counted.group_by("account").agg(pl.col("amount").sum()),
        ]
    )


def _supply(store: Store, numbered: Snapshot, counted: Decimal) -> Decimal:
    """The base in force: what was set for the latest date, else what is counted."""
    in_force = [
        entry for entry in store.supplies(numbered.known_at) if entry.valid_from <= numbered.as_of
    ]
    if not in_force:
        return counted
    chosen = max(in_force, key=lambda entry: (entry.valid_from, entry.batch))
    if chosen.amount < counted:
        raise UserError(
            f"The accounts hold {plain(counted)}, more than the supply of "
            f"{plain(chosen.amount)} set from {clock.iso(chosen.valid_from)}.",
            "Set the right one with `inconcert supply set`, or name issuers.",
        )
    return chosen.amount
