"""What a detector is: an evidence family, one file in this folder.

A module in `detectors/` is a detector when it defines `DETECTOR`, an instance of a class
with the two sides of a family:

- `pairs(facts)` says who may belong together: a lazy frame of pairs with a strength;
- `layers(facts, pairs, millibits)` says how a set is judged: kinds of tie, each with the
  number that strangers would have, from which the judge takes bits for any set.

Nothing else has to be edited: `detectors()` finds it, `inconcert detect NAME` runs it.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from threading import RLock
from typing import Any, Protocol, TypeVar, runtime_checkable

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

import detectors as room
from detectors.clean import Exonerated, reasons, taken_out
from detectors.contacts import Contacts
from detectors.kept import NOTHING_KEPT, Kept
from detectors.kept.changes import Changes
from detectors.meetings import Meetings
from detectors.transfers import COLUMNS, by_time
from graph.schema import KINDS
from graph.snapshot import Snapshot

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
T = TypeVar("T")

INSTITUTIONS = ("issuer", "treasury", "custodian", "exchange", "merchant", "payroll")
"""Roles of accounts that deal with everyone: a payment to them joins nobody, nor does a
device or an address of theirs. What is declared of them (links) counts."""


@dataclass(frozen=True)
class Facts:
    """A snapshot as families see it: lazy frames in Narwhals, accounts by number (Int32).

    `transfers`: src, dst, amount, at, by time, without self-transfers, without those
    to or from institutions, without `exonerated` ones (see `detectors/clean.py`) and those at
    which accounts only meet (see `detectors/meetings.py`);
    `all_transfers`: those of institutions and exonerated ones too (the rest of a row, and its
    exact amount, is read where few are asked for: see `touching`); `sightings`:
    account, identifier_kind, digest, without those of institutions;
    `links`: a, b, verdict; `referrals`, `purchases` as stored. `tiers`: wealth tier of
    each account, 0 the richest; `holdings` of each account, rounded.
    """

    accounts: int
    transfers: nw.LazyFrame[pl.LazyFrame]
    all_transfers: nw.LazyFrame[pl.LazyFrame]
    referrals: nw.LazyFrame[pl.LazyFrame]
    sightings: nw.LazyFrame[pl.LazyFrame]
    purchases: nw.LazyFrame[pl.LazyFrame]
    links: nw.LazyFrame[pl.LazyFrame]
    tiers: Ints
    contacts: Contacts
    holdings: Floats = field(default_factory=lambda: np.empty(0, np.float64))
    exonerated: Exonerated = field(default_factory=Exonerated)
    meetings: Meetings = field(default_factory=Meetings)
    institutions: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, np.bool_))
    """Whether each account is an institution; empty: none is."""
    snapshot: Snapshot | None = None
    """Where the rows that touch a few accounts are read from, faster than from the frames."""
    changes: Changes | None = None
    """Since a kept detection; its parts are taken over where they still hold."""
    worked_out: dict[str, Any] = field(default_factory=dict, init=False, compare=False)
    """See `once`."""
    _at_work: dict[str, RLock] = field(default_factory=dict, init=False, compare=False, repr=False)

    def once(self, name: str, work: Callable[[], T]) -> T:
        """What a family works out of these facts and needs again, or another does: worked out
        once, also where two ask at the same time."""
        with self._at_work.setdefault(name, RLock()):
            if name not in self.worked_out:
                self.worked_out[name] = work()
            found: T = self.worked_out[name]
            return found

    def forget(self) -> None:
        """Let go of all that was worked out once: it is worked out anew for who asks again."""
        self.worked_out.clear()

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """Who paid whom, of all transfers: collected when first asked for, 8 bytes a transfer."""
        return self.once("ends", self._ends)

    def _ends(self) -> tuple[Ints, Ints]:
        rows = pl.DataFrame(self.all_transfers.select("src", "dst").collect().to_native())
        return rows["src"].to_numpy(), rows["dst"].to_numpy()

    def touching(self, frame: str, members: Ints) -> pl.LazyFrame:
        """The rows of one of these frames, by its name, that name any of some accounts: with all
        columns that are stored."""
        if self.snapshot is None:
            columns = KINDS["transfers" if frame == "all_transfers" else frame].accounts
            mine = pl.Series(members, dtype=pl.Int32).implode()
            theirs = pl.any_horizontal(pl.col(column).is_in(mine) for column in columns)
            rows: pl.LazyFrame = nw.to_native(getattr(self, frame))
            return rows.filter(theirs)
        if frame == "all_transfers":
            return self._moves_touching(self.snapshot, members).lazy()
        if frame == "transfers":
            return self._of_transfers(self._moves_touching(self.snapshot, members), members)
        rows = self.snapshot.touching(frame, members)
        if frame == "sightings":
            return _private(rows, self.institutions, "account")
        return rows

    def _moves_touching(self, snapshot: Snapshot, members: Ints) -> pl.DataFrame:
        def read() -> pl.DataFrame:
            rows = snapshot.touching("transfers", members)
            return rows.filter(pl.col("src") != pl.col("dst")).collect()

        return self.once(f"transfers of {hashlib.sha256(members.tobytes()).hexdigest()}", read)

    def _of_transfers(self, rows: pl.DataFrame, members: Ints) -> pl.LazyFrame:
        """Those of some rows that are among `transfers`: whether one is hangs on who paid whom
        how much when, so of rows that are equal in these all are or none."""
        mine = pl.Series(members, dtype=pl.Int32).implode()
        usable: pl.LazyFrame = self.transfers.to_native()
        chosen = usable.filter(pl.col("src").is_in(mine) | pl.col("dst").is_in(mine))
        rounded = rows.lazy().with_columns(rounded=pl.col("amount").cast(pl.Float64))
        return rounded.join(
            chosen.select("src", "dst", "at", rounded="amount"),
            on=["src", "dst", "at", "rounded"],
            how="semi",
            nulls_equal=True,
        ).drop("rounded")

    @classmethod
    def of(cls, snapshot: Snapshot, kept: Kept = NOTHING_KEPT) -> Facts:
        """The facts of a snapshot, institutions left out of transfers and sightings.

        `kept`: what was kept of earlier detections, to be taken over where it still holds.
        """
        changes = Changes.of(kept, snapshot.accounts)
        roles = snapshot.accounts["role"]
        public = roles.is_in(INSTITUTIONS).fill_null(False) | snapshot.accounts["excluded"]
        institutions = public.to_numpy()
        rows = by_time(_moved(snapshot))
        purchases = nw.from_native(snapshot.facts("purchases"))
        tiers = wealth_tiers(snapshot.accounts["holdings"])
        usable = ~(institutions[rows["src"].to_numpy()] | institutions[rows["dst"].to_numpy()])
        mine = rows.filter(pl.Series(usable))
        why = reasons(mine, len(tiers))
        exonerated = taken_out(mine, why)
        usable[usable] = why == 0
        del mine, why
        everything = nw.from_native(rows.lazy())
        meetings = Meetings.of(everything, purchases, exonerated.payments, institutions, tiers)
        usable &= ~meetings.met_at(rows)
        chosen = rows.lazy().filter(pl.Series(usable)).with_columns(amount="exact")
        contacts = Contacts.of(nw.from_native(chosen), len(tiers), everything)
        del chosen, everything
        # exact amounts are needed where they are added up, and were
        rows = rows.drop("exact").with_columns(usable=usable)
        return cls(
            accounts=len(snapshot.accounts),
            transfers=nw.from_native(rows.lazy().filter("usable").drop("usable")),
            all_transfers=nw.from_native(rows.lazy().select(*COLUMNS)),
            referrals=nw.from_native(snapshot.facts("referrals")),
            sightings=nw.from_native(
                _private(snapshot.facts("sightings"), institutions, "account")
            ),
            purchases=purchases,
            links=nw.from_native(snapshot.facts("links")),
            tiers=tiers,
            contacts=contacts,
            holdings=snapshot.accounts["holdings"].cast(pl.Float64).to_numpy(),
            exonerated=exonerated,
            meetings=meetings,
            institutions=institutions,
            snapshot=snapshot,
            changes=changes,
        )


def _moved(snapshot: Snapshot) -> pl.DataFrame:
    """All transfers from one account to another; `amount` rounded, and `exact`."""
    moves = snapshot.facts("transfers").filter(pl.col("src") != pl.col("dst"))
    exact = pl.col("amount")
    return moves.select(*COLUMNS, exact=exact).with_columns(exact.cast(pl.Float64)).collect()


def _private(facts: pl.LazyFrame, institutions: npt.NDArray[np.bool_], *ends: str) -> pl.LazyFrame:
    """Facts that name no institution at some ends."""
    numbers = pl.Series("institution", np.flatnonzero(institutions).astype(np.int32))
    for end in ends:
        facts = facts.join(
            numbers.to_frame().lazy(), left_on=end, right_on="institution", how="anti"
        )
    return facts


TIER_SHARES = (0.004, 0.012, 0.04, 0.12)
"""The richest 0.4, 1.2, 4 and 12 % of accounts; the rest is the last tier."""


def wealth_tiers(holdings: pl.Series) -> Ints:
    """The tier of each account, 0 the richest. Equal holdings share the better tier."""
    ranks = holdings.rank("min", descending=True).to_numpy()
    bounds = np.ceil(np.array(TIER_SHARES) * max(len(holdings), 1))
    tiers: Ints = np.searchsorted(bounds, ranks, side="left").astype(np.int32)
    return tiers


@dataclass(frozen=True)
class Layer:
    """One kind of tie, and how many of it strangers would have.

    `a`, `b`: the accounts of each tie, `weights`: the expected number of ties between u and
    v is weights[u] x weights[v] x (mixing of their tiers, where the layer mixes by wealth).
    `tree`: ties inside a set count as a spanning forest only (a shared device makes all
    pairs of its holders at once, so they are not independent).
    """

    name: str
    a: Ints
    b: Ints
    weights: Floats
    mixes_by_wealth: bool = False
    tree: bool = False
    fixed_bits: float | None = None
    """Documented evidence: each tie of the forest is worth this, whatever strangers do."""
    rates: Floats | None = None
    """Evidence given that two deal with each other: ties are contacts, and of the contacts of
    each class (`Contacts.code`) this part is expected to be one. `weights` is empty."""
    given: str | None = None
    """Evidence given something else: the name of the layer (of no trees) of whose ties the one
    number in `rates` is the part that is expected to be one."""
    contacts: bool = False
    """The contacts themselves, of which a club, a team or a market has as many."""
    usual_in_clubs: bool = False
    """Ties that a club or a team brings about as well: they say nothing beyond one."""
    for_extent: bool = False
    """No evidence that a set is a group; but tells who belongs to one that these ties (of no
    circles) mostly hold together."""
    most: bool = False
    """Says nothing of a set that these ties and its family's others (of no circles) do not mostly
    hold together: one of many chances alone brings strangers in, and these bring more."""
    shared: bool = False
    """Ties are shared values (devices, addresses), as households have them."""


@runtime_checkable
class Family(Protocol):
    """An evidence family: one way in which accounts of one will give themselves away."""

    name: str
    source: str
    """What it rests on: transfers, referrals, identifiers, purchases or links."""
    help: str
    """What it looks for, what it misses, and which innocent thing looks like it."""

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Columns a < b (numbers) and `strength` (Int32, larger is stronger)."""

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """Bits of each strength in 1/1000. `strengths` ascending and distinct, `counts` the
        pairs that have it."""

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """The kinds of tie by which a set is judged."""

    def reason(self, inside: Inside) -> Reason:
        """Why these accounts belong together, in words a judge can read."""

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """The tie between the two accounts of each pair in words; empty where there is none."""


