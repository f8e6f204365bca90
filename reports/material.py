"""The facts behind the plots of some groups, collected from a store in one pass a kind.

Only what touches a member is read, and of that only sums: transfers by pair and day, with
all accounts outside as one. Memory follows the groups, not the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from detectors.family import INSTITUTIONS
from detectors.identifier import MOST_HOLDERS, MOST_HOLDERS_PUBLIC, PUBLIC_KINDS
from graph.amount import summed
from graph.clock import parse_time
from graph.snapshot import Snapshot, snapshot
from graph.store import RunRecord, Store
from reports.wording import Group

OUTSIDE = -1
"""Stands for every account that is in no group asked for."""


@dataclass(frozen=True)
class Material:
    """Facts among accounts that are named by their text.

    `transfers`: `src`, `dst` (null: somebody outside), `day` (date), `step` (Int64; at most
    one of the two is not null), `institution` (whether one of the two is a merchant, an
    exchange or the like), `amount` (Float64, of exact sums), `count`; self-transfers are
    left out. `referrals`: `referrer`, `referred`. `sightings`: `account`, `identifier`
    (its kind and digest; plots show the kind alone), only values that count as evidence.
    `links`: `a`, `b`, declared of one owner.
    """

    transfers: pl.DataFrame
    referrals: pl.DataFrame
    sightings: pl.DataFrame
    links: pl.DataFrame

    def of(self, accounts: Sequence[str]) -> Material:
        """The facts of some of the accounts; whoever else there is becomes outside."""
        mine = pl.Series(accounts, dtype=pl.String).implode()

        def inside(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
            return frame.filter(pl.all_horizontal(pl.col(c).is_in(mine) for c in columns))

        moved = self.transfers.with_columns(
            pl.when(pl.col(end).is_in(mine)).then(pl.col(end)) for end in ("src", "dst")
        )
        return Material(
            moved.filter(pl.col("src").is_not_null() | pl.col("dst").is_not_null()),
            inside(self.referrals, "referrer", "referred"),
            inside(self.sightings, "account").filter(pl.len().over("identifier") > 1),
            inside(self.links, "a", "b"),
        )


def material(store: Store, run: RunRecord, groups: Sequence[Group]) -> Material:
    """Collect the facts of a run's groups as that run saw them.

    UserError when the store no longer knows what the run knew.
    """
    as_of: datetime = parse_time(run.result["run"]["as_of"])
    taken = snapshot(store, as_of, run.result["run"]["known_at"])
    names = sorted({member["account"] for group in groups for member in group["members"]})
    numbers = taken.accounts["account"].search_sorted(pl.Series(names, dtype=pl.String))
    members = pl.Series(np.asarray(numbers).astype(np.int32)).implode()
    return Material(
        _transfers(taken, members),
        _named(taken, _among(taken, "referrals", members), "referrer", "referred"),
        _sightings(taken, members),
        _named(
            taken,
            _among(taken, "links", members).filter(pl.col("verdict") == "same_owner"),
            "a",
            "b",
        ),
    )


def _transfers(taken: Snapshot, members: pl.Series) -> pl.DataFrame:
    """Sums by sender, receiver and day (or step) of all transfers that touch a member."""
    roles = taken.accounts["role"].is_in(INSTITUTIONS).fill_null(False)
    public = (roles | taken.accounts["excluded"]).arg_true().cast(pl.Int32).implode()
    touching = taken.facts("transfers").filter(
        (pl.col("src") != pl.col("dst"))
        & (pl.col("src").is_in(members) | pl.col("dst").is_in(members))
    )
    sums = summed(
        touching.select(
            *(
                pl.when(pl.col(end).is_in(members)).then(pl.col(end)).otherwise(OUTSIDE).alias(end)
                for end in ("src", "dst")
            ),
            "amount",
            "step",
            institution=pl.any_horizontal(pl.col(end).is_in(public) for end in ("src", "dst")),
            day=pl.col("at").dt.date(),
        )
        .group_by("src", "dst", "day", "step", "institution")
        .agg(pl.col("amount").sum(), count=pl.len())
        .with_columns(pl.col("amount").cast(pl.Float64))
        .sort("src", "dst", "day", "step", "institution")
    )
    named = _with_names(taken, sums, "src", "dst")
    return named.select("src", "dst", "day", "step", "institution", "amount", "count")


def _among(taken: Snapshot, kind: str, members: pl.Series) -> pl.LazyFrame:
    """Facts of a kind whose both accounts are members, not one and the same."""
    one, other = ("referrer", "referred") if kind == "referrals" else ("a", "b")
    return taken.facts(kind).filter(
        pl.col(one).is_in(members) & pl.col(other).is_in(members) & (pl.col(one) != pl.col(other))
    )


def _named(taken: Snapshot, pairs: pl.LazyFrame, *columns: str) -> pl.DataFrame:
    rows = pairs.select(columns).unique().collect(engine="streaming").sort(columns)
    return _with_names(taken, rows, *columns)


def _sightings(taken: Snapshot, members: pl.Series) -> pl.DataFrame:
    """Members by the identifiers that two of them share, public ones left out."""
    value = ["identifier_kind", "digest"]
    seen = taken.facts("sightings").select("account", *value)
    ours = seen.filter(pl.col("account").is_in(members)).unique()
    holders = (
        seen.join(ours.select(value).unique(), on=value, how="semi")
        .unique()
        .group_by(value)
        .agg(holders=pl.len())
    )
    most = (
        pl.when(pl.col("identifier_kind").is_in(PUBLIC_KINDS))
        .then(MOST_HOLDERS_PUBLIC)
        .otherwise(MOST_HOLDERS)
    )
    rows = (
        ours.join(holders, on=value)
        .filter((pl.col("holders") > 1) & (pl.col("holders") <= most))
        .collect(engine="streaming")
        .sort(*value, "account")
    )
    named = _with_names(taken, rows, "account")
    return named.select("account", identifier=pl.format("{} {}", *value))


def _with_names(taken: Snapshot, frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Numbers become account ids, OUTSIDE becomes null."""
    accounts = taken.accounts["account"]
    return frame.with_columns(
        accounts.gather(frame[column].set(frame[column] == OUTSIDE, None)).alias(column)
        for column in columns
    )
