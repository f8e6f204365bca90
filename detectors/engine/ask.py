"""Questions after a detection: why two accounts, and what if a group had other members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from detectors.contacts import MOST_CONTACTS
from detectors.engine.doubt import Standing, doubts, grade, margin, reported
from detectors.engine.evidence import Evidence, gather
from detectors.engine.forest import Forest, component_labels, find, spanning_forest
from detectors.engine.judge import Ground
from detectors.engine.nothing import absent
from detectors.engine.request import Request
from detectors.engine.result import doubt_json
from detectors.engine.words import Words, against, because
from detectors.family import INSTITUTIONS, Ints
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
        return cls(request, gather(taken, request.families, weights=request.settings.weights))


def why(
    inquiry: Inquiry, one: str, other: str, groups: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The evidence between two accounts, and where they merge, or why they do not.

    `groups`: those that a run found, to say who of the two is in which.
    """
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
    fused = evidence.millibits[(evidence.a == a) & (evidence.b == b)]
    answer = {
        "accounts": names,
        "unrelated": (a, b) in evidence.unrelated,
        "apart": [said for number in (a, b) if (said := _joins_nobody(evidence, number))],
        "direct": direct,
        "direct_bits": round(sum(tie["bits"] for tie in direct), 3),
        "fused_bits": int(fused[0]) / 1000 if len(fused) else 0.0,
        "merge": None if level < 0 else _merge(evidence, forest, a, int(level), int(size)),
        "usual_bits": _usual(evidence),
        "groups": [_groups_of(name, groups) for name in names],
    }
    conclusion = _conclusion(answer)
    if answer["merge"] is None and not answer["unrelated"] and not answer["apart"]:
        conclusion = " ".join([conclusion, *absent(evidence)])
    if answer["direct"] and not taken.supply:
        conclusion += " Nobody holds anything in these facts: there is no base to take shares of."
    return {**answer, "conclusion": conclusion}


def _joins_nobody(evidence: Evidence, number: int) -> dict[str, Any] | None:
    """Why an account's dealings join nobody: its role, that it does not count in the base, or
    that it deals with too many. None where they do."""
    account = evidence.snapshot.accounts.row(number, named=True)
    if account["role"] in INSTITUTIONS:
        return {"account": account["account"], "as": account["role"]}
    if account["excluded"]:
        return {"account": account["account"], "as": "excluded from the base"}
    if not evidence.facts.contacts.degree[number] and _counterparties(evidence, number) > (
        MOST_CONTACTS
    ):
        return {"account": account["account"], "as": f"over {MOST_CONTACTS:,} counterparties"}
    return None


def _counterparties(evidence: Evidence, number: int) -> int:
    sent, received = pl.col("src") == number, pl.col("dst") == number
    other = pl.when(sent).then("dst").otherwise("src")
    rows = evidence.facts.transfers.to_native().filter(sent | received)
    return int(rows.select(other.n_unique()).collect().item())


def _groups_of(name: str, groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of the groups that an account is in."""
    return [
        group["id"]
        for group in groups
        if len(group["members"]) > 1
        and any(member["account"] == name for member in group["members"])
    ]


def _conclusion(answer: Mapping[str, Any]) -> str:
    """Whether two accounts belong together by these facts, in one sentence."""
    one, other = answer["accounts"]
    first, second = answer["groups"]
    together = [group for group in first if group in second]
    merge, usual = answer["merge"], answer["usual_bits"]
    if together:
        return f"Both are members of group {together[0]}."
    if first and second:
        return (
            f"{one} is in group {first[0]} and {other} in group {second[0]}: two wills, as far "
            "as these facts show, since apart they explain them better than together."
        )
    if answer["unrelated"]:
        return f"{one} and {other} were declared unrelated: no evidence joins this pair."
    if answer["apart"]:
        named = " and ".join(f"{one['account']} ({one['as']})" for one in answer["apart"])
        return f"They are not joined: what {named} does with its many counterparties joins nobody."
    if merge is None:
        return "They are not joined: no evidence leads from one to the other."
    if not answer["direct"] and merge["bits"] <= usual:
        return (
            "They are not joined: nothing ties them directly, and through others only ties "
            "that chance brings about."
        )
    if answer["direct"] and answer["fused_bits"] <= usual:
        return (
            f"They are not joined: a tie of {answer['fused_bits']:.1f} bits is no more than "
            f"chance brings about in so many accounts (up to {usual:.1f} bits)."
        )
    alone = one if not first else other
    where = (
        f"{alone} is in no group that was found"
        if first or second
        else "they are in no group that was found"
    )
    if not answer["direct"]:
        return (
            "They are not joined: nothing ties them directly, only a chain of ties through others "
            f"does, and {where}."
        )
    return (
        f"There is evidence between them, but {where}: a tie is not a group, which must hold a "
        "line together and be explained better by one will than by strangers."
    )


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


@njit(cache=True, nogil=True)
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
    """Share, strength, reasons, doubts and grade of any set of accounts (ids as stored)."""
    evidence = inquiry.evidence
    settings = inquiry.request.settings
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
    open_doubts = doubts(standing, settings) if len(members) > 1 else []
    reasons = Words(evidence, [members]).reasons(members, verdict)
    graded = grade(standing, open_doubts, settings)
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
        "needed_bits": margin(standing, settings),
        "reported": bool(share >= line and reported(standing, settings)),
        "grade": graded,
        "because": because(len(members), reasons),
        "against": against(reasons, open_doubts, graded),
        "reasons": reasons,
        "doubts": [doubt_json(doubt) for doubt in open_doubts],
    }
