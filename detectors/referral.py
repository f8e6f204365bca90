"""Referral: accounts that one hand opened, one after the other, each bringing in the next.

Who brought whom in is a tree in which everybody stands somewhere, so a link of it says
little by itself: at most `MOST_BARE_BITS`, and less the more a referrer brought in (the
mega-root of a pyramid ties nobody). What people seldom do is bring in account after account
in *haste*. Time runs in referrals of the whole platform (a campaign is everybody's):

- since joining: a referrer that came as one of the last m of the n who were there has
  log2(n / m) bits of haste, unless its own rhythm lets expect its children that soon;
- between children: had it brought its F in evenly, j of them would lie within a part w of
  its time with odds of at most 2^-(F KL(j / F || w)) (Chernoff 1952); less log2 F for the
  search, shared by the children in that stretch.

Natural growth has haste too, so a set is judged *given* its referrals by how usual such
haste is among all of them: a team that grew as teams grow gains nothing. Payments between
who brought in whom count by how rare such contacts are; every sales team has them, so they
say nothing beyond a team. The kernel holds all referrals in arrays: it runs on one machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from detectors.family import MOST_CITED, NOTHING, Facts, Floats, Inside, Ints, Layer, Reason

MOST_BARE_BITS = 10.0
"""What a referral says beside haste: friends bring in friends."""

MOST_CHILDREN = 1_000
"""Who brought in more is a campaign or the platform: it ties nobody."""

HASTE_RANKS = (1 / 64, 1 / 16, 1 / 4)
"""Classes of haste: the 64th part of all referrals with most of it, up to the 16th, the 4th."""

BEYOND_RHYTHM = 2.0
"""So many times the children that a referrer's own rhythm lets expect are no rhythm."""

LEAST_HASTE = 1.0
"""Bits below which a referral is not in haste, whatever its rank."""

DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Kin:
    """Every referral once, by referrer and then by time. Arrays of equal length.

    `haste` in bits; `children`: how many the referrer brought in.
    """

    parent: Ints
    child: Ints
    haste: Floats
    children: npt.NDArray[np.int64]

    @classmethod
    def of(cls, facts: Facts) -> Kin:
        """From referrals; those of an account by itself are left out."""
        lazily = (
            facts.referrals.filter(nw.col("referrer") != nw.col("referred"))
            .group_by("referrer", "referred")
            .agg(nw.col("at").min())
        )
        kin = (
            pl.DataFrame(lazily.collect().to_native())
            .with_columns(at=pl.col("at").dt.epoch("us"))
            .sort("referrer", "at", "referred", nulls_last=True)
        )
        parent, child = kin["referrer"].to_numpy(), kin["referred"].to_numpy()
        known = kin["at"].is_not_null().to_numpy()
        haste = np.zeros(len(kin), np.float64)
        at = kin["at"].drop_nulls().to_numpy()
        if len(at):
            haste[known] = _haste_of(parent[known], child[known], at, facts.accounts)
        children = np.bincount(parent, minlength=1)[parent]
        return cls(parent, child, haste, children)

    @classmethod
    def kept(cls, facts: Facts) -> Kin:
        """The same, taken over from a kept detection of the same referrals."""
        if facts.changes is None or facts.snapshot is None:
            return cls.of(facts)
        made_of, numbers = facts.snapshot.made_of("referrals"), ("parent", "child")
        kin = facts.changes.remembered("kin", made_of, lambda: vars(cls.of(facts)), numbers)
        return cls(kin["parent"], kin["child"], kin["haste"], kin["children"])

    @property
    def ends(self) -> tuple[Ints, Ints]:
        """Both ends of each referral, the smaller number first."""
        return np.minimum(self.parent, self.child), np.maximum(self.parent, self.child)

    def hasty(self) -> list[npt.NDArray[np.bool_]]:
        """Which referrals are in each class of haste, the greatest first. Equal haste is in
        one class, the lower one."""
        ordered = np.sort(self.haste)[::-1]
        classes, above = [], np.inf
        for rank in HASTE_RANKS:
            place = int(rank * len(ordered))
            bound = max(float(ordered[place]) if place < len(ordered) else 0.0, LEAST_HASTE)
            classes.append((self.haste > bound) & (self.haste <= above))
            above = bound
        return classes


