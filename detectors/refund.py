"""Refund: what one pays a shop, another gets back.

Two accounts of one will need not deal with each other: one buys in a shop, and within
WINDOW_DAYS the shop returns nearly the amount to the other. A single such coincidence is
common, so several between the same two are asked for, and more than both deal with these
shops by chance: how often a payment and a refund of two strangers fit each other is counted
for each shop backwards in time, where no refund can be.

Whatever deals with everyone counts as a shop: institutions, and accounts with over
MOST_CONTACTS contacts. It follows single payments in the order of time, so it runs on one
machine: 100 bytes a payment to or from a shop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.contacts import MOST_CONTACTS
from detectors.family import (
    MOST_CITED,
    Facts,
    Inside,
    Ints,
    Layer,
    Reason,
    by_class,
    rank_millibits,
)
from detectors.moves import DAY, Longs, Moves, day_of
from detectors.onward import KEPT, MICRO
from detectors.relay import surplus_bits

WINDOW_DAYS = 5
"""How soon a refund comes."""

STEPS_A_DOUBLING = 32
STEPS_KEPT = 4
"""Amounts are compared in steps of 2.2 %: a refund is up to so many steps below the payment."""

MOST_CANDIDATES = 16
"""A refund that more payments would explain tells nothing of whose it was."""

CLASS_RANKS = (1 / 1024, 1 / 256, 1 / 64)
"""Strength classes by rank among the pairs of the population."""

FEWEST_REFUNDS = 2

FEWEST_BITS = 4
"""A pair with fewer is no evidence: many strangers share a shop, and so many are compared."""

MOST_COMPARED = 10_000
"""Two who have more payments and refunds at one shop to compare deal with it all day."""

MOST_TOLD = 1_000_000
"""So many pairs of a payment and a refund are compared at one shop for the words."""

SHOP_PRIOR = 10.0
"""Chance matches with everybody's rate that each shop is credited with."""


