"""The project's second method: propose, then judge.

Sets are proposed by Leiden, tier by tier and layer by layer, and by crossings of merge trees;
each is refined to who belongs to it, and judged against a null with tiers of wealth and
communities: bits of all evidence less innocent rivals, less what naming the members costs.

Where its description is silent: the layers that propose are contacts, repeated ties, relays,
identifiers, waves, the sum of all, and exclusivity; a tie weighs -log2 of its chance (in
exclusivity, of the pairs as exclusive). Leiden asks all accounts only in the sparse layers;
crossings, everywhere, and among the richest 12 and 4 %. Whoever a set has ties with is asked
whether he belongs to it. A household is the accounts at one IP with 3 to 8 holders. A set is no
more than a hundredth of all accounts, or 150: a class of people is no group. It is cut by Leiden
within, and gives way where the pieces, by the null without all of it, score more together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log, log2
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl

from inconcert.bench.accuracy.scoring import Found
from inconcert.bench.accuracy.town import LINE
from inconcert.bench.peers import Floats, Ints, Links, Material, Setting
from inconcert.bench.peers.graphs import communities, igraph_missing
from inconcert.bench.peers.layers import (
    CONTACT,
    EXCLUSIVE,
    IDENTIFIER,
    KINDS,
    OFTEN,
    POOR,
    RELAYS,
    TIES,
    WAVE,
    Layers,
)
from inconcert.bench.peers.merge_tree import _grow
from inconcert.bench.peers.set_bits import SetBits

MOST_OF_ONE = LINE / 5
FEWEST_EFFECTIVE, FEWEST, MOST_PART, MANY = 6.0, 6, 0.01, 150
HOUSEHOLD = (3, 8)
RESOLUTIONS = (1.0, 3.0, 10.0, 30.0)
KEPT = (0.4, 0.7, 1.0, 1.2)
SPLITS = (0.5, 1.0, 2.0)
STRICT = (1.0, 0.3)
"""By how much less than its own cost an account may add to a set."""

ROUNDS, MOST_BITS, MOST_RATIO = 6, 24.0, 1024.0
REFINING = (*TIES, *RELAYS, IDENTIFIER, WAVE)
MOST_OVERLAP = 0.3


@dataclass(frozen=True)
class Judged:
    """A set over the line, and its bits less rivals and cost."""

    members: Ints
    score: float

    @property
    def worth(self) -> float:
        """What decides between overlapping sets."""
        return self.score - len(self.members)


class ProposeAndJudge:
    """Proposals, a null, description length."""

    name = "propose and judge"
    help = (
        "The project's second method: communities and crossings by tier and layer, judged by "
        "description length."
    )

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Material, list[Judged]] = WeakKeyDictionary()

    def settings(self) -> Sequence[Setting]:
        """By the bits wanted in all and of each member."""
        margins = ((0.0, 0.0), (20.0, 0.5), (30.0, 1.0), (60.0, 3.0))
        return [{"bits": bits, "a member": each} for bits, each in margins]

    def find(self, material: Material, setting: Setting) -> list[Found]:
        """Sets over the line that are worth their names, none that overlaps a better."""
        wanted, each = float(setting["bits"]), float(setting["a member"])
        enough = [
            one
            for one in self._judged(material)
            if one.score >= max(wanted, each * len(one.members), 1e-9)
        ]
        return [
            Found(
                frozenset(one.members.tolist()),
                one.score,
                "indication",
                float(material.shares[one.members].sum()),
            )
            for one in chosen(enough)
        ]

    def missing(self) -> str | None:
        """igraph, a development extra."""
        return igraph_missing()

    def _judged(self, material: Material) -> list[Judged]:
        """Every proposal over the line, judged: the margin comes later."""
        if material not in self._known:
            self._known[material] = judged(material) if len(material.transfers) else []
        return self._known[material]


PEER = ProposeAndJudge()


def judged(material: Material) -> list[Judged]:
    """Proposals and what they are refined to, that hold the line: judged. A set whose pieces
    score more together gives way to them."""
    layers = Layers(material)
    judge, holders = SetBits(layers), Holders(material)
    everything = _graph(layers, judge, REFINING)
    waiting, known, whole = distinct(proposals(layers, judge)), set[bytes](), []
    while waiting:
        sets = distinct(one for start in waiting for one in _candidates(judge, holders, start))
        waiting = []
        for one in sets:
            if one.tobytes() in known:
                continue
            known.add(one.tobytes())
            score = judge.score(one)
            pieces = _split(judge, everything, one) if score > 0 else []
            if sum(piece.worth for piece in pieces) > score - len(one):
                waiting += [piece.members for piece in pieces]
            elif score > 0:
                whole.append(Judged(one, score))
    return whole


def _candidates(judge: SetBits, holders: Holders, start: Ints) -> Iterator[Ints]:
    """A proposal and what it is refined to, where they hold the line."""
    for one in (start, *(refined(judge, holders, start, strict) for strict in STRICT)):
        if holders.right_size(one) and holders.over_the_line(one):
            yield one


def _split(judge: SetBits, links: Links, members: Ints) -> list[Judged]:
    """The best pieces of a set that are worth something each, by communities within it."""
    best: list[Judged] = []
    is_member = np.zeros(judge.accounts, np.bool_)
    is_member[members] = True
    within = links.only(is_member[links.a] & is_member[links.b])
    for resolution in SPLITS:
        parts = communities(judge.layers.material, within, "leiden", resolution)
        pieces = [Judged(one, judge.score(one, members)) for one in parts if len(one) >= FEWEST]
        pieces = [one for one in pieces if one.worth > 0 and len(one.members) < len(members)]
        best = max(best, pieces, key=lambda some: sum(one.worth for one in some))
    return best


class Holders:
    """Who holds what: a household is one holder."""

    def __init__(self, material: Material) -> None:
        self.shares = material.shares
        least, most = HOUSEHOLD
        homes = (
            material.seen.filter(pl.col("kind") == "ip")
            .with_columns(holders=pl.len().over("value"))
            .filter(pl.col("holders").is_between(least, most))
            .sort("account", "holders", "value")
            .unique("account", keep="first", maintain_order=True)
        )
        self.home = -1 - np.arange(material.accounts)
        self.home[homes["account"].to_numpy()] = homes["value"].to_numpy()

    def over_the_line(self, members: Ints) -> bool:
        """Whether enough holders hold the line, none of them much of it."""
        _, home = np.unique(self.home[members], return_inverse=True)
        held = np.bincount(home, self.shares[members])
        effective = held.sum() ** 2 / max(float((held**2).sum()), 1e-300)
        whole = float(np.minimum(held, MOST_OF_ONE).sum())
        return bool(whole >= LINE and effective >= FEWEST_EFFECTIVE)

    def may_grow(self, members: Ints) -> bool:
        """Whether a proposal is near enough to the line to be refined."""
        held = np.minimum(self.shares[members], MOST_OF_ONE).sum()
        return self.right_size(members) and bool(held >= LINE / 2)

    def right_size(self, members: Ints) -> bool:
        """Whether a set is neither a handful nor a whole class of people."""
        return FEWEST <= len(members) <= max(MANY, MOST_PART * len(self.shares))


def distinct(sets: Iterable[Ints]) -> list[Ints]:
    """Each set once."""
    return list({one.tobytes(): one for one in sets}.values())


def proposals(layers: Layers, judge: SetBits) -> Iterator[Ints]:
    """Communities and crossings, near the line or over it."""
    holders = Holders(layers.material)
    for sparse, links in _graphs(layers, judge):
        for tier in range(POOR + 1):
            rich = layers.tier <= tier
            some = links.only(rich[links.a] & rich[links.b])
            if not len(some.a) or (tier == POOR and not sparse):
                continue
            for resolution in RESOLUTIONS:
                parts = communities(layers.material, some, "leiden", resolution)
                yield from (part for part in parts if holders.may_grow(part))
        for tier in (POOR - 2, POOR - 1, POOR):
            rich = layers.tier <= tier
            some = links.only(rich[links.a] & rich[links.b])
            for kept in KEPT:
                parts = crossings(layers.material, some, kept)
                yield from (part for part in parts if holders.may_grow(part))


def crossings(material: Material, links: Links, kept: float) -> list[Ints]:
    """Components at their crossing, and what they take afterwards, the strongest pairs first."""
    order = np.lexsort((links.b, links.a, -links.moved))
    held = np.minimum(material.shares, MOST_OF_ONE)
    a, b, x = links.a[order], links.b[order], links.moved[order]
    labels, crossed = _grow(a, b, x, held, LINE, kept)
    return material.parts(np.where(crossed[labels], labels, -1))


def _graphs(layers: Layers, judge: SetBits) -> Iterator[tuple[bool, Links]]:
    """Pairs with bits as weights (`moved`; `count` in sixteenths), layer by layer; whether the
    layer is a sparse one."""
    for sparse, kinds in (
        (False, (CONTACT,)),
        (False, (OFTEN, EXCLUSIVE)),
        (True, RELAYS),
        (True, (IDENTIFIER,)),
        (True, (WAVE,)),
        (False, REFINING),
    ):
        yield sparse, _graph(layers, judge, kinds)
    links = layers.links
    weakest_first = np.sort(layers.exclusive)
    as_strong = len(links.a) - np.searchsorted(weakest_first, layers.exclusive)
    yield False, _summed(links.a, links.b, log2(len(links.a) + 1) - np.log2(as_strong))


def _graph(layers: Layers, judge: SetBits, kinds: Sequence[int]) -> Links:
    """Pairs by the bits of their ties of some kinds."""
    pairs = layers.pairs.filter(pl.col("kind").is_in(kinds))
    a, b, kind = (pairs[name].to_numpy() for name in ("a", "b", "kind"))
    chance = np.maximum(judge.pair_chance(a, b, kind), 1e-30)
    return _summed(a, b, np.clip(-np.log2(chance), 0.0, MOST_BITS))


def _summed(a: Ints, b: Ints, bits: Floats) -> Links:
    """The bits of each pair together."""
    frame = pl.DataFrame({"a": a, "b": b, "bits": bits}).group_by("a", "b")
    summed = frame.agg(pl.col("bits").sum()).filter(pl.col("bits") > 0).sort("a", "b")
    weight = summed["bits"].to_numpy()
    sixteenths = np.maximum(np.rint(16 * weight), 1).astype(np.int64)
    return Links(summed["a"].to_numpy(), summed["b"].to_numpy(), sixteenths, weight)


def refined(judge: SetBits, holders: Holders, members: Ints, strict: float) -> Ints:
    """All whose ties with a set say that they are of it, again and again: by kind, ties count
    as many times likelier as those inside are."""
    for _ in range(ROUNDS):
        if not holders.right_size(members):
            break
        inside = judge.inside(members)
        ratio = np.clip((inside.seen + 0.5) / (inside.expected + 0.5), 1.0, MOST_RATIO)
        ratio[[kind for kind in range(KINDS) if kind not in REFINING]] = 1.0
        pool = judge.pool(members)
        needed = strict * log2(max(pool / len(members) - 1, 1.0))
        others, toward = judge.contacts(members)
        said = np.log2(ratio) @ toward
        others, said = others[said > needed], said[said > needed]
        against = (ratio - 1) @ judge.expected(others, members, inside) / log(2)
        better = others[said - against > needed]
        if np.array_equal(better, members):
            break
        members = better
    return members


def chosen(sets: Sequence[Judged]) -> list[Judged]:
    """The best first, none that overlaps a better; pieces that score more together stay."""
    ordered = sorted(sets, key=lambda one: (-one.worth, one.members.tolist()))
    kept: list[tuple[frozenset[int], Judged]] = []
    for one in ordered:
        members = frozenset(one.members.tolist())
        if not any(_overlap(members, other) for other, _ in kept):
            kept.append((members, one))
    return [one for _, one in kept]


def _overlap(one: frozenset[int], other: frozenset[int]) -> bool:
    return len(one & other) > MOST_OVERLAP * min(len(one), len(other))
