"""Peers: other ways to find groups, on the same worlds; one file each in this folder.

A module is a peer when it defines `PEER`. Each has a small grid of settings, of which the
best on tuning worlds is kept: a peer is tuned as well as its users would. Public accounts
that the platform knows (roles) may be left out by any of them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import polars as pl

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.accuracy.town import LINE, Town

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Setting = Mapping[str, Any]

PUBLIC = ("treasury", "exchange", "merchant", "payroll", "custodian", "issuer")


@dataclass(frozen=True)
class Links:
    """Pairs a < b that something was moved between, ascending: how often and how much."""

    a: Ints
    b: Ints
    count: Ints
    moved: Floats

    def only(self, kept: npt.NDArray[np.bool_]) -> Links:
        """Some of the pairs."""
        return Links(self.a[kept], self.b[kept], self.count[kept], self.moved[kept])


class Material:
    """A town in arrays: accounts are places in its names."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.accounts = len(town.names)

    @cached_property
    def shares(self) -> Floats:
        """What each account holds, as a part of all."""
        held = self.town.frames["holdings"].group_by("account").agg(pl.col("amount").sum())
        amounts = held.sort("account")["amount"].cast(pl.Float64).to_numpy()
        shares: Floats = amounts / max(amounts.sum(), 1e-300)
        return shares

    @cached_property
    def public(self) -> npt.NDArray[np.bool_]:
        """Whom the platform knows to be an institution."""
        known = np.zeros(self.accounts, np.bool_)
        if "accounts" in self.town.frames:
            rows = self.town.frames["accounts"].filter(pl.col("role").is_in(PUBLIC))
            known[self.place(rows["account"])] = True
        return known

    @cached_property
    def transfers(self) -> pl.DataFrame:
        """src, dst (places), amount (1 where unknown), at (microseconds, null where unknown);
        in order of time and ends; nothing to oneself, nothing of public accounts."""
        rows = self.town.frames["transfers"]
        frame = pl.DataFrame(
            {
                "src": self.place(rows["src"]),
                "dst": self.place(rows["dst"]),
                "amount": rows["amount"].cast(pl.Float64) if "amount" in rows.columns else 1.0,
                "at": rows["at"].dt.epoch("us") if "at" in rows.columns else None,
            },
            schema_overrides={"at": pl.Int64, "amount": pl.Float64},
        )
        public = pl.Series(self.public)
        private = ~(public.gather(frame["src"]) | public.gather(frame["dst"]))
        own = frame.filter(private & (frame["src"] != frame["dst"]))
        return own.sort("at", "src", "dst", "amount")

    @cached_property
    def links(self) -> Links:
        """All pairs."""
        pairs = (
            self.transfers.lazy()
            .select(
                a=pl.min_horizontal("src", "dst"),
                b=pl.max_horizontal("src", "dst"),
                amount="amount",
            )
            .group_by("a", "b")
            .agg(count=pl.len(), moved=pl.col("amount").sort().sum())
            .sort("a", "b")
            .collect()
        )
        a, b, count = (pairs[name].cast(pl.Int64).to_numpy() for name in ("a", "b", "count"))
        return Links(a, b, count, pairs["moved"].to_numpy())

    @cached_property
    def degree(self) -> Ints:
        """How many others each account deals with."""
        ends = np.concatenate([self.links.a, self.links.b])
        return np.bincount(ends, minlength=self.accounts)

    @cached_property
    def seen(self) -> pl.DataFrame:
        """account (place), kind, value (number): each once, ascending; no public accounts."""
        empty = pl.DataFrame(schema={"account": pl.Int64, "kind": pl.String, "value": pl.Int64})
        if "sightings" not in self.town.frames:
            return empty
        rows = self.town.frames["sightings"].select("account", "identifier_kind", "value").unique()
        named = rows.select(
            account=pl.Series(self.place(rows["account"])),
            kind="identifier_kind",
            value=pl.struct("identifier_kind", "value").rank("dense").cast(pl.Int64),
        )
        return named.filter(~pl.Series(self.public).gather(named["account"])).sort(
            "value", "account"
        )

    @cached_property
    def referred(self) -> pl.DataFrame:
        """parent, child (places): each child once."""
        if "referrals" not in self.town.frames:
            return pl.DataFrame(schema={"parent": pl.Int64, "child": pl.Int64})
        rows = self.town.frames["referrals"]
        pairs = pl.DataFrame(
            {"parent": self.place(rows["referrer"]), "child": self.place(rows["referred"])}
        )
        kept = pairs.filter(pl.col("parent") != pl.col("child")).sort("child", "parent")
        return kept.unique("child", keep="first", maintain_order=True)

    def place(self, accounts: pl.Series) -> Ints:
        """Places of accounts given by id."""
        return self.town.names.search_sorted(accounts).to_numpy().astype(np.int64)

    def parts(self, labels: Ints) -> list[Ints]:
        """The sets of accounts with one label (not negative), ascending each."""
        order = np.argsort(labels, kind="stable")
        order = order[labels[order] >= 0]
        cuts = np.flatnonzero(np.diff(labels[order])) + 1
        return list(np.split(order, cuts)) if len(order) else []

    def over_the_line(self, parts: Sequence[Ints]) -> list[Found]:
        """Those of several accounts that hold the line together, the larger share the stronger;
        none that one account carries alone."""
        found = []
        for part in parts:
            share = float(self.shares[part].sum())
            if len(part) > 1 and share >= LINE and float(self.shares[part].max()) < LINE:
                found.append(Found(frozenset(part.tolist()), share, "indication", share))
        return found


@runtime_checkable
class Peer(Protocol):
    """Another way to find groups."""

    name: str
    help: str

    def settings(self) -> Sequence[Setting]:
        """The grid from which the best is kept."""

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Sets said to hold the line together."""

    def missing(self) -> str | None:
        """What must be installed for it, if it is not."""


@functools.cache
def peers() -> tuple[Peer, ...]:
    """The `PEER` of every module of this folder that has one, by name of the module."""
    modules = [
        importlib.import_module(f"{__name__}.{entry.name}")
        for entry in sorted(pkgutil.iter_modules(__path__), key=lambda entry: entry.name)
    ]
    return tuple(module.PEER for module in modules if hasattr(module, "PEER"))
