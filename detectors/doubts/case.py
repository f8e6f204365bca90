"""A case: one finding and the facts that touch it, as innocent explanations look at it.

The facts of all findings are collected once (`Known`); a case is cut out of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import networkx as nx
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.family import Facts, Floats, Ints
from detectors.identifier import counting, seen_with

MARKS, SHAPE, NOTHING_BUT_DEALINGS = range(3)
"""What an explanation rests on: facts of its own (a payroll, a tree of recruits), the shape
of the dealings, or only that there is no more than dealings."""

MOST = 0.5
"""An explanation must take in this part of the members."""

MOST_OF_ALL = 1 / 3
TIMES_MORE = 3
"""What more than this part of all accounts have in common explains nobody's group, nor what
members have less than so many times as often as everybody."""


@dataclass(frozen=True)
class Doubt:
    """What speaks against a finding, and the fact that would settle it."""

    explanation: str
    text: str
    settles: str
    explains: tuple[str, ...] = ()
    """The families whose evidence it would bring about; none: it doubts the extent or the
    crossing, not the evidence."""
    leaves_bits: float = np.inf
    """The evidence that it leaves unexplained; 0 where it leaves open who belongs to a group
    over the line."""


@dataclass(frozen=True)
class Known:
    """The facts that touch any of some accounts, collected.

    `moves`: all transfers, those of institutions and exonerated ones too: `src`, `dst`
    (numbers), `amount` (float), `at` (microseconds or null). `referrals`: `referrer`,
    `referred`, each pair once. `seen`: see `Case.seen`. `names`, `roles`: of every account,
    by number; the role null where it has none.
    """

    facts: Facts
    moves: pl.DataFrame
    referrals: pl.DataFrame
    seen: pl.DataFrame
    names: pl.Series
    roles: pl.Series

    @classmethod
    def of(cls, facts: Facts, members: Ints, accounts: pl.DataFrame) -> Known:
        """The facts that touch any of `members` (numbers). `accounts`: all, with `account`
        (the id) and `role`."""
        ours = np.unique(members)
        return cls(
            facts,
            _moves(facts, ours),
            _referrals(facts, ours),
            _seen(facts, ours),
            accounts["account"],
            accounts["role"],
        )

    def customers(self, partner: int) -> int:
        """How many other accounts deal with a partner."""
        src, dst = self.facts.ends
        others = np.union1d(dst[src == partner], src[dst == partner])
        return int((others != partner).sum())

    def with_role(self, *roles: str) -> pl.Series:
        """The numbers of the accounts with a role."""
        return self.roles.is_in(roles).fill_null(False).arg_true().cast(pl.Int32)


def _moves(facts: Facts, ours: Ints) -> pl.DataFrame:
    mine = pl.Series(ours).implode()
    touching = pl.col("src").is_in(mine) | pl.col("dst").is_in(mine)
    return (
        facts.all_transfers.to_native()
        .filter(touching & (pl.col("src") != pl.col("dst")))
        .select("src", "dst", pl.col("amount").cast(pl.Float64), pl.col("at").dt.epoch("us"))
        .collect()
        .sort("src", "dst", "at", "amount")
    )


def _referrals(facts: Facts, ours: Ints) -> pl.DataFrame:
    mine = pl.Series(ours).implode()
    among = pl.col("referrer").is_in(mine) & pl.col("referred").is_in(mine)
    return (
        facts.touching("referrals", ours)
        .filter(among & (pl.col("referrer") != pl.col("referred")))
        .select("referrer", "referred")
        .unique()
        .collect()
        .sort("referrer", "referred")
    )


def _seen(facts: Facts, ours: Ints) -> pl.DataFrame:
    value = ["identifier_kind", "digest"]
    rows, everybody = seen_with(facts, ours)
    mine = rows.select("account", *value).unique()
    holders = everybody.group_by(value).agg(holders=pl.len().cast(pl.Int64))
    evidence = pl.DataFrame(counting(facts, ours).select(value).unique().collect().to_native())
    return (
        mine.join(holders, on=value)
        .join(evidence.with_columns(counts=pl.lit(True)), on=value, how="left")
        .with_columns(
            counts=pl.col("counts").fill_null(False), value=pl.struct(value).rank("dense")
        )
        .drop("digest")
        .sort("account", "identifier_kind", "value")
    )


@dataclass(frozen=True)
class Case:
    """A finding: `members` (numbers, ascending), their `names` and `shares`, same order;
    `bits` by family; `ties`: which families tie which members, places in `members`."""

    known: Known
    members: Ints
    names: Sequence[str]
    shares: Floats
    units: Sequence[int]
    """Holdings in units of 10^-18: what decides about the line is compared in these."""
    needed_units: int
    """The least units at or over the line."""
    line: float
    weakly_tied: npt.NDArray[np.bool_]
    """Of each member: whether its ties say too little for an order to name it."""
    bits: Mapping[str, float]
    sources: Mapping[str, str]
    """Of each family: which sort of fact it rests on."""
    agreeing: frozenset[str]
    """The sources that tie a good part of the members together by themselves."""
    beyond_club_bits: float
    needed_bits: float
    """The bits that a set of this size must save to be reported."""
    ties: Mapping[str, tuple[Ints, Ints]]

    @property
    def size(self) -> int:
        """How many members."""
        return len(self.members)

    @property
    def share(self) -> float:
        """What they hold together."""
        return float(self.shares.sum())

    @property
    def facts(self) -> Facts:
        """All facts."""
        return self.known.facts

    def beyond(self, families: Sequence[str]) -> float:
        """The bits of all but some families."""
        return sum(bits for family, bits in self.bits.items() if family not in families)

    def stands_without(self, families: Sequence[str]) -> bool:
        """Whether there is enough else: the evidence of other families suffices to report it,
        or another source of fact ties its members together."""
        explained = {self.sources[family] for family in families if family in self.sources}
        return self.beyond(families) >= self.needed_bits or bool(self.agreeing - explained)

    def most(self, count: int) -> bool:
        """Whether so many members are most of them."""
        return count >= max(MOST * self.size, 2)

    def rare(self, count: int, of_all: int) -> bool:
        """Whether something that so many members have is not what everybody has: `of_all`
        accounts have it, and members have it more often by far."""
        expected = self.size * of_all / max(self.facts.accounts, 1)
        return of_all <= MOST_OF_ALL * self.facts.accounts and count >= TIMES_MORE * expected

    def graph(self, families: Iterable[str]) -> nx.Graph[int]:
        """The ties of some families among members, by their places."""
        graph: nx.Graph[int] = nx.Graph()
        for family in families:
            a, b = self.ties.get(family, (np.empty(0, np.int32), np.empty(0, np.int32)))
            graph.add_edges_from(zip(a.tolist(), b.tolist(), strict=True))
        return graph

    @cached_property
    def moves(self) -> pl.DataFrame:
        """All transfers that touch a member, with `sent` and `received`: whether by a member."""
        ours = pl.Series(self.members).implode()
        return self.known.moves.with_columns(
            sent=pl.col("src").is_in(ours), received=pl.col("dst").is_in(ours)
        ).filter(pl.col("sent") | pl.col("received"))

    @cached_property
    def inside(self) -> pl.DataFrame:
        """Transfers among members: `src`, `dst` (places), `amount`, `at`."""
        among = self.moves.filter(pl.col("sent") & pl.col("received"))
        return among.select(
            src=pl.Series(np.searchsorted(self.members, among["src"].to_numpy()), dtype=pl.Int64),
            dst=pl.Series(np.searchsorted(self.members, among["dst"].to_numpy()), dtype=pl.Int64),
            amount="amount",
            at="at",
        )

    @cached_property
    def dealings(self) -> pl.DataFrame:
        """Pairs of members that deal with each other: `a` < `b` (places), `there` and `back`
        (transfers from a to b, from b to a)."""
        return (
            self.inside.select(
                a=pl.min_horizontal("src", "dst"),
                b=pl.max_horizontal("src", "dst"),
                there=pl.col("src") < pl.col("dst"),
            )
            .group_by("a", "b")
            .agg(there=pl.col("there").sum(), back=(~pl.col("there")).sum())
            .sort("a", "b")
        )

    @cached_property
    def partners(self) -> pl.DataFrame:
        """Whom members deal with (also members), by `partner`: `paying` (how many members pay
        it), `paid` (how many it pays), `dealing` (how many do either), `transfers`."""
        both = pl.concat(
            [
                self.moves.filter("sent").select(partner="dst", member="src", pays=pl.lit(True)),
                self.moves.filter("received").select(
                    partner="src", member="dst", pays=pl.lit(False)
                ),
            ]
        )
        return (
            both.group_by("partner")
            .agg(
                paying=pl.col("member").filter("pays").n_unique(),
                paid=pl.col("member").filter(~pl.col("pays")).n_unique(),
                dealing=pl.col("member").n_unique(),
                transfers=pl.len(),
            )
            .sort(["dealing", "partner"], descending=[True, False])
        )

    @cached_property
    def seen(self) -> pl.DataFrame:
        """What members were seen with: `account` (number), `identifier_kind`, `value` (a
        number), `holders` (of all accounts), `counts` (whether it is evidence)."""
        ours = pl.Series(self.members).implode()
        return self.known.seen.filter(pl.col("account").is_in(ours))

    @cached_property
    def recruits(self) -> pl.DataFrame:
        """Who of the members brought in whom of them: `referrer`, `referred` (numbers)."""
        ours = pl.Series(self.members).implode()
        return self.known.referrals.filter(
            pl.col("referrer").is_in(ours) & pl.col("referred").is_in(ours)
        )

    def customers(self, partner: int) -> int:
        """How many accounts deal with a partner in all."""
        return self.known.customers(partner)

    def doubt(self, name: str, text: str, settles: str, explains: Sequence[str]) -> Doubt:
        """A doubt that explains the evidence of some families."""
        return Doubt(name, text, settles, tuple(explains), self.beyond(explains))