@dataclass(frozen=True)
class Reason:
    """Words, and the facts they rest on (uids, at most MOST_CITED)."""

    text: str
    facts: list[str]


MOST_CITED = 20


def largest(payments: pl.DataFrame) -> list[str]:
    """The uids of the largest of some payments (amount, uid), at most MOST_CITED."""
    ordered = payments.sort(["amount", "uid"], descending=[True, False])
    return ordered["uid"].head(MOST_CITED).to_list()


@dataclass(frozen=True)
class Inside:
    """What the words of a reason are made from: a set, its facts, and names.

    `members`: numbers; `names`: account id of each member, same order; `facts`: this
    family's facts that touch a member, collected (accounts by number, with uid);
    `expected`: how many ties strangers would have, by layer, where that was judged;
    `holdings` of each member, same order.
    """

    members: Ints
    names: Sequence[str]
    facts: pl.DataFrame
    expected: Mapping[str, float] = field(default_factory=dict)
    holdings: Sequence[Decimal] = ()

    def name(self, number: int) -> str:
        """The id of a member."""
        return self.names[int(np.searchsorted(self.members, number))]


def rank_millibits(strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
    """Bits against a random pair of the population, METHOD's own calibration:
    log2(all pairs of accounts / pairs at least this strong), rounded once, to 1/1000.

    Hubs vanish by counting and no currency or scale has to be tuned.
    """
    at_least = np.cumsum(counts[::-1])[::-1]
    everyone = max(accounts * (accounts - 1) / 2, 1.0)
    bits = np.log2(everyone / np.maximum(at_least, 1))
    millibits: Ints = np.maximum(np.rint(1000 * bits), 0).astype(np.int32)
    return millibits


CLASS_RANKS = (1 / 64, 1 / 16, 1 / 4, 1.0)
"""Strength classes by rank: the n/64 strongest pairs of n accounts, the next up to n/16, …"""


def by_class(
    accounts: int, millibits: Ints, ranks: Sequence[float] = CLASS_RANKS
) -> list[tuple[float, npt.NDArray[np.bool_]]]:
    """Which pairs are in each strength class, strongest first; weaker ones are in none."""
    everyone = max(accounts * (accounts - 1) / 2, 1.0)
    above = np.iinfo(np.int32).max
    classes = []
    for rank in ranks:
        least = everyone / max(rank * accounts, 1.0)
        bound = int(np.rint(1000 * np.log2(max(least, 1.0))))
        classes.append((rank, (millibits >= bound) & (millibits < above)))
        above = min(above, bound)
    return classes


def contact_layer(facts: Facts) -> Layer:
    """Who deals with whom; strangers do by their number of contacts and by wealth."""
    contacts = facts.contacts
    return Layer(
        "contacts",
        contacts.a,
        contacts.b,
        contacts.weights,
        mixes_by_wealth=True,
        contacts=True,
    )


def given_layers(
    name: str, facts: Facts, a: Ints, b: Ints, millibits: Ints, *, often: bool
) -> list[Layer]:
    """Strength classes of pairs that deal with each other, against how usual each is among
    contacts of their class (see `Contacts.rates`)."""
    rates = facts.contacts.rates
    return [
        Layer(f"{name}:{rank}", a[one], b[one], NOTHING, rates=rates(a[one], b[one], often=often))
        for rank, one in by_class(facts.accounts, millibits)
    ]


def tree_layers(
    name: str, facts: Facts, a: Ints, b: Ints, millibits: Ints, *, shared: bool = False
) -> list[Layer]:
    """Strength classes of pairs that one cause may tie all at once (a shared value, a wave):
    inside a set they count as a spanning forest; strangers have them evenly."""
    everyone = max(facts.accounts * (facts.accounts - 1) / 2, 1.0)
    return [
        Layer(
            f"{name}:{rank}",
            a[one],
            b[one],
            np.broadcast_to(np.sqrt(one.sum() / everyone), facts.accounts),
            tree=True,
            shared=shared,
        )
        for rank, one in by_class(facts.accounts, millibits)
    ]


NOTHING = np.empty(0, np.float64)


@functools.cache
def _registered() -> tuple[Any, ...]:
    """The `DETECTOR` of every module of this folder that has one."""
    modules = [
        importlib.import_module(f"detectors.{entry.name}")
        for entry in sorted(pkgutil.iter_modules(room.__path__), key=lambda entry: entry.name)
    ]
    return tuple(module.DETECTOR for module in modules if hasattr(module, "DETECTOR"))


def detectors() -> dict[str, Family]:
    """Every evidence family of this folder, by name."""
    return {one.name: one for one in _registered() if isinstance(one, Family)}


def per_account_checks() -> dict[str, Any]:
    """The detectors that look at accounts one by one, by name."""
    return {one.name: one for one in _registered() if not isinstance(one, Family)}
