"""Reasons in words: collects the members' facts once for all findings, asks each family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from detectors.doubts.case import Doubt
from detectors.engine.evidence import Evidence, FamilyPairs
from detectors.engine.judge import Verdict
from detectors.family import Facts, Family, Inside, Ints
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
        by_frame = {_frame_of(pairs.family): pairs.family for pairs in evidence.families}
        self._facts = {
            frame: _touching(evidence.facts, family, everyone)
            for frame, family in by_frame.items()
            if len(everyone)
        }
        self._weights = {
            pairs.family.name: _among(pairs, everyone, evidence.accounts)
            for pairs in evidence.families
        }

    def reasons(self, members: Ints, verdict: Verdict) -> list[dict[str, Any]]:
        """One reason for each family that speaks for the set, the weightiest first."""
        found = []
        for pairs in self._evidence.families:
            family = pairs.family
            bits = round(verdict.evidence_bits.get(family.name, 0.0), 3)
            if bits <= 0:
                continue
            reason = family.reason(self._inside(family, members, verdict))
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
        """For each member, its strongest tie inside in the words of every family, that family
        first which says most of it."""
        strongest = self.strongest_ties(members)
        pairs = [(int(members[place]), other) for place, other in strongest.items()]
        said: list[list[tuple[int, str]]] = [[] for _ in members]
        for family in (one.family for one in self._evidence.families):
            sentences = family.ties(self._inside(family, members), pairs)
            bits = self._bits(family, pairs)
            for place, weight, sentence in zip(strongest, bits, sentences, strict=True):
                if sentence:
                    said[place].append((-weight, sentence))
        return [
            [sentence for _, sentence in sorted(one, key=lambda entry: entry[0])] for one in said
        ]

    def _bits(self, family: Family, pairs: Sequence[tuple[int, int]]) -> list[int]:
        """What a family says of some pairs, in millibits; 0 where it says nothing."""
        weights = self._weights[family.name]
        return [weights.get((min(pair), max(pair)), 0) for pair in pairs]

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
        """What one family says of two accounts; of what it sees in many only, what that is."""
        family = next(
            pairs.family for pairs in self._evidence.families if pairs.family.name == family_name
        )
        members = np.array(sorted((a, b)), np.int32)
        said = family.ties(self._inside(family, members), [(a, b)])[0]
        looks_for = _first_sentence(family.help).removeprefix("Looks for ")
        return said or f"with others they are like what it looks for: {looks_for}"

    def _inside(self, family: Family, members: Ints, verdict: Verdict | None = None) -> Inside:
        kind = KINDS[KIND_OF_SOURCE[family.source]]
        mine = pl.Series(members).implode()
        facts = self._facts[_frame_of(family)].filter(
            pl.any_horizontal(pl.col(column).is_in(mine) for column in kind.accounts)
        )
        ours = self._evidence.snapshot.accounts.select("account", "holdings")[members]
        names, holdings = ours["account"].to_list(), ours["holdings"].to_list()
        return Inside(members, names, facts, verdict.expected if verdict else {}, holdings)


WORTH_A_WORD = 20.0
"""Bits from which a second reason is named in the one sentence for a finding."""


def because(members: int, reasons: Sequence[dict[str, Any]]) -> str:
    """Why a set belongs together, in one sentence: its weightiest reason, and the weightiest
    of another sort of fact, or else of another family."""
    if not reasons:
        return f"Nothing in these facts says that these {members} accounts belong together."
    first = reasons[0]
    others = [reason for reason in reasons[1:] if reason["bits"] >= WORTH_A_WORD]
    others.sort(key=lambda reason: reason["source"] == first["source"])
    said = [_first_sentence(reason["text"]) for reason in [first, *others[:1]]]
    return f"They act as one: {'; and '.join(said)}."


def against(reasons: Sequence[dict[str, Any]], doubts: Sequence[Doubt], grade: str) -> str:
    """What speaks most against a finding, in one sentence."""
    if doubts:
        return _first_sentence(doubts[0].text) + "."
    if grade == "indication" and reasons:
        return (
            f"One sort of fact alone ties them together ({reasons[0]['source']}): no other bears "
            "it out."
        )
    return "No innocent explanation that these facts could show is open."


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].split("; ")[0].removesuffix(".")


def _among(pairs: FamilyPairs, members: Ints, accounts: int) -> dict[tuple[int, int], int]:
    """The millibits of a family's pairs with both ends among some accounts."""
    is_member = np.zeros(accounts, np.bool_)
    is_member[members] = True
    both = is_member[pairs.a] & is_member[pairs.b]
    ends = zip(pairs.a[both].tolist(), pairs.b[both].tolist(), strict=True)
    return dict(zip(ends, pairs.millibits[both].tolist(), strict=True))


def _frame_of(family: Family) -> str:
    """Which facts a family speaks of: those of its source, or what it names itself."""
    return str(getattr(family, "speaks_of", KIND_OF_SOURCE[family.source]))


def _touching(facts: Facts, family: Family, members: Ints) -> pl.DataFrame:
    """The family's facts that name any of the members, as collected rows; of sightings those
    that count."""
    name = _frame_of(family)
    if name == "sightings":
        return pl.DataFrame(counting(facts, members).collect().to_native())
    return facts.touching(name, members).collect()
