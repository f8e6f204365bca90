"""A group's identity from run to run: which case a finding continues.

Two sets of accounts are as alike as their *holdings-weighted Jaccard index*: what the accounts
in both hold, as a part of what those in either hold (of an account in both the larger holding
counts). A finding continues the case that it is the best match of, where it is that case's best
match too. Of the others a case flows into a finding, or a finding comes out of a case, where
half of what it held is there.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

LEAST_ALIKE = 0.1
"""Below this two sets are not the same group, though they have somebody in common."""

HALF = 0.5
"""A part of a set's holdings from which it counts as gone into another, or come out of it."""

ATOM = 1e-12
"""What an account counts that holds nothing."""

CHANGED_SHARE = 0.001
"""A share that changes by less (0.1 points) did not grow or shrink."""

SETS = {"set": pl.String(), "account": pl.String(), "share": pl.Float64()}
"""Columns of a frame of sets: one row a member."""


@dataclass(frozen=True)
class Match:
    """What became of a finding: the case it continues, or that it `split` from. `alike`: how
    alike they are."""

    change: str
    """born, grew, shrank, unchanged or split."""
    case: str | None = None
    alike: float = 0.0


@dataclass(frozen=True)
class Matched:
    """`findings`: of each finding what became of it. `merged`: of a case that flowed into a
    finding which continues another one, that other case. `gone`: cases that no finding
    continues."""

    findings: dict[str, Match]
    merged: dict[str, str]
    gone: list[str]


def sets_of(groups: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The members of groups of a result as `SETS`, by the groups' ids."""
    rows = [
        (group["id"], member["account"], member["share"])
        for group in groups
        for member in group["members"]
    ]
    return pl.DataFrame(rows, SETS, orient="row")


def match(before: pl.DataFrame, now: pl.DataFrame) -> Matched:
    """Which case each finding continues. Both frames as `SETS`: cases before, findings now."""
    pairs = alike(before, now)
    mutual = pairs.filter(
        (pl.col("rank_of_case") == 1)
        & (pl.col("rank_of_finding") == 1)
        & (pl.col("alike") >= LEAST_ALIKE)
    )
    held = dict(_sums(before).iter_rows())
    holds = dict(_sums(now).iter_rows())
    findings = {
        finding: Match(how(holds[finding] - held[case]), case, alike)
        for case, finding, alike in mutual.select("case", "finding", "alike").iter_rows()
    }
    continued = {one.case: finding for finding, one in findings.items()}
    merged: dict[str, str] = {}
    rest = pairs.select("case", "finding", "alike", "of_case", "of_finding")
    for case, finding, alike_, of_case, of_finding in rest.iter_rows():
        into = findings.get(finding)
        flows = into is not None and into.case not in (None, case) and into.change != "split"
        if flows and case not in continued and case not in merged and of_case >= HALF:
            merged[case] = str(findings[finding].case)
        if finding not in findings and of_finding >= HALF and case in continued:
            findings[finding] = Match("split", case, alike_)
    for finding in holds:
        findings.setdefault(finding, Match("born"))
    gone = [case for case in held if case not in continued and case not in merged]
    return Matched(findings, merged, gone)


def alike(before: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """How alike each case and each finding are that have an account in common: `case`,
    `finding`, `alike`, `of_case` and `of_finding` (which part of either is in both), the most
    alike first, and the rank of each among those of its case, and of its finding."""
    weight = pl.max_horizontal(pl.col("share"), ATOM)
    common = (
        before.select("account", case="set", was=weight)
        .join(now.select("account", finding="set", own=weight), on="account")
        .group_by("case", "finding")
        .agg(
            both=pl.max_horizontal("was", "own").sum(),
            less=pl.min_horizontal("was", "own").sum(),
            was=pl.col("was").sum(),
            own=pl.col("own").sum(),
        )
    )
    sums = [frame.group_by("set").agg(weight.sum().alias("all")) for frame in (before, now)]
    return (
        common.join(sums[0].rename({"set": "case", "all": "of_case"}), on="case")
        .join(sums[1].rename({"set": "finding", "all": "of_finding"}), on="finding")
        .with_columns(
            alike=pl.col("both") / (pl.col("of_case") + pl.col("of_finding") - pl.col("less")),
            of_case=pl.col("was") / pl.col("of_case"),
            of_finding=pl.col("own") / pl.col("of_finding"),
        )
        .sort("alike", "case", "finding", descending=[True, False, False])
        .with_columns(
            rank_of_case=pl.int_range(1, pl.len() + 1).over("case"),
            rank_of_finding=pl.int_range(1, pl.len() + 1).over("finding"),
        )
        .select(
            "case", "finding", "alike", "of_case", "of_finding", "rank_of_case", "rank_of_finding"
        )
    )


def _sums(sets: pl.DataFrame) -> pl.DataFrame:
    return sets.group_by("set", maintain_order=True).agg(pl.col("share").sum())


def mostly_in(held: Mapping[str, float], other: Container[str]) -> bool:
    """Whether more than half of what a set holds, by account, is with accounts of another one."""
    common = sum(share for account, share in held.items() if account in other)
    return common > HALF * sum(held.values())


def how(more: float) -> str:
    """What became of a share that is so much more than it was."""
    if abs(more) < CHANGED_SHARE:
        return "unchanged"
    return "grew" if more > 0 else "shrank"
