"""What is kept of a detection: the result, and per group what later looks need.

Details of a group: `curve`, the merge curve of the crossing chart (points of falling
evidence strength: bits, share, accounts), `own_curve`, the same by ties inside alone,
`crosses_at_bits`, and `ties`, the evidence inside that holds it together and the strongest
of the rest: [account, account, bits, families].
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numba import njit

from detectors.engine.detect import Detection
from detectors.engine.evidence import Evidence
from detectors.engine.forest import Forest, component_labels, find, spanning_forest
from detectors.engine.result import Finding, group_id
from detectors.family import Floats, Ints
from graph import clock
from graph.store import RunRecord, Store

MOST_POINTS = 400
MOST_TIES = 400
"""Of a group's ties; a forest that has more of them is kept whole."""

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
    """What plots and the graph need of each group, by group id."""
    taken = detection.snapshot
    shares = taken.accounts["holdings"].cast(float).to_numpy() / (float(taken.supply) or 1.0)
    groups = [finding.judged.members for finding in detection.findings]
    found = {}
    for finding, ties in zip(
        detection.findings, strongest_ties(detection.evidence, groups), strict=True
    ):
        members = finding.judged.members
        begin = anchor(detection, finding, shares)
        found[group_id(finding.standing.names, finding.line, taken.as_of)] = {
            "curve": merge_curve(detection.fused, shares, begin),
            "own_curve": own_curve(detection, members, shares, begin),
            "crosses_at_bits": finding.level / 1000,
            "ties": ties,
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


def strongest_ties(
    evidence: Evidence, groups: Sequence[Ints], most: int = MOST_TIES
) -> list[list[list[Any]]]:
    """The ties to draw of each group: [account, account, bits, families], strongest first.

    `groups`: members of each, by number, ascending. A maximum spanning forest of the evidence
    inside comes whole, so that what hangs together is drawn so; the strongest others fill up
    to `most`. `families`: the names of those that give the tie, by name.
    """
    if not groups:
        return []
    drawn = [_drawn(members, *evidence.inside(members), most) for members in groups]
    families = _families(evidence, pl.concat(drawn).select("a", "b").unique())
    accounts = evidence.snapshot.accounts["account"]
    return [_named(ties, families, accounts) for ties in drawn]


def _named(ties: pl.DataFrame, families: pl.DataFrame, accounts: pl.Series) -> list[list[Any]]:
    rows = ties.join(families, on=["a", "b"], how="left", maintain_order="left")
    bits = rows["millibits"].to_numpy() / 1000  # Polars would multiply by an inexact inverse
    columns = (
        accounts.gather(rows["a"]).to_list(),
        accounts.gather(rows["b"]).to_list(),
        bits.tolist(),
        rows["families"].fill_null([]).to_list(),
    )
    return [list(tie) for tie in zip(*columns, strict=True)]


def _drawn(members: Ints, a: Ints, b: Ints, millibits: Ints, most: int) -> pl.DataFrame:
    """Of the pairs inside: a forest and the strongest others, strongest first."""
    order = np.lexsort((b, a, -millibits))  # the forest takes equal ones in the order given
    inside = pl.DataFrame({"a": a[order], "b": b[order], "millibits": millibits[order]})
    one, other = (np.searchsorted(members, inside[end]).astype(np.int32) for end in ("a", "b"))
    forest = spanning_forest(len(members), one, other, inside["millibits"].to_numpy())
    kept = pl.DataFrame({"a": members[forest.a], "b": members[forest.b]})
    kept = kept.with_columns(holds=pl.lit(True))
    marked = inside.with_row_index("rank").join(kept, on=["a", "b"], how="left")
    return (
        marked.sort("holds", "rank", nulls_last=True)
        .head(max(most, len(kept)))
        .sort("rank")
        .select("a", "b", "millibits")
    )


def _families(evidence: Evidence, chosen: pl.DataFrame) -> pl.DataFrame:
    """`a`, `b`, `families` of those of the chosen pairs that a family gives weight."""
    given = [
        pl.LazyFrame({"a": pairs.a, "b": pairs.b, "millibits": pairs.millibits})
        .filter(pl.col("millibits") > 0)
        .join(chosen.lazy(), on=["a", "b"], how="semi")
        .select("a", "b", family=pl.lit(pairs.family.name))
        for pairs in evidence.families
    ]
    by_pair = pl.concat(given).group_by("a", "b")
    return by_pair.agg(families=pl.col("family").sort()).collect()


@njit(cache=True, nogil=True)
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
