"""Learning from reviewers: what a bit of each family has turned out to be worth.

Of a decided finding, each family has a *part*: its bits over the bits of all. With C the sum
of a family's parts in confirmed findings, R that in refuted ones, its weight is

    w = (k + C / q) / (k + C + R),    at least 1/2 and at most 3/2

which is (k q + C) / (k + C + R), the share of its evidence that was confirmed, over the share
q that is expected, as if k q confirmed and k (1 - q) refuted findings of its own had been
seen before: the mean of a Beta distribution after C and R (Beta-Bernoulli shrinkage; Gelman
et al., Bayesian Data Analysis, section 2.4). The bits are those that the family's own
calibration gives, without the weight that was in force, so what was adopted before does not
count again.

- Every weight is above 0: more evidence never speaks against a finding.
- One more confirmed finding lowers no weight, one more refuted finding raises none.
- n decisions lower a weight by n / (k + n) at most, and raise it by half of that.
- The order of decisions does not matter. Nobody needs more than a sum to check a weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from math import fsum
from typing import Any

import networkx as nx
import polars as pl

from detectors.settings import DOCUMENTS, LEAST_WEIGHT, MOST_WEIGHT, DetectionSettings

EXPECTED = 2 / 3
"""The share of evidence that is expected to be confirmed: indications are shown too, which
are reasons to look. A family whose evidence is always confirmed comes to 3/2 of its bits."""

PRIOR_DECISIONS = 50
"""What is expected counts as much as so many decisions about findings of one family alone."""

SAME_ACCOUNTS = 0.5
"""Sets with this Jaccard index, or joined by a chain of such, are one case: decided again, it
counts once, as it was decided last."""


@dataclass(frozen=True)
class Case:
    """A finding of a run, and what people decided about it."""

    run: str
    group: str
    confirmed: bool
    at: datetime
    by: str
    members: frozenset[str]
    share: Fraction
    bits: Mapping[str, float]
    """By family, as its own calibration gives them."""


@dataclass(frozen=True)
class Learnt:
    """What decisions say of a family: sums of its parts, and the weight that follows."""

    confirmed: float
    refuted: float
    weight: float
    """Rounded once, to 1/100: what less would come to is not worth a new version."""


def unweighted(group: Mapping[str, Any], weights: Mapping[str, float]) -> dict[str, float]:
    """The bits of each family that speaks for a group (an entry of a result), as they would
    be without the weights of its run."""
    return {
        reason["family"]: reason["bits"] / weights.get(reason["family"], 1.0)
        for reason in group["reasons"]
        if reason["bits"] > 0
    }


def one_each(cases: Sequence[Case]) -> list[Case]:
    """Of the decisions about the same accounts the last one; of two at one time the refuting.
    In order of time."""
    graph = nx.Graph()
    graph.add_nodes_from(range(len(cases)))
    graph.add_edges_from(_same(cases))
    last = [
        max((cases[place] for place in part), key=_later) for part in nx.connected_components(graph)
    ]
    return sorted(last, key=_later)


def _later(case: Case) -> tuple[datetime, bool, str, str]:
    return case.at, not case.confirmed, case.run, case.group


def _same(cases: Sequence[Case]) -> list[tuple[int, int]]:
    """Which cases (by place) are about the same accounts; only those that share any meet."""
    held = pl.LazyFrame(
        {
            "case": list(range(len(cases))),
            "account": [sorted(case.members) for case in cases],
        },
        schema={"case": pl.Int64(), "account": pl.List(pl.String())},
    ).explode("account")
    size = held.group_by("case").agg(size=pl.len())
    common = (
        held.join(held, on="account", suffix="_other")
        .filter(pl.col("case") < pl.col("case_other"))
        .group_by("case", "case_other")
        .agg(common=pl.len())
        .join(size, on="case")
        .join(size, left_on="case_other", right_on="case", suffix="_other")
        .with_columns(union=pl.col("size") + pl.col("size_other") - pl.col("common"))
        .filter(pl.col("common") >= SAME_ACCOUNTS * pl.col("union"))
    )
    return list(common.select("case", "case_other").collect().iter_rows())


def learn(cases: Iterable[Case]) -> dict[str, Learnt]:
    """What decisions say of every family that spoke for a decided finding, by name.

    Declared links are documents: they take their part of a finding and keep their weight.
    """
    parts: dict[tuple[str, bool], list[float]] = {}
    for case in cases:
        whole = fsum(case.bits.values())
        for family, bits in case.bits.items():
            parts.setdefault((family, case.confirmed), []).append(bits / whole)
    learnt = {}
    for family in sorted({family for family, _ in parts} - {DOCUMENTS}):
        # fsum rounds once, so the order of decisions does not matter
        confirmed, refuted = (fsum(parts.get((family, of), ())) for of in (True, False))
        weight = worth(confirmed, refuted)
        learnt[family] = Learnt(round(confirmed, 6), round(refuted, 6), round(weight, 2))
    return learnt


def worth(confirmed: float, refuted: float) -> float:
    """The weight of a family whose parts in confirmed and in refuted findings add up so."""
    weight = (PRIOR_DECISIONS + confirmed / EXPECTED) / (PRIOR_DECISIONS + confirmed + refuted)
    return min(max(weight, LEAST_WEIGHT), MOST_WEIGHT)


def proposed(settings: DetectionSettings, learnt: Mapping[str, Learnt]) -> dict[str, float]:
    """The weights that would follow those in force: of families that nobody decided about as
    they are, none that is 1."""
    weights = {**settings.weights, **{family: one.weight for family, one in learnt.items()}}
    return {family: weight for family, weight in sorted(weights.items()) if weight != 1.0}


def changes(
    result: Mapping[str, Any], weights: Mapping[str, float], verdicts: Mapping[str, str]
) -> dict[str, Any]:
    """What other weights make of a past run's findings, by their saved bits.

    `verdicts`: confirmed or refuted, by group id. Returns counts, and every finding that
    would fall below what it needs. Sets that were not reported then are not seen here, nor
    are members who would stay out: that takes the detection again (see `compared`).
    """
    settings = DetectionSettings.model_validate(result["run"]["settings"])
    groups = [group for group in result["groups"] if len(group["members"]) > 1]
    below = []
    for group in groups:
        bits = unweighted(group, settings.weights)
        evidence = fsum(bits[family] * weights.get(family, 1.0) for family in bits)
        needed = settings.needed_bits(len(group["members"]))
        strength = round(evidence - group["cost_bits"], 3)
        if group["grade"] == "conclusive" or strength >= needed:
            continue  # documents need no statistics
        below.append(
            {
                "group": group["id"],
                "line": group["line"],
                "share": group["share"],
                "grade": group["grade"],
                "verdict": verdicts.get(group["id"]),
                "strength_bits": group["strength_bits"],
                "would_be_bits": strength,
                "needed_bits": needed,
            }
        )
    return {
        "run": result["run"]["id"],
        "as_of": result["run"]["as_of"],
        "findings": len(groups),
        "decided": sum(group["id"] in verdicts for group in groups),
        "below": below,
    }


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What a second detection of the same facts found otherwise: groups gone, new, with
    other members (the best match of one line at SAME_ACCOUNTS or more), of another grade."""
    old = {group["id"]: group for group in before["groups"]}
    new = {group["id"]: group for group in after["groups"]}
    gone = {name: group for name, group in old.items() if name not in new}
    come = {name: group for name, group in new.items() if name not in old}
    changed = []
    for name, group in list(gone.items()):
        match = _best_match(group, come.values())
        if match is not None:
            changed.append({"before": _told(group), "after": _told(match)})
            del gone[name], come[match["id"]]
    regraded = [
        {"before": _told(old[name]), "after": _told(new[name])}
        for name in old
        if name in new and old[name]["grade"] != new[name]["grade"]
    ]
    return {
        "findings": len(old),
        "gone": [_told(group) for group in gone.values()],
        "new": [_told(group) for group in come.values()],
        "members_changed": changed,
        "grade_changed": regraded,
    }


def _best_match(group: Mapping[str, Any], others: Iterable[Any]) -> Any | None:
    mine = {member["account"] for member in group["members"]}
    best: tuple[float, Any] = (0.0, None)
    for other in others:
        theirs = {member["account"] for member in other["members"]}
        alike = len(mine & theirs) / len(mine | theirs)
        if other["line"] == group["line"] and alike >= SAME_ACCOUNTS and alike > best[0]:
            best = alike, other
    return best[1]


def _told(group: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: group[name] for name in ("id", "line", "share", "grade", "strength_bits")}
    return {**told, "members": len(group["members"])}
