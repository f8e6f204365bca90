"""What is kept of a detection: the result, and per group what later looks need.

Details of a group: `curve`, the merge curve of the crossing chart (points of falling
evidence strength: bits, share, accounts), `own_curve`, the same by ties inside alone,
`crosses_at_bits`, and `ties`, the strongest evidence inside as (account, account, bits).
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numba import njit

from detectors.engine.detect import Detection
from detectors.engine.forest import Forest, component_labels, find, spanning_forest
from detectors.engine.result import Finding, group_id
from detectors.family import Floats, Ints
from graph import clock
from graph.store import RunRecord, Store

MOST_POINTS = 400
MOST_TIES = 400

CURVE_ENDS_AT_SHARE = 0.5
"""The curve ends where half of everything has merged: beyond it is one crowd."""


def save(store: Store, detection: Detection) -> RunRecord:
    """Give the run an id (also in `detection.result`) and keep it in the store."""
    created = clock.now()
    run_id = f"r{created:%Y%m%d}-{secrets.token_hex(3)}"
    detection.result["run"]["id"] = run_id
    record = RunRecord(run_id, created, detection.result, details(detection))
    store.save_run(record)
    return record


def details(detection: Detection) -> dict[str, Any]:
    """What plots need of each group, by group id."""
    taken = detection.snapshot
    shares = taken.accounts["holdings"].cast(float).to_numpy() / (float(taken.supply) or 1.0)
    found = {}
    for finding in detection.findings:
        members = finding.judged.members
        begin = anchor(detection, finding, shares)
        found[group_id(finding.standing.names, finding.line, taken.as_of)] = {
            "curve": merge_curve(detection.fused, shares, begin),
            "own_curve": own_curve(detection, members, shares, begin),
            "crosses_at_bits": finding.level / 1000,
            "ties": _ties(detection, finding),
        }
    return found


def anchor(detection: Detection, finding: Finding, shares: Floats) -> int:
    """Where the curves begin: of the part that crosses, the heaviest piece before it
    crosses; of that, one end of its strongest tie."""
    members = finding.judged.members
    a, b, millibits = detection.evidence.inside(members)
    if not len(a):
        return int(members[0])
    ends = [np.searchsorted(members, end).astype(np.int32) for end in (a, b)]
    mine = np.ones(len(members), np.bool_)
    for tied in (millibits >= finding.level, millibits > finding.level):
        labels = component_labels(len(members), ends[0][tied], ends[1][tied])
        held = np.bincount(labels[mine], shares[members][mine], len(members))
        mine &= labels == labels[mine][np.argmax(held[labels[mine]])]
    within = mine[ends[0]] & mine[ends[1]]
    if not within.any():
        return int(members[np.argmax(mine)])
    a, b, millibits = a[within], b[within], millibits[within]
    return int(a[np.lexsort((b, a, -millibits))[0]])


def merge_curve(
    forest: Forest, shares: Floats, account: int, ends_at_share: float = CURVE_ENDS_AT_SHARE
) -> list[list[float]]:
    """How the component around an account grows: [bits, share, accounts] by falling bits."""
    levels, held, sizes = _curve(
        len(shares), forest.a, forest.b, forest.millibits, shares, account, ends_at_share
    )
    keep = np.unique(np.linspace(0, len(levels) - 1, min(len(levels), MOST_POINTS)).astype(int))
    return [[int(levels[i]) / 1000, round(float(held[i]), 9), int(sizes[i])] for i in keep.tolist()]


def own_curve(
    detection: Detection, members: Ints, shares: Floats, account: int
) -> list[list[float]]:
    """How the part around a member grows by the ties inside the set alone: points as in
    `merge_curve`. Around the `anchor` it reaches the line at the finding's own level."""
    a, b, millibits = detection.evidence.inside(members)
    one, other = (np.searchsorted(members, end).astype(np.int32) for end in (a, b))
    forest = spanning_forest(len(members), one, other, millibits)
    return merge_curve(forest, shares[members], int(np.searchsorted(members, account)), np.inf)


def _ties(detection: Detection, finding: Finding) -> list[list[Any]]:
    a, b, millibits = detection.evidence.inside(finding.judged.members)
    order = np.lexsort((b, a, -millibits))[:MOST_TIES]
    accounts = detection.snapshot.accounts["account"]
    return [
        [str(accounts[int(a[i])]), str(accounts[int(b[i])]), int(millibits[i]) / 1000]
        for i in order
    ]


@njit(cache=True)
def _curve(accounts, a, b, millibits, shares, account, most_share):  # type: ignore[no-untyped-def]
    parents = np.arange(accounts, dtype=np.int32)
    held = shares.copy()
    sizes = np.ones(accounts, np.int32)
    levels = np.empty(len(a) + 1, np.int32)
    curve = np.empty(len(a) + 1, np.float64)
    counts = np.empty(len(a) + 1, np.int32)
    count = 0
    for row in range(len(a)):
        if count > 0 and curve[count - 1] >= most_share and levels[count - 1] != millibits[row]:
            break  # the whole level merges at once
        one, other = find(parents, a[row]), find(parents, b[row])
        mine = find(parents, account)
        if sizes[one] < sizes[other]:
            one, other = other, one
        parents[other] = one
        held[one] += held[other]
        sizes[one] += sizes[other]
        if mine != one and mine != other:
            continue
        if count == 0 or levels[count - 1] != millibits[row]:
            count += 1
        levels[count - 1] = millibits[row]
        curve[count - 1] = held[one]
        counts[count - 1] = sizes[one]
    return levels[:count], curve[:count], counts[:count]