class Refund:
    """Evidence from payments to shops and what comes back from them."""

    name = "refund"
    source = "transfers"
    speaks_of = "all_transfers"
    """Which facts its words are made from."""
    help = (
        "Looks for two accounts of which one pays shops and the other soon gets nearly the same "
        "amounts back from them, again and again. Misses refunds in parts, and shops so busy "
        "that every refund fits many buyers. A household that shops on one account and is paid "
        "back on the other looks like it."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Pairs with FEWEST_REFUNDS or more from one to the other; strength in 1/1000 bits."""
        counter = _Counter.of(*_at_counters(facts))
        control = _fitting(counter.backwards())
        return nw.from_native(_surplus(counter, _fitting(counter), control).lazy())

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """By rank among all pairs of the population."""
        return rank_millibits(strengths, counts, accounts)

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Strength classes as spanning forests: a fixed price ties many at once. Strangers
        have them by how often they deal with shops."""
        src, dst = facts.ends
        shops = _shops(facts, src, dst)
        dealings = np.bincount(src[shops[dst]], minlength=facts.accounts)
        dealings += np.bincount(dst[shops[src]], minlength=facts.accounts)
        dealings[shops] = 0
        part = dealings / max(dealings.sum(), 1)
        return [
            Layer(
                f"refund:{rank}",
                a[one],
                b[one],
                part * np.sqrt(2.0 * one.sum()),
                tree=True,
                most=True,
            )
            for rank, one in by_class(facts.accounts, millibits, CLASS_RANKS)
        ]

    def reason(self, inside: Inside) -> Reason:
        """How many payments of one came back to another, and the largest."""
        refunds = _refunds_of(inside.facts, inside.members)
        if not refunds.height:
            return Reason("No payment to a shop came back to another of them", [])
        row = refunds.row(0, named=True)
        text = (
            f"{refunds['uid_back'].n_unique():,} times one of these {len(inside.members)} accounts "
            f"paid a shop, and another got nearly the same amount from this shop within "
            f"{WINDOW_DAYS} days. The largest: {inside.name(row['payer'])} paid on "
            f"{day_of(row['paid_at'])}, and {row['kept']:.1%} of it went to "
            f"{inside.name(row['payee'])} on {day_of(row['back_at'])}"
        )
        cited = pl.concat([refunds["uid"], refunds["uid_back"]]).unique(maintain_order=True)
        return Reason(text, cited.head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """How many times what one paid a shop came back to the other."""
        counted = (
            _refunds_of(inside.facts, inside.members)
            .group_by("payer", "payee")
            .agg(pl.col("uid_back").n_unique())
        )
        counts = {(payer, payee): count for payer, payee, count in counted.iter_rows()}
        return [
            "; ".join(
                f"{inside.name(payer)} paid shops, and within {WINDOW_DAYS} days "
                f"{inside.name(payee)} got nearly the same amount back from them, "
                f"{counts[payer, payee]} times"
                for payer, payee in ((a, b), (b, a))
                if counts.get((payer, payee), 0) >= FEWEST_REFUNDS
            )
            for a, b in pairs
        ]


def _refunds_of(facts: pl.DataFrame, members: Ints) -> pl.DataFrame:
    """Payments of members to others, and what came back to other members, largest first:
    `payer`, `payee`, `uid`, `uid_back`, `amount`, `paid_at`, `back_at`, `kept`."""
    ours = pl.Series(members).implode()
    usable = facts.filter((pl.col("amount") > 0) & pl.col("at").is_not_null()).with_columns(
        pl.col("amount").cast(pl.Float64), pl.col("at").dt.epoch("us")
    )
    paid = usable.filter(pl.col("src").is_in(ours) & ~pl.col("dst").is_in(ours))
    back = usable.filter(pl.col("dst").is_in(ours) & ~pl.col("src").is_in(ours))
    # a shop with more to compare would not have made them suspicious either
    few = (
        paid.group_by(shop="dst")
        .len()
        .join(back.group_by(shop="src").len("back"), on="shop")
        .filter(pl.col("len").cast(pl.Int64) * pl.col("back") <= MOST_TOLD)
    )
    paid = paid.join(few, left_on="dst", right_on="shop", how="semi")
    return (
        paid.select(payer="src", shop="dst", uid="uid", amount="amount", paid_at="at")
        .join(
            back.select(payee="dst", shop="src", uid_back="uid", sum="amount", back_at="at"),
            on="shop",
        )
        .with_columns(
            kept=pl.col("sum") / pl.col("amount"), rest=pl.col("back_at") - pl.col("paid_at")
        )
        .filter(
            (pl.col("payer") != pl.col("payee"))
            & pl.col("kept").is_between(*KEPT)
            & pl.col("rest").is_between(1, WINDOW_DAYS * DAY)
        )
        .sort(["amount", "uid", "uid_back"], descending=[True, False, False])
    )


@dataclass(frozen=True)
class _Counter:
    """Both sides of all counters. Payments ascend by shop, step of amount and time."""

    payer: Ints
    paid_key: Longs
    paid_at: Longs
    payee: Ints
    back_key: Longs
    back_at: Longs
    part_of_time: float
    """The window's part of the time that the facts span."""

    @classmethod
    def of(cls, moves: Moves, shops: npt.NDArray[np.bool_], span: int) -> _Counter:
        """What people pay shops, and what shops pay people; `span`: of all facts' times."""
        paid = moves.where(shops[moves.dst] & ~shops[moves.src])
        back = moves.where(shops[moves.src] & ~shops[moves.dst])
        payer, paid_key, paid_at = _ascending(paid.src, paid.dst, paid)
        payee, back_key, back_at = _ascending(back.dst, back.src, back)
        window = WINDOW_DAYS * DAY
        part = window / max(span, window)
        return cls(payer, paid_key, paid_at, payee, back_key, back_at, part)

    def backwards(self) -> _Counter:
        """With time reversed. Payments of one moment may stand in any order: fits are counted."""
        paid, back = _turned(self.paid_key), _turned(self.back_key)
        return _Counter(
            self.payer[paid],
            self.paid_key,
            -self.paid_at[paid],
            self.payee[back],
            self.back_key,
            -self.back_at[back],
            self.part_of_time,
        )


@njit(cache=True, nogil=True)
def _turned(keys):  # type: ignore[no-untyped-def]
    """Of rows by key, the order in which those of each key are the other way round."""
    order = np.empty(len(keys), np.int64)
    begin = 0
    for row in range(1, len(keys) + 1):
        if row < len(keys) and keys[row] == keys[begin]:
            continue
        for place in range(begin, row):
            order[place] = begin + row - 1 - place
        begin = row
    return order


LOWEST_STEP = -100 * STEPS_A_DOUBLING
STEPS = 300 * STEPS_A_DOUBLING
"""Steps of amounts between 2^-100 and 2^200, far beyond what decimals hold."""


def _ascending(person: Ints, shop: Ints, moves: Moves) -> tuple[Ints, Longs, Longs]:
    steps = np.floor(np.log2(moves.amount) * STEPS_A_DOUBLING).astype(np.int64) - LOWEST_STEP
    keys = shop.astype(np.int64) * STEPS + steps
    rows = pl.DataFrame({"person": person, "key": keys, "at": moves.at}).sort("key", "at", "person")
    return rows["person"].to_numpy(), rows["key"].to_numpy(), rows["at"].to_numpy()


def _at_counters(facts: Facts) -> tuple[Moves, npt.NDArray[np.bool_], int]:
    """Transfers between people and shops, which accounts are shops, and the time that all
    transfers span."""
    moves = Moves.of(facts.all_transfers)
    shops = _shops(facts, moves.src, moves.dst)
    span = int(moves.at.max() - moves.at.min()) if len(moves) else 0
    return moves.where(shops[moves.src] != shops[moves.dst]), shops, span


def _shops(facts: Facts, src: Ints, dst: Ints) -> npt.NDArray[np.bool_]:
    """Institutions, and accounts left out of the contacts because they have too many."""
    ends = np.bincount(src, minlength=facts.accounts)
    ends += np.bincount(dst, minlength=facts.accounts)
    busy: npt.NDArray[np.bool_] = (facts.contacts.degree == 0) & (ends > MOST_CONTACTS)
    return busy | facts.institutions if len(facts.institutions) else busy


def _fitting(counter: _Counter) -> pl.DataFrame:
    """Payments of one and refunds to another that fit: `payer`, `payee`, `shop`, `paid` and
    `back` (places); none of refunds that fit a payment of the same account."""
    sides = (counter.payer, counter.paid_key, counter.paid_at)
    others = (counter.payee, counter.back_key, counter.back_at)
    nothing = np.empty(0, np.int64)
    counts = np.zeros(len(counter.payee) + 1, np.int64)
    _search(*sides, *others, WINDOW_DAYS * DAY, counts[1:], nothing, nothing, False)
    ends = np.cumsum(counts)
    paid, back = np.empty(ends[-1], np.int64), np.empty(ends[-1], np.int64)
    _search(*sides, *others, WINDOW_DAYS * DAY, ends[:-1], paid, back, True)
    return pl.DataFrame(
        {
            "payer": counter.payer[paid],
            "payee": counter.payee[back],
            "shop": (counter.back_key[back] // STEPS).astype(np.int32),
            "paid": paid,
            "back": back,
        }
    )


@njit(cache=True, nogil=True)
def _search(payer, paid_key, paid_at, payee, back_key, back_at, window, ends, paid, back, fill):  # type: ignore[no-untyped-def]
    """For each refund the payments that it fits: counts them into `ends`, or (`fill`) writes
    them from there."""
    for refund in range(len(payee)):
        count, usable = 0, True
        earliest = back_at[refund] - window
        for step in range(STEPS_KEPT + 1):
            key = back_key[refund] + step
            first, last = _between(paid_key, paid_at, key, earliest, back_at[refund])
            count += last - first
            if count > MOST_CANDIDATES:
                usable = False
                break
            for place in range(first, last):
                if payer[place] == payee[refund]:
                    usable = False
        if not usable or count == 0:
            continue
        if not fill:
            ends[refund] = count
            continue
        free = ends[refund]
        for step in range(STEPS_KEPT + 1):
            key = back_key[refund] + step
            first, last = _between(paid_key, paid_at, key, earliest, back_at[refund])
            for place in range(first, last):
                paid[free] = place
                back[free] = refund
                free += 1


@njit(cache=True, nogil=True)
def _between(keys, times, key, earliest, latest):  # type: ignore[no-untyped-def]
    """Places with this key and a time from `earliest` to before `latest`."""
    return _first_at(keys, times, key, earliest), _first_at(keys, times, key, latest)


@njit(cache=True, nogil=True)
def _first_at(keys, times, key, time):  # type: ignore[no-untyped-def]
    begin, end = 0, len(keys)
    while begin < end:
        half = (begin + end) // 2
        if keys[half] < key or (keys[half] == key and times[half] < time):
            begin = half + 1
        else:
            end = half
    return begin


def _surplus(counter: _Counter, found: pl.DataFrame, control: pl.DataFrame) -> pl.DataFrame:
    """Pairs a < b with more refunds from one to the other than by chance: a, b, strength."""
    # nearly all pairs fit once: these go first, before places are told apart
    often = found.group_by("payer", "payee").len().filter(pl.col("len") >= FEWEST_REFUNDS)
    direct = (
        found.join(often, on=["payer", "payee"], how="semi")
        .group_by("payer", "payee")
        .agg(pl.col("paid", "back").n_unique())
        .select("payer", "payee", found=pl.min_horizontal("paid", "back").cast(pl.Int64))
        .filter(pl.col("found") >= FEWEST_REFUNDS)
    )
    pairs = (
        direct.join(_expected(counter, direct, control), on=["payer", "payee"])
        .group_by(a=pl.min_horizontal("payer", "payee"), b=pl.max_horizontal("payer", "payee"))
        .agg(pl.col("found", "expected").sum())
        .sort("a", "b")
    )
    bits = surplus_bits(pairs["found"].to_numpy(), pairs["expected"].to_numpy() / MICRO)
    strength = pl.Series("strength", np.rint(1000 * bits).astype(np.int32))
    return pairs.select("a", "b", strength).filter(strength >= 1000 * FEWEST_BITS)


def _expected(counter: _Counter, direct: pl.DataFrame, control: pl.DataFrame) -> pl.DataFrame:
    """What chance brings a payer and a payee, in whole millionths: by their shops' rates, and
    by how many more of their own payments and refunds fit, whenever they were made."""
    paid = _side(counter.payer, counter.paid_key, "payer")
    back = _side(counter.payee, counter.back_key, "payee")
    pays = paid.group_by("payer", "shop").agg(pays=pl.len().cast(pl.Int64))
    gets = back.group_by("payee", "shop").agg(gets=pl.len().cast(pl.Int64))
    both = (
        direct.join(gets, on="payee")
        .join(pays, on=["payer", "shop"])
        .filter(pl.col("pays") * pl.col("gets") <= MOST_COMPARED)
    )
    by_rate = pl.col("pays") * pl.col("gets") * pl.col("rate")
    ends = ("payer", paid), ("payee", back)
    (begin, paid_steps), (back_begin, back_steps) = (
        _steps_of(both, name, side) for name, side in ends
    )
    sizes = both["pays"].to_numpy(), both["gets"].to_numpy()
    fitting = _fitting_ever(begin, back_begin, *sizes, paid_steps, back_steps)
    more = (pl.col("fitting") - pl.col("found")).clip(0) * counter.part_of_time
    return (
        both.with_columns(fitting=pl.Series(fitting))
        .join(_rates(pays, gets, control), on="shop")
        .group_by("payer", "payee", "found")
        .agg(
            pl.col("fitting").sum(),
            expected=(MICRO * by_rate).round().cast(pl.Int64).sum(),
        )
        .select(
            "payer",
            "payee",
            expected=pl.col("expected") + (MICRO * more).round().cast(pl.Int64),
        )
    )


def _side(person: Ints, key: Longs, name: str) -> pl.DataFrame:
    """One side of all counters, ascending by person, shop and step of amount."""
    return pl.DataFrame(
        {name: person, "shop": (key // STEPS).astype(np.int32), "step": key % STEPS}
    ).sort(name, "shop", "step")


def _steps_of(both: pl.DataFrame, name: str, side: pl.DataFrame) -> tuple[Longs, Longs]:
    """Where the steps of each row's person and shop begin on a side, and all its steps."""
    keys = _key(side, name)
    return np.searchsorted(keys, _key(both, name)), side["step"].to_numpy()


def _key(frame: pl.DataFrame, name: str) -> Longs:
    return (frame[name].cast(pl.Int64) * 2**31 + frame["shop"].cast(pl.Int64)).to_numpy()


@njit(cache=True, nogil=True)
def _fitting_ever(begin, back_begin, pays, gets, paid_steps, back_steps):  # type: ignore[no-untyped-def]
    """For each payer, payee and shop how many payments and refunds fit, whenever they were."""
    fitting = np.zeros(len(begin), np.int64)
    for row in range(len(begin)):
        low = high = begin[row]
        end = begin[row] + pays[row]
        for refund in range(back_begin[row], back_begin[row] + gets[row]):
            while low < end and paid_steps[low] < back_steps[refund]:
                low += 1
            while high < end and paid_steps[high] <= back_steps[refund] + STEPS_KEPT:
                high += 1
            fitting[row] += high - low
    return fitting


def _rates(pays: pl.DataFrame, gets: pl.DataFrame, control: pl.DataFrame) -> pl.DataFrame:
    """By shop how often a payment and a refund of two strangers fit: `shop`, `rate`."""
    shops = (
        pays.group_by("shop")
        .agg(pl.col("pays").sum())
        .join(gets.group_by("shop").agg(pl.col("gets").sum()), on="shop")
        .join(control.group_by("shop").agg(seen=pl.len().cast(pl.Int64)), on="shop", how="left")
        .with_columns(pl.col("seen").fill_null(0), of=pl.col("pays") * pl.col("gets"))
    )
    overall = float(shops["seen"].sum()) / max(float(shops["of"].sum()), 1.0)
    credited = SHOP_PRIOR / max(overall, 1 / MICRO)
    return shops.select("shop", rate=(pl.col("seen") + SHOP_PRIOR) / (pl.col("of") + credited))


DETECTOR = Refund()
