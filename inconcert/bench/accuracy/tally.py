"""Counts over worlds, from what was measured in each."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from inconcert.bench.accuracy.scoring import ORDERS
from inconcert.bench.figures import target

Row = dict[str, Any]

GRADES = ("conclusive", "corroborated", "indication")
GOALS = {
    "plain": (
        ("plain: of all groups at 0.8", "at_8", "groups", 0.97),
        ("plain: of its worst kind at 0.8", "worst_kind", "", 0.9),
    ),
    "adversary": (
        ("adversary: of all groups at 0.8", "at_8", "groups", 0.65),
        ("adversary: of all groups at 0.5", "at_5", "groups", 0.80),
        ("adversary: of decidable groups at 0.8", "decidable_at_8", "decidable", 0.85),
        ("adversary: of decidable groups at 0.5", "decidable_at_5", "decidable", 0.95),
        ("adversary: within the 20 strongest, at 0.5", "tonight", "groups", 0.90),
    ),
}
PRECISION, SHARE_ERROR = 0.98, 0.2


def tally_groups(rows: Sequence[Row]) -> Row:
    """Of some groups, how many are found, by the best Jaccard index with any finding.

    tonight: at 0.5 among the 20 strongest; ordered: at 0.5 by a finding that may lead to an
    order; proposed: by the best of all proposals; decidable: the true set saves more bits than
    its naming costs. `share_error`: points, of those found at 0.5.
    """
    errors = sorted(
        100 * abs(row["found_share"] - row["share"]) for row in rows if row["jaccard"] >= 0.5
    )
    decidable = [row for row in rows if "bits" in row and row["bits"] >= row["cost"]]
    return {
        "groups": len(rows),
        "at_5": _at(rows, "jaccard", 0.5),
        "at_8": _at(rows, "jaccard", 0.8),
        "at_9": _at(rows, "jaccard", 0.9),
        "tonight": _at(rows, "tonight", 0.5),
        "ordered": _at(rows, "ordered", 0.5),
        "proposed_5": _at(rows, "proposed", 0.5),
        "proposed_8": _at(rows, "proposed", 0.8),
        "judged": sum("bits" in row for row in rows),
        "decidable": len(decidable),
        "decidable_at_5": _at(decidable, "jaccard", 0.5),
        "decidable_at_8": _at(decidable, "jaccard", 0.8),
        "share_error": round(median(errors), 3) if errors else None,
        "largest_share_error": round(errors[-1], 3) if errors else None,
    }


def _at(rows: Sequence[Row], what: str, least: float) -> int:
    return sum(row.get(what, 0.0) >= least for row in rows)


def tally_findings(worlds: Sequence[Row]) -> Row:
    """Of all findings of some worlds, how many are what; the false ones by crowd and grade."""
    findings = [one for world in worlds for one in world["findings"]]
    orders = [one for one in findings if one["grade"] in ORDERS]
    return {
        "findings": len(findings),
        **{what: _count(findings, what) for what in ("right", "partial", "below", "false")},
        "orders": len(orders),
        "orders_right": _count(orders, "right"),
        "orders_false": _count(orders, "false"),
        "accounts_in_orders": sum(one["named"] for one in orders),
        "innocent_in_orders": sum(one["innocent_named"] for one in orders),
        "false_by_crowd": _by_crowd([one for one in findings if one["what"] == "false"]),
    }


def _count(findings: Sequence[Row], what: str) -> int:
    return sum(one["what"] == what for one in findings)


def _by_crowd(findings: Sequence[Row]) -> dict[str, dict[str, int]]:
    return {
        crowd: {
            grade: sum(one["crowd"] == crowd and one["grade"] == grade for one in findings)
            for grade in GRADES
        }
        for crowd in sorted({one["crowd"] for one in findings})
    }


def tally_empty(worlds: Sequence[Row]) -> Row:
    """Worlds without a group: how many have a false finding, and one that may lead to an order."""
    return {
        "worlds": len(worlds),
        "with_false": sum(bool(world["findings"]) for world in worlds),
        "with_orders": sum(
            any(one["grade"] in ORDERS for one in world["findings"]) for world in worlds
        ),
        "findings": sum(len(world["findings"]) for world in worlds),
        "false_by_crowd": _by_crowd([one for world in worlds for one in world["findings"]]),
    }


def tally_near(worlds: Sequence[Row]) -> Row:
    """Groups just below the line (said to be over it by a finding: wrong) and just above."""
    rows = [row for world in worlds for row in world["groups"]]
    below = [row for row in rows if row["below"]]
    return {
        "worlds": len(worlds),
        "below": len(below),
        "below_said_over": _at(below, "jaccard", 0.5),
        "below_ordered": _at(below, "ordered", 0.5),
        "above": tally_groups([row for row in rows if not row["below"]]),
    }


def targets(answer: Row) -> list[Row]:
    """The goals of the project, as far as the plan measures them."""
    goals = []
    for name, found in answer["generators"].items():
        if not found["worlds"]:
            continue
        for what, hits, of, goal in GOALS[name]:
            if not of:
                goals.append(target(what, _worst_kind(found["kinds"]), goal, True))
            elif found["all"][of]:
                goals.append(target(what, found["all"][hits] / found["all"][of], goal, True))
        counted = found["findings"]
        if counted["orders"]:
            precise = counted["orders_right"] / counted["orders"]
            goals.append(target(f"{name}: precision of orders", precise, PRECISION, True))
        if found["all"]["share_error"] is not None:
            error = found["all"]["share_error"]
            goals.append(target(f"{name}: median share error, points", error, SHARE_ERROR))
    for name, found in answer["generators"].items():
        if found["empty"]["worlds"]:
            what = f"{name}: empty worlds with a false order"
            goals.append(target(what, found["empty"]["with_orders"], 0))
    return goals


def _worst_kind(kinds: dict[str, Row]) -> float:
    return float(min(row["at_8"] / row["groups"] for row in kinds.values()))
