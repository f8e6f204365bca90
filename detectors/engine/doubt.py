"""Doubt: grades, and what speaks against a finding.

- *conclusive*: documented links alone carry the group over the line;
- *corroborated*: two sources of fact, each by itself tying a good part of it together by
  what no open innocent explanation would bring about;
- *indication*: one source, or a structure that cannot be told from an innocent one.

The explanations are files of their own in `detectors/doubts/`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import compress

import networkx as nx
import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.doubts import explanations
from detectors.doubts.case import Case, Doubt, Known
from detectors.doubts.household import households
from detectors.engine.judge import Ground, Verdict
from detectors.engine.limbs import line_units
from detectors.family import Floats, Ints
from detectors.settings import DetectionSettings
from graph.snapshot import Snapshot

HOUSEHOLD_COUNTS = 2.0
"""A part that shared identifiers tie counts at most so many times what it holds beside its
largest household: a household with a few others hanging on is no second source."""


@dataclass(frozen=True)
class Standing:
    """A judged set with what doubt looks at. Members in `places` order.

    `shares` are for words and for rules of thumb: their sums round. What decides about the
    line is compared in `units` of 10^-18: ten holders of 0.5 % each are at exactly 5 %.
    """

    ground: Ground
    places: Ints
    verdict: Verdict
    shares: Floats
    units: list[int]
    line: float
    needed: int
    """The least units at or over the line."""
    accounts: pl.DataFrame
    """Of the snapshot: all accounts."""

    @classmethod
    def of(
        cls, ground: Ground, places: Ints, verdict: Verdict, snapshot: Snapshot, line: Fraction
    ) -> Standing:
        """A set given by its places, on its snapshot."""
        holdings = snapshot.accounts["holdings"][ground.accounts[places]]
        return cls(
            ground,
            places,
            verdict,
            holdings.cast(float).to_numpy() / (float(snapshot.supply) or 1.0),
            holdings.to_physical().to_list(),
            float(line),
            line_units(line, snapshot.supply),
            snapshot.accounts,
        )

    @cached_property
    def names(self) -> list[str]:
        """The ids of the members."""
        names: list[str] = self.accounts["account"][self.members].to_list()
        return names

    @property
    def members(self) -> Ints:
        """The numbers of the members."""
        return self.ground.accounts[self.places]

    @cached_property
    def bits(self) -> Floats:
        """What each member brings to the set: the bits of its ties, less those of naming it."""
        candidates, gains, _ = self.ground.gains(self.places)
        bits: Floats = gains[np.searchsorted(candidates, self.places)]
        return bits

    @property
    def share(self) -> float:
        """The group's share."""
        return float(self.shares.sum())


def grade(standing: Standing, doubts: Sequence[Doubt], settings: DetectionSettings) -> str:
    """conclusive, corroborated or indication.

    What an open explanation would bring about corroborates nothing, and where it leaves too
    little for a finding, nothing does.
    """
    if documented(standing):
        return "conclusive"
    if any(doubt.leaves_bits < margin(standing, settings) for doubt in doubts):
        return "indication"
    explained = {family for doubt in doubts for family in doubt.explains}
    return "corroborated" if len(agreeing(standing, settings, explained)) > 1 else "indication"


def agreeing(
    standing: Standing, settings: DetectionSettings, explained: Collection[str] = ()
) -> frozenset[str]:
    """The sources of fact that tie a good part of a set together by themselves, by what is
    not explained away nor usual in any team: who pays whom it brought in."""
    by_source: dict[str, set[str]] = {}
    for family, source in standing.ground.sources.items():
        if family not in explained:
            by_source.setdefault(source, set()).add(family)
    return frozenset(
        source
        for source, families in by_source.items()
        if sum(_unusual_bits(standing.verdict, family) for family in sorted(families))
        >= settings.corroborating_bits
        and carried_share(standing, families) >= settings.corroborating_share * standing.share
    )


def _unusual_bits(verdict: Verdict, family: str) -> float:
    return verdict.evidence_bits[family] - verdict.usual_bits.get(family, 0.0)


def carried_share(standing: Standing, families: set[str]) -> float:
    """The largest share that these families' ties alone hold together. Of what shared
    identifiers tie, the largest household must not be nearly all."""
    share = dict(zip(standing.places.tolist(), standing.shares.tolist(), strict=True))
    by_values = {standing.ground.sources[family] for family in families} == {"identifiers"}
    graph = _graph(standing, families)
    most = 0.0
    for part in nx.connected_components(graph):
        held = _held(part, share)
        if by_values:
            blocks = nx.biconnected_components(graph.subgraph(part))
            largest = max((_held(block, share) for block in households(blocks, share)), default=0.0)
            held = min(held, HOUSEHOLD_COUNTS * (held - largest))
        most = max(most, held)
    return most


def _held(places: Iterable[int], share: Mapping[int, float]) -> float:
    return sum(sorted(share[place] for place in places))


