"""Reasons in words: collects the members' facts once for all findings, asks each family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl

from detectors.engine.evidence import Evidence
from detectors.engine.judge import Verdict
from detectors.family import Facts, Inside, Ints
from detectors.identifier import counting
from graph.schema import KINDS

KIND_OF_SOURCE = {
    "transfers": "transfers",
    "referrals": "referrals",
    "identifiers": "sightings",
    "purchases": "purchases",
    "links": "links",
}


class Words:
    """What families say about sets of accounts."""

    def __init__(self, evidence: Evidence, sets: Sequence[Ints]) -> None:
        """`sets`: every set that will be asked about (numbers, ascending)."""
        self._evidence = evidence
        everyone = np.unique(np.concatenate(sets)) if sets else np.empty(0, np.int32)
        self._facts = {
            source: _touching(evidence.facts, KIND_OF_SOURCE[source], everyone)
            for source in {pairs.family.source for pairs in evidence.families}
            if len(everyone)
        }

    def reasons(self, members: Ints, verdict: Verdict) -> list[dict[str, Any]]:
        """One reason for each family that speaks for the set, the weightiest first."""
        found = []
        for pairs in self._evidence.families:
            family = pairs.family
            bits = round(verdict.evidence_bits.get(family.name, 0.0), 3)
            if bits <= 0:
                continue
            reason = family.reason(self._inside(family.source, members))
            found.append(
                {
                    "family": family.name,
                    "source": family.source,
                    "bits": bits,
                    "text": reason.text,
                    "facts": reason.facts,
                }
            )
        return sorted(found, key=lambda reason: (-reason["bits"], reason["family"]))

    def member_reasons(self, members: Ints) -> list[list[str]]:
        """For each member, its strongest tie inside in the words of every family."""
        strongest = self.strongest_ties(members)
        said: list[list[str]] = [[] for _ in members]
        for pairs in self._evidence.families:
            sentences = pairs.family.ties(
                self._inside(pairs.family.source, members),
                [(int(members[place]), other) for place, other in strongest.items()],
            )
            for place, sentence in zip(strongest, sentences, strict=True):
                if sentence:
                    said[place].append(sentence)
        return said

    def strongest_ties(self, members: Ints) -> dict[int, int]:
        """For each member (its place) the member (number) it is tied to most strongly."""
        a, b, bits = self._evidence.inside(members)
        ends, others, weights = (
            np.concatenate((a, b)),
            np.concatenate((b, a)),
            np.concatenate((bits, bits)),
        )
        order = np.lexsort((others, -weights, ends))
        ends, others = ends[order], others[order]
        accounts, first = np.unique(ends, return_index=True)
        places = np.searchsorted(members, accounts)
        return dict(zip(places.tolist(), others[first].tolist(), strict=True))

    def pair(self, family_name: str, a: int, b: int) -> str:
        """What one family says of two accounts."""
        family = next(
            pairs.family for pairs in self._evidence.families if pairs.family.name == family_name
        )
        members = np.array(sorted((a, b)), np.int32)
        return family.ties(self._inside(family.source, members), [(a, b)])[0]

    def _inside(self, source: str, members: Ints) -> Inside:
        kind = KINDS[KIND_OF_SOURCE[source]]
        mine = pl.Series(members).implode()
        facts = self._facts[source].filter(
            pl.any_horizontal(pl.col(column).is_in(mine) for column in kind.accounts)
        )
        names = self._evidence.snapshot.accounts["account"].gather(members).to_list()
        return Inside(members, names, facts)


def _touching(facts: Facts, kind: str, members: Ints) -> pl.DataFrame:
    """The kind's facts that name any of the members, as collected rows; of sightings those
    that count."""
    if kind == "sightings":
        return pl.DataFrame(counting(facts, members).collect().to_native())
    frame: nw.LazyFrame[pl.LazyFrame] = getattr(facts, kind)
    mine = members.tolist()
    columns = KINDS[kind].accounts
    touching = frame.filter(
        nw.any_horizontal(*(nw.col(c).is_in(mine) for c in columns), ignore_nulls=True)
    )
    return pl.DataFrame(touching.collect().to_native())
