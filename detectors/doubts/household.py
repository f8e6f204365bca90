"""Household or family firm: a few accounts behind one door."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import networkx as nx

from detectors.doubts.case import MARKS, Case, Doubt

MOST_MEMBERS = 8
"""Up to so many accounts a household or a family firm is the first thought."""

HANGERS_ON = 0.1
"""Who lives with its people and holds no more than this part of what it holds does not count."""

BESIDE_APART = 1 / 2
"""A household that shares nothing with others carries the group when these hold less than this
part of the line, …"""

BESIDE_HANGING = 1 / 3
"""… and one that hangs together with others by a single account, less than this part."""

EVERYTHING = (
    "clique",
    "flow",
    "funding",
    "funnel",
    "identifier",
    "lockstep",
    "onset",
    "provenance",
    "referral",
    "refund",
    "relay",
)


class Household:
    """A few accounts that share devices or addresses, and without which little is left."""

    name = "household"
    likeness = MARKS
    explains = EVERYTHING
    help = (
        "Relatives share devices, addresses and cards, bring each other in and pass money "
        "round: whatever speaks for one will, a family has it. So up to "
        f"{MOST_MEMBERS} accounts behind shared identifiers are never more than an indication, "
        "nor is a group in which hardly anybody else holds much. A larger family "
        "cannot be told from a group by these facts, nor can a family from a group of few."
    )

    def ask(self, case: Case) -> Doubt | None:
        """Open where shared identifiers join few accounts that carry the group."""
        if case.bits.get("identifier", 0.0) <= 0:
            return None
        block = self._carrying(case)
        if block is None:
            return None
        held = float(case.shares[block].sum())
        return case.doubt(
            self.name,
            f"{len(block)} of the {case.size} accounts share devices or addresses and hold "
            f"{held:.2%} of the {case.share:.2%}: they may be a household or a family firm.",
            "Names and addresses of the holders, and who pays for each account's purchases.",
            self.explains,
        )

    @staticmethod
    def _carrying(case: Case) -> list[int] | None:
        """The household (places) without which too little is left."""
        graph = case.graph(("identifier",))
        held_by = dict(enumerate(case.shares.tolist()))
        apart = households(nx.connected_components(graph), held_by)
        hanging = households(nx.biconnected_components(graph), held_by)
        for found, beside in ((apart, BESIDE_APART), (hanging, BESIDE_HANGING)):
            blocks = [(float(case.shares[block].sum()), block) for block in found]
            held, block = max(blocks, key=lambda one: (one[0], -one[1][0]), default=(0.0, [0]))
            left = case.share - held
            if held > 0 and (case.size <= MOST_MEMBERS or left < beside * case.line):
                return block
        return None


def households(parts: Iterable[set[int]], held: Mapping[int, float]) -> list[list[int]]:
    """The parts that may be households, in a fixed order: few accounts, hangers-on aside.
    `held`: the share of each account."""
    return sorted(sorted(part) for part in parts if _few(sorted(held[one] for one in part)))


def _few(shares: list[float]) -> bool:
    """Whether all but MOST_MEMBERS, of shares ascending, are hangers-on."""
    return sum(shares[:-MOST_MEMBERS]) <= HANGERS_ON * sum(shares)


EXPLANATION = Household()