def documented(standing: Standing) -> bool:
    """Whether declared links alone hold a part over the line together."""
    units = dict(zip(standing.places.tolist(), standing.units, strict=True))
    return any(
        sum(units[place] for place in part) >= standing.needed
        for part in nx.connected_components(_graph(standing, {"links"}))
    )


def _graph(standing: Standing, families: set[str]) -> nx.Graph[int]:
    """These families' ties among members, by places."""
    ground = standing.ground
    a, b, layers = ground.ties(standing.places)
    theirs = np.array([family in families for family in ground.families], np.bool_)[layers]
    return nx.Graph(zip(a[theirs].tolist(), b[theirs].tolist(), strict=True))


def doubts(
    standing: Standing, settings: DetectionSettings, known: Known | None = None
) -> list[Doubt]:
    """Every doubt that these facts leave open, what explains the finding away first.

    `known`: the facts that touch this finding and others, to collect them once for all.
    Documents need no explanation: of a documented group only its extent is doubted.
    """
    case = case_of(standing, settings, known or known_of([standing]))
    on_paper = documented(standing)
    found = []
    for explanation in explanations():
        doubt = None if on_paper and explanation.explains else explanation.ask(case)
        if doubt is not None:
            enough = doubt.leaves_bits < case.needed_bits
            found.append((not enough, explanation.likeness, doubt.leaves_bits, doubt))
    return [doubt for *_, doubt in sorted(found, key=lambda one: (*one[:3], one[3].explanation))]


def known_of(standings: Sequence[Standing]) -> Known:
    """The facts that touch any of some findings (one at least), collected once."""
    members = np.unique(np.concatenate([standing.members for standing in standings]))
    return Known.of(standings[0].ground.facts, members, standings[0].accounts)


def case_of(standing: Standing, settings: DetectionSettings, known: Known) -> Case:
    """A finding as explanations see it."""
    ground = standing.ground
    a, b, kinds = ground.ties(standing.places)
    families = np.array(ground.families)[kinds]
    one = np.searchsorted(standing.places, a).astype(np.int32)
    other = np.searchsorted(standing.places, b).astype(np.int32)
    return Case(
        known=known,
        members=standing.members,
        names=standing.names,
        shares=standing.shares,
        units=standing.units,
        weakly_tied=~named(standing, settings),
        needed_units=standing.needed,
        line=standing.line,
        bits=standing.verdict.evidence_bits,
        sources=ground.sources,
        agreeing=agreeing(standing, settings),
        beyond_club_bits=standing.verdict.beyond_club_bits,
        needed_bits=margin(standing, settings),
        ties={
            name: (one[families == name], other[families == name])
            for name in sorted(set(ground.families))
        },
    )


def named(standing: Standing, settings: DetectionSettings) -> npt.NDArray[np.bool_]:
    """Of each member, whether an order may name it: its ties say so many bits more than naming
    it costs that hardly anyone of whom they say as much is an outsider."""
    return standing.bits >= settings.named_bits


def stands_alone(standing: Standing) -> bool:
    """Whether those members hold the line whose ties say more than it takes to name them."""
    held = compress(standing.units, (standing.bits > 0).tolist())
    return sum(held) >= standing.needed


def margin(standing: Standing, settings: DetectionSettings) -> float:
    """The bits that a set of this size must save."""
    return settings.needed_bits(len(standing.places))


def reported(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether a set over the line is a finding. Documents need no statistics."""
    if documented(standing):
        return True
    enough = standing.verdict.strength_bits >= margin(standing, settings)
    return enough and not crowd(standing, settings) and together(standing, settings)


def may_be_reported(
    ground: Ground, places: Ints, verdict: Verdict, settings: DetectionSettings
) -> bool:
    """Whether a set can be a finding, whatever its members hold: with a document, or with bits
    enough."""
    on_paper = any(
        layer.fixed_bits is not None and verdict.ties[layer.name] for layer in ground.layers
    )
    return on_paper or verdict.strength_bits >= settings.needed_bits(len(places))


def together(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether the crossing is the group's, not that of one member just below the line.

    The others must bring a fair part of the line.
    """
    others = standing.share - float(standing.shares.max())
    return others >= settings.others_bring * standing.line


def crowd(standing: Standing, settings: DetectionSettings) -> bool:
    """Whether it is a loosely tied crowd: not exclusive, and too large for its ties.

    In a set of k members with d contacts each inside, two members have about d^2 / k common
    counterparties inside. Below a quarter they are strangers to each other's circles: a
    region, a market, a fashion, however far its density is above chance.
    """
    if documented(standing) or standing.verdict.beyond_club_bits >= margin(standing, settings):
        return False
    k = len(standing.places)
    degree = (
        2
        * sum(
            standing.verdict.ties[layer.name] for layer in standing.ground.layers if layer.contacts
        )
        / k
    )
    return degree**2 < k / 4
