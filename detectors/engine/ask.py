"""Questions after a detection: why two accounts, and what if a group had other members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numba import njit

from detectors.engine.doubt import Standing, doubts, grade, margin, reported
from detectors.engine.evidence import Evidence, gather
from detectors.engine.forest import Forest, component_labels, find, spanning_forest
from detectors.engine.judge import Ground
from detectors.engine.request import Request
from detectors.engine.words import Words
from detectors.family import Ints
from graph.amount import plain, total
from graph.errors import UserError
from graph.snapshot import snapshot
from graph.store import Store


@dataclass(frozen=True)
class Inquiry:
    """The evidence of a past or present request, rebuilt: the facts are still there."""

    request: Request
    evidence: Evidence

    @classmethod
    def open(cls, store: Store, request: Request) -> Inquiry:
        """Rebuild the evidence that a request rests on."""
        taken = snapshot(store, request.as_of, request.known_at)
        return cls(request, gather(taken, request.families))


def why(inquiry: Inquiry, one: str, other: str) -> dict[str, Any]:
    """The evidence between two accounts, and where they merge, or why they do not."""
    evidence = inquiry.evidence
    taken = evidence.snapshot
    a, b = sorted((taken.number_of(one), taken.number_of(other)))
    if a == b:
        raise UserError(f"'{one}' and '{other}' are the same account.")
    names = [str(taken.accounts["account"][number]) for number in (a, b)]
    words = Words(evidence, [np.array([a, b], np.int32)])
    direct: list[dict[str, Any]] = [
        {
            "family": pairs.family.name,
            "source": pairs.family.source,
            "bits": int(pairs.millibits[row]) / 1000,
            "text": words.pair(pairs.family.name, a, b),
        }
        for pairs in evidence.families
        for row in np.flatnonzero((pairs.a == a) & (pairs.b == b))
    ]
    forest = spanning_forest(evidence.accounts, evidence.a, evidence.b, evidence.millibits)
    level, size = _meet(evidence.accounts, forest.a, forest.b, forest.millibits, a, b)
    return {
        "accounts": names,
        "unrelated": (a, b) in evidence.unrelated,
        "direct": direct,
        "direct_bits": round(sum(tie["bits"] for tie in direct), 3),
        "merge": None if level < 0 else _merge(evidence, forest, a, int(level), int(size)),
        "usual_bits": _usual(evidence),
    }


def _merge(evidence: Evidence, forest: Forest, a: int, level: int, size: int) -> dict[str, Any]:
    kept = forest.millibits >= level
    members = _component(evidence.accounts, forest.a[kept], forest.b[kept], a)
    held = evidence.snapshot.accounts["holdings"].gather(members)
    supply = evidence.snapshot.supply
    share = Fraction(total(held.to_list())) / Fraction(supply) if supply else Fraction(0)
    return {"bits": level / 1000, "accounts": size, "share": float(share)}


def _usual(evidence: Evidence) -> float:
    """Bits of the pair that as many pairs beat as there are accounts: chance ties begin."""
    if len(evidence.millibits) <= evidence.accounts:
        return 0.0
    place = len(evidence.millibits) - evidence.accounts
    return float(np.partition(evidence.millibits, place)[place]) / 1000


def _component(accounts: int, a: Ints, b: Ints, account: int) -> Ints:
    labels = component_labels(accounts, a, b)
    return np.flatnonzero(labels == labels[account]).astype(np.int32)


@njit(cache=True)
def _meet(accounts, a, b, millibits, one, other):  # type: ignore[no-untyped-def]
    """The level at which two accounts come into one component, and its size then."""
    parents = np.arange(accounts, dtype=np.int32)
    sizes = np.ones(accounts, np.int32)
    level = -1
    for row in range(len(a)):
        if level >= 0 and millibits[row] != level:
            break  # the whole level merges at once
        left, right = find(parents, a[row]), find(parents, b[row])
        if sizes[left] < sizes[right]:
            left, right = right, left
        parents[right] = left
        sizes[left] += sizes[right]
        if level < 0 and find(parents, one) == find(parents, other):
            level = millibits[row]
    return level, sizes[find(parents, one)]


def what_if(inquiry: Inquiry, accounts: Sequence[str], line: Fraction) -> dict[str, Any]:
    """Share, strength, doubts and grade of any set of accounts (ids as stored)."""
    evidence = inquiry.evidence
    taken = evidence.snapshot
    members = np.array(sorted({taken.number_of(account) for account in accounts}), np.int32)
    if len(members) == 0:
        raise UserError("A group without members is none.")
    held = taken.accounts["holdings"].gather(members).to_list()
    whole = total(held)
    ground = Ground(evidence, members)
    places = ground.local(members)
    verdict = ground.verdict(places)
    standing = Standing.of(ground, places, verdict, taken, line)
    against = doubts(standing, inquiry.request.settings) if len(members) > 1 else []
    share = Fraction(whole) / Fraction(taken.supply) if taken.supply else Fraction(0)
    return {
        "accounts": len(members),
        "share": float(share),
        "holdings": plain(whole),
        "line": float(line),
        "over_line": share >= line,
        "evidence_bits": round(sum(verdict.evidence_bits.values()), 3),
        "cost_bits": round(verdict.cost_bits, 3),
        "strength_bits": round(verdict.strength_bits, 3),
        "needed_bits": margin(standing, inquiry.request.settings),
        "reported": bool(share >= line and reported(standing, inquiry.request.settings)),
        "grade": grade(standing, against, inquiry.request.settings),
        "doubts": [doubt.explanation for doubt in against],
    }
