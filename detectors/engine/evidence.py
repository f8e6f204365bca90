"""All families' evidence on one snapshot: weighed pairs, fused pairs, layers to judge by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import polars as pl

from detectors.family import Facts, Family, Ints, Layer, contact_layer
from detectors.kept import NOTHING_KEPT, Kept
from detectors.links import documented_bits, verdict_pairs
from graph.amount import summed
from graph.snapshot import Snapshot
from graph.threads import Threads

THREADS = 2
"""Families that look at once: more would need more memory."""


@dataclass(frozen=True)
class FamilyPairs:
    """One family's weighed pairs, a < b. Arrays of equal length."""

    family: Family
    a: Ints
    b: Ints
    millibits: Ints


@dataclass(frozen=True)
class Evidence:
    """What is known about who belongs together."""

    snapshot: Snapshot
    facts: Facts
    families: list[FamilyPairs]
    a: Ints
    b: Ints
    millibits: Ints
    """The fused pairs: bits summed over families, at most those of a documented tie."""
    layers: list[tuple[Family, Layer]]
    unrelated: frozenset[tuple[int, int]]
    """Pairs declared unrelated (numbers, ascending): no family speaks of them."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """What a bit of a family is worth to the judge, by its name; 1 where none is named."""

    @property
    def accounts(self) -> int:
        """How many accounts there are."""
        return self.facts.accounts

    def inside(self, members: Ints) -> tuple[Ints, Ints, Ints]:
        """The fused pairs with both ends among some accounts: a, b (numbers), millibits."""
        is_member = np.zeros(self.accounts, np.bool_)
        is_member[members] = True
        both = np.flatnonzero(is_member[self.a])
        both = both[is_member[self.b[both]]]
        return self.a[both], self.b[both], self.millibits[both]


def gather(
    snapshot: Snapshot,
    families: Sequence[Family],
    progress: Callable[[str], None] = lambda _: None,
    weights: Mapping[str, float] | None = None,
    kept: Kept = NOTHING_KEPT,
) -> Evidence:
    """Ask every family for its pairs, weigh them, fuse them, take the layers.

    `weights`: what a bit of a family is worth to the judge; `kept`: of earlier detections.
    Memory: about 40 bytes a pair.
    """
    facts = Facts.of(snapshot, kept)
    unrelated = verdict_pairs(facts, "unrelated").collect().to_native()
    names = pl.DataFrame(unrelated)

    def speak(family: Family) -> tuple[FamilyPairs, list[Layer]]:
        progress(f"evidence: {family.name}")
        pairs = _weigh(family, facts, names)
        return pairs, family.layers(facts, pairs.a, pairs.b, pairs.millibits)

    with closing(Threads(THREADS)) as threads:
        tasks = [threads.begin(partial(speak, family)) for family in families]
        spoken = [task.result() for task in tasks]
    facts.forget()
    progress("fusing")
    weighed = [pairs for pairs, _ in spoken]
    a, b, millibits = _fuse(weighed, facts.accounts)
    layers = [(pairs.family, layer) for pairs, its in spoken for layer in its]
    if not any(layer.contacts for _, layer in layers):
        given = [family for family, layer in layers if layer.rates is not None]
        layers += [(family, contact_layer(facts)) for family in given[:1]]
    apart = frozenset((int(one), int(other)) for one, other in pl.DataFrame(unrelated).iter_rows())
    return Evidence(snapshot, facts, weighed, a, b, millibits, layers, apart, weights or {})


def _weigh(family: Family, facts: Facts, unrelated: pl.DataFrame) -> FamilyPairs:
    frame = family.pairs(facts).to_native()
    if len(unrelated):
        frame = frame.join(unrelated.lazy(), on=["a", "b"], how="anti")
    pairs = summed(frame)
    a, b, strength = (pairs[name].to_numpy() for name in ("a", "b", "strength"))
    return FamilyPairs(family, a, b, _millibits(family, strength, facts.accounts))


def _millibits(family: Family, strength: Ints, accounts: int) -> Ints:
    """Weights through a table of the distinct strengths: these are few, the pairs many."""
    if len(strength) == 0:
        return np.empty(0, np.int32)
    lowest = int(strength.min())
    places = strength - lowest
    histogram = np.bincount(places)
    present = np.flatnonzero(histogram)
    table = np.zeros(len(histogram), np.int32)
    table[present] = family.millibits(
        (present + lowest).astype(np.int32), histogram[present], accounts
    )
    return table[places]


def _fuse(weighed: Sequence[FamilyPairs], accounts: int) -> tuple[Ints, Ints, Ints]:
    """The bits of each pair: the most of each source of fact, summed over sources. Families
    that rest on one source are cut from the same facts: their bits do not add up.

    The largest table is only probed, the others are joined first: they are small.
    """
    by_source: dict[str, list[pl.DataFrame]] = {}
    for pairs in weighed:
        if len(pairs.a):
            by_source.setdefault(pairs.family.source, []).append(
                pl.DataFrame({"a": pairs.a, "b": pairs.b, "millibits": pairs.millibits})
            )
    frames = sorted((_most(frames) for frames in by_source.values()), key=len)
    if not frames:
        return np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.int32)
    fused = frames.pop()
    if frames:
        others = pl.concat(frames).group_by("a", "b").agg(pl.col("millibits").sum())
        fused = _joined(fused, others, pl.sum_horizontal("millibits", "more"))
    most = round(1000 * documented_bits(accounts))
    capped = fused["millibits"].clip(upper_bound=most)
    return fused["a"].to_numpy(), fused["b"].to_numpy(), capped.cast(pl.Int32).to_numpy()


def _most(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """The most that any of some families says of each pair."""
    frames = sorted(frames, key=len)
    most = frames.pop()
    if frames:
        others = pl.concat(frames).group_by("a", "b").agg(pl.col("millibits").max())
        most = _joined(most, others, pl.max_horizontal("millibits", "more"))
    return most


def _joined(large: pl.DataFrame, small: pl.DataFrame, both: pl.Expr) -> pl.DataFrame:
    return (
        large.lazy()
        .join(small.lazy().rename({"millibits": "more"}), on=["a", "b"], how="full", coalesce=True)
        .select("a", "b", millibits=both)
        .collect()
    )