class Referral:
    """Evidence from referrals: structures that grew in haste."""

    name = "referral"
    source = "referrals"
    help = (
        "Looks for accounts that were opened one after the other, each brought in by another "
        "of them, faster than its referrer's own rhythm and everybody's growth explain. "
        "Misses accounts opened slowly, and those whose referrer stays unknown. A class, a "
        "sales team or a firm that joins within a week looks like it: who brought whom in is "
        "no evidence by itself."
    )

    def pairs(self, facts: Facts) -> nw.LazyFrame[pl.LazyFrame]:
        """Referrers with those they brought in, and these in a chain by time; the strength is
        in millibits already: rarity of so few children, at most `MOST_BARE_BITS`, and haste
        by rank among all referrals."""
        kin = facts.once("kin", lambda: Kin.kept(facts))
        weight = _bare_bits(kin.children, facts.accounts) + _rank_bits(kin.haste)
        few = kin.children <= MOST_CHILDREN
        next_too = few[:-1] & (kin.parent[:-1] == kin.parent[1:])
        a, b = kin.ends
        one, other = kin.child[:-1][next_too], kin.child[1:][next_too]
        chain = np.minimum(weight[:-1], weight[1:])[next_too]
        strength = np.rint(1000 * np.concatenate([weight[few], chain])).astype(np.int32)
        frame = pl.LazyFrame(
            {
                "a": np.concatenate([a[few], np.minimum(one, other)]),
                "b": np.concatenate([b[few], np.maximum(one, other)]),
                "strength": strength,
            }
        )
        said = frame.filter(pl.col("strength") > 0)
        return nw.from_native(said.group_by("a", "b").agg(pl.col("strength").max()))

    def millibits(self, strengths: Ints, counts: npt.NDArray[np.int64], accounts: int) -> Ints:
        """The strengths are millibits already."""
        return strengths

    def layers(self, facts: Facts, a: Ints, b: Ints, millibits: Ints) -> list[Layer]:
        """Classes of haste, each given the referrals themselves, which are no evidence that a team
        is a group; and which contacts are between who brought in whom, given the contacts. The
        rest is no evidence, but holds a team together of which a part is idle."""
        kin = facts.once("kin", lambda: Kin.kept(facts))
        few = kin.children <= MOST_CHILDREN
        one, other = kin.ends
        deals = few & facts.contacts.include(one, other)

        def given_referrals(name: str, ties: npt.NDArray[np.bool_], least: float) -> Layer:
            rate = max(float(ties[few].mean()) if few.any() else 0.0, least)
            return Layer(
                f"referral:{name}",
                one[ties],
                other[ties],
                NOTHING,
                rates=np.array([rate]),
                given="referral",
            )

        return [
            _kin_layer(one[few], other[few], facts.accounts),
            *(
                given_referrals(str(rank), hasty & few, rank / 4)
                for rank, hasty in zip(HASTE_RANKS, kin.hasty(), strict=True)
            ),
            given_referrals("idle", few & ~deals, 1.0),
            Layer(
                "referral:paid",
                one[deals],
                other[deals],
                NOTHING,
                rates=facts.contacts.rates(one[deals], other[deals], often=False),
                usual_in_clubs=True,
            ),
        ]

    def reason(self, inside: Inside) -> Reason:
        """How many were brought in by members, and how fast."""
        rows = _inside(inside)
        brought = rows["referred"].n_unique()
        text = (
            f"{brought} of these {len(inside.members)} accounts were brought in by others of them"
        )
        times = rows["at"].drop_nulls().sort()
        if len(times) > 1:
            first, last = times[len(times) // 10], times[len(times) - 1 - len(times) // 10]
            text += f", most of them within {_days((last - first).total_seconds() / 86_400)}"
        soon = rows["after"].drop_nulls()
        if len(soon):
            middle = float(soon.quantile(0.5, "lower") or 0.0)
            text += (
                f"; half of those whose referrer's own referral is known followed it within "
                f"{_days(middle)}"
            )
        return Reason(text, rows["uid"].sort().head(MOST_CITED).to_list())

    def ties(self, inside: Inside, pairs: Sequence[tuple[int, int]]) -> list[str]:
        """Who brought in whom, or who brought in both."""
        rows = _inside(inside)
        direct = {
            (row["referrer"], row["referred"]): row["after"] for row in rows.iter_rows(named=True)
        }
        theirs: dict[int, set[int]] = {}
        for referrer, referred in inside.facts.select("referrer", "referred").iter_rows():
            theirs.setdefault(referred, set()).add(referrer)
        sentences = []
        for a, b in pairs:
            said = ""
            if (a, b) in direct or (b, a) in direct:
                one, other = (a, b) if (a, b) in direct else (b, a)
                said = f"{inside.name(one)} brought in {inside.name(other)}"
                after = direct[one, other]
                if after is not None:
                    said += f", {_days(after)} after it was brought in itself"
            elif theirs.get(a, set()) & theirs.get(b, set()) - {a, b}:
                said = f"{inside.name(a)} and {inside.name(b)} were brought in by the same account"
            sentences.append(said)
        return sentences


def _kin_layer(one: Ints, other: Ints, accounts: int) -> Layer:
    """Who brought in whom: no evidence, but in a team tells who is of it. Strangers have
    referrals by how many each has in all, as a parent and as a child."""
    ends = np.bincount(np.concatenate((one, other)), minlength=accounts).astype(np.float64)
    return Layer("referral", one, other, ends / np.sqrt(max(ends.sum(), 1.0)), for_extent=True)


def _bare_bits(children: npt.NDArray[np.int64], accounts: int) -> Floats:
    """log2(all pairs / pairs that referrers with as few children tie), as of a shared value:
    a referrer with k children ties all k + 1."""
    everyone = max(accounts * (accounts - 1) / 2, 1.0)
    sizes, place = np.unique(children, return_inverse=True)
    referrers = np.bincount(place, minlength=len(sizes)) / np.maximum(sizes, 1)
    tied = np.cumsum(referrers * sizes * (sizes + 1) / 2)
    bits: Floats = np.clip(np.log2(everyone / np.maximum(tied, 1.0)), 0.0, MOST_BARE_BITS)
    return bits[place]


def _rank_bits(haste: Floats) -> Floats:
    """log2(all referrals / referrals with at least this haste); 0 without any."""
    ordered = np.sort(haste)
    at_least = len(haste) - np.searchsorted(ordered, haste, side="left")
    bits: Floats = np.log2(len(haste) / np.maximum(at_least, 1))
    return np.where(haste >= LEAST_HASTE, bits, 0.0)


def _haste_of(parent: Ints, child: Ints, at: npt.NDArray[np.int64], accounts: int) -> Floats:
    """The haste of each referral, in bits. Rows by parent and time."""
    clock = np.sort(at)
    before = np.searchsorted(clock, at, side="left")
    until = np.searchsorted(clock, at, side="right")
    joined = np.full(accounts, len(at), np.int64)
    np.minimum.at(joined, child, until)
    joined[joined == len(at)] = -1  # never brought in, or last of all
    bits: Floats = _haste(parent, before, until, joined, len(at))
    return bits


@njit(cache=True, nogil=True)
def _haste(parent, before, until, joined, everyone):  # type: ignore[no-untyped-def]
    """`before`, `until`: referrals of the platform before each one, and up to it; `joined`:
    these up to an account's own, -1 where it is not known."""
    haste = np.zeros(len(parent), np.float64)
    begin = 0
    for row in range(1, len(parent) + 1):
        if row < len(parent) and parent[row] == parent[begin]:
            continue
        start = joined[parent[begin]]
        known = start >= 0 and start <= before[begin]
        if known and start < everyone:
            _since_joining(until, begin, row, start, everyone - start, haste)
        _between_children(before, until, begin, row, everyone - start if known else everyone, haste)
        begin = row
    return haste


@njit(cache=True, nogil=True)
def _since_joining(until, begin, end, start, span, haste):  # type: ignore[no-untyped-def]
    """The first children, as many as came sooner than the referrer's rhythm explains: how
    late among all who were there each one's referrer had come."""
    for row in range(begin, end):
        count = row - begin + 1
        by_rhythm = (end - begin) * (until[row] - start) / span
        if count > BEYOND_RHYTHM * by_rhythm:
            since = max(until[row] - start, 1)
            haste[row] = np.log2(max(until[row], 1) / since)


@njit(cache=True, nogil=True)
def _between_children(before, until, begin, end, span, haste):  # type: ignore[no-untyped-def]
    """Stretches over 2, 4, 8 … children and all; the first is where a stretch begins."""
    children = end - begin
    size = 2
    while size <= children:
        for first in range(begin, end - size + 1):
            part = (until[first + size - 1] - before[first]) / span
            bits = _bits(size - 1, children - 1, part) - np.log2(children)
            if bits > haste[first] * size or bits > haste[first + size - 1] * size:
                for row in range(first, first + size):
                    haste[row] = max(haste[row], bits / size)
        if size == children:
            return
        size = min(2 * size, children)


@njit(cache=True, nogil=True)
def _bits(count, of, part):  # type: ignore[no-untyped-def]
    """-log2 of the most that the odds are of `count` or more of `of` in a part of the time
    (Chernoff 1952)."""
    share = count / of
    if share <= part:
        return 0.0
    bits = share * np.log2(share / part)
    if share < 1:
        bits += (1 - share) * np.log2((1 - share) / (1 - part))
    return of * bits


def _inside(inside: Inside) -> pl.DataFrame:
    """Referrals among members, each once: referrer, referred, at, uid, and `after`: days since
    the referrer's own referral, where it is known and earlier."""
    members = pl.Series(inside.members).implode()
    known = inside.facts.filter(pl.col("referrer") != pl.col("referred"))
    rows = (
        known.filter(pl.col("referrer").is_in(members) & pl.col("referred").is_in(members))
        .sort("at", "uid", nulls_last=True)
        .unique(["referrer", "referred"], keep="first", maintain_order=True)
    )
    joined = known.group_by(referrer="referred").agg(joined=pl.col("at").min())
    days = (pl.col("at") - pl.col("joined")).dt.total_microseconds() / DAY
    return (
        rows.join(joined, on="referrer", how="left")
        .with_columns(after=pl.when(days >= 0).then(days))
        .sort("at", "referrer", "referred", nulls_last=True)
    )


def _days(days: float) -> str:
    if days < 1:
        return "a day"
    return f"{days:.0f} days" if round(days) > 1 else "a day"


DETECTOR = Referral()
