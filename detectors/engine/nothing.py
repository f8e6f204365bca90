"""Nothing was found: that, and why, in sentences for somebody who expected something.

Which of the possible causes it is follows from the facts, nearest to the eye first: nobody
holds anything, one account, no ties, one account with all, ties that reach no line, and
last what the judge said of the set that came nearest. No account is named but one that is
over the line by itself: a set that was not found is nobody's suspicion.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import polars as pl
from numba import njit

from detectors.engine.doubt import Standing, crowd, margin, together
from detectors.engine.evidence import Evidence
from detectors.engine.forest import Forest, find
from detectors.engine.proposers import most_members
from detectors.engine.request import Request
from detectors.engine.words import KIND_OF_SOURCE
from detectors.family import Floats
from detectors.settings import DetectionSettings
from graph import clock
from graph.amount import plain
from graph.snapshot import Snapshot

OFTEN_LOADED = ("transfers", "referrals", "sightings")
"""Facts whose absence is worth a word: links are rare."""

MOST_DECIMALS = 8


def nothing(evidence: Evidence, fused: Forest, nearest: Standing | None, request: Request) -> str:
    """Why a detection has no finding. `nearest`: of the judged sets at the lowest line the
    strongest one, where there is one."""
    taken = evidence.snapshot
    if not len(taken.accounts):
        return _no_facts(request)
    if not taken.supply:
        return _nobody_holds(taken, request)
    lines = ", ".join(f"{float(100 * line):.4g} %" for line in request.lines)
    who = "account alone" if request.whale and not request.families else "group"
    said = [
        f"No {who} was found at or over the line ({lines} of all) among "
        f"{_counted(len(taken.accounts))}."
    ]
    line = min(request.lines)
    if request.families:
        said.append(_why(evidence, fused, nearest, line, request.settings))
        said += absent(evidence)
    else:
        said.append(f"The largest holds {_percent(_largest(taken), line)}.")
    return " ".join(said)


def _no_facts(request: Request) -> str:
    if request.as_of is not None:
        return f"The store holds no facts up to {clock.iso(request.as_of)}."
    return "The store holds no facts: load some first."


def _nobody_holds(taken: Snapshot, request: Request) -> str:
    """The base is nothing: because nothing is stated, or because all that is stated is 0."""
    until = "" if request.as_of is None else f" up to {clock.iso(request.as_of)}"
    if taken.base_rule == "replayed":
        return (
            f"Nobody holds anything{until} by the transfers alone, from which this store takes "
            "holdings: there is no base to take shares of."
        )
    if len(taken.facts("holdings").head(1).collect()):
        return f"All holdings that count are 0{until}: there is no base to take shares of."
    return f"Nobody holds anything{until}, so there is no share to measure: load holdings first."


def _why(
    evidence: Evidence,
    fused: Forest,
    nearest: Standing | None,
    line: Fraction,
    settings: DetectionSettings,
) -> str:
    """The first cause that holds."""
    taken = evidence.snapshot
    share = Fraction(taken.counted) / Fraction(taken.supply)
    largest = _largest(taken)
    if len(taken.accounts) == 1:
        return "One account is no group: a group takes two or more."
    if share < line:
        return (
            f"All accounts together hold {_percent(share, line)} of the supply of "
            f"{plain(taken.supply)}: no group can reach the line."
        )
    if not len(fused):
        return "No fact ties any two accounts to each other."
    if share - largest < Fraction(settings.others_bring) * line:
        name = taken.accounts["account"][int(taken.accounts["holdings"].arg_max() or 0)]
        return (
            f"{name} alone holds {_percent(largest, line)}, all others together "
            f"{_percent(share - largest, line)}: such a crossing is no group's (`inconcert detect "
            "whale` names accounts over the line)."
        )
    return _reach(evidence, fused, line) or _short_of(nearest, settings)


def _reach(evidence: Evidence, fused: Forest, line: Fraction) -> str | None:
    """That ties join no set that holds the line, at all or before it is a crowd."""
    taken = evidence.snapshot
    held = taken.accounts["holdings"].cast(pl.Float64).to_numpy()
    shares = held / float(taken.supply)
    share, size = richest(fused, shares, len(shares))
    if share < line:
        return (
            f"The most that evidence joins at all is {_counted(size)} with "
            f"{_percent(share, line)}: below the line."
        )
    most = most_members(len(shares))
    share, size = richest(fused, shares, most)
    if not size:
        return (
            f"The strongest ties there are join more than {most:,} accounts at once, a crowd: "
            "nothing sets some of them apart from the others."
        )
    if share < line:
        return (
            f"Joined by their ties, strongest first, {_counted(size)} with "
            f"{_percent(share, line)} come together, and none that hold more before a crowd of "
            f"more than {most:,}: the line is above that."
        )
    return None


def _short_of(nearest: Standing | None, settings: DetectionSettings) -> str:
    """What the strongest set that holds the line lacks."""
    if nearest is None:
        return "What ties such a share together is no more than chance brings about."
    verdict, needed = nearest.verdict, margin(nearest, settings)
    who = (
        f"The set that comes nearest ({_counted(len(nearest.places))} with "
        f"{_percent(nearest.share, nearest.line)})"
    )
    if verdict.strength_bits < needed:
        evidence = sum(verdict.evidence_bits.values())
        return (
            f"{who} is no more than chance brings about: its ties explain {evidence:.0f} bits "
            f"better than chance, picking it among all sets costs {verdict.cost_bits:.0f}, and "
            f"{needed:.0f} must remain."
        )
    if not together(nearest, settings):
        return f"{who} is one large account with others who hardly matter for the line."
    if crowd(nearest, settings):
        return (
            f"{who} is a crowd: its members deal with each other more than chance explains, but "
            "are strangers to each other's circles."
        )
    return f"{who} is left out for a stronger one that it overlaps."


def absent(evidence: Evidence) -> list[str]:
    """A sentence on the kinds of fact that there are none of, where the families asked for
    rest on them."""
    kinds = {KIND_OF_SOURCE[pairs.family.source] for pairs in evidence.families}
    missing = [
        f"no {kind}"
        for kind in OFTEN_LOADED
        if kind in kinds and not len(evidence.snapshot.facts(kind).head(1).collect())
    ]
    if not missing:
        return []
    *others, last = missing
    listed = f"{', '.join(others)} and {last}" if others else last
    return [f"There are {listed} among these facts."]


def richest(forest: Forest, shares: Floats, most: int) -> tuple[float, int]:
    """Of the sets of two to `most` accounts that come together as ties are added level by
    level, strongest first, the share and the size of the one that holds the most."""
    share, size = _richest(forest.a, forest.b, forest.millibits, shares, most)
    return max(float(share), 0.0), int(size)


@njit(cache=True, nogil=True)
def _richest(a, b, millibits, shares, most):  # type: ignore[no-untyped-def]
    parents = np.arange(len(shares), dtype=np.int32)
    sizes = np.ones(len(shares), np.int64)
    held = shares.copy()
    best, best_size = -1.0, 0
    begin = 0
    while begin < len(a):
        end = begin
        while end < len(a) and millibits[end] == millibits[begin]:
            one, other = find(parents, a[end]), find(parents, b[end])
            if sizes[one] < sizes[other]:
                one, other = other, one
            parents[other] = one
            sizes[one] += sizes[other]
            held[one] += held[other]
            end += 1
        for row in range(begin, end):  # the whole level merges at once
            root = find(parents, a[row])
            if sizes[root] <= most and held[root] > best:
                best, best_size = held[root], sizes[root]
        begin = end
    return best, best_size


def _largest(taken: Snapshot) -> Fraction:
    """The largest share of one account."""
    most = taken.accounts["holdings"].max()
    return Fraction(most if isinstance(most, Decimal) else 0) / Fraction(taken.supply)


def _percent(share: float | Fraction, line: float | Fraction) -> str:
    """As many decimals as tell a share from 0 and from the line."""
    text = "0"
    for decimals in range(2, MOST_DECIMALS):
        text = f"{float(100 * share):.{decimals}f}"
        if share == 0 or (float(text) and text != f"{float(100 * line):.{decimals}f}"):
            break
    return f"{text} %"


def _counted(accounts: int) -> str:
    return f"{accounts:,} account" + ("" if accounts == 1 else "s")
