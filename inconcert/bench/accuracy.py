"""`bench accuracy`: findings against the truth of simulated worlds.

A group is found when the Jaccard index with some finding is at least 0.8 (or 0.5). A
finding that overlaps no group at 0.1 is false; those of grade indication are counted apart:
they are for looking at, not for orders.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from detectors.engine.detect import detect
from graph.store import init_store
from inconcert.asking import make_request
from inconcert.demo import DAYS, KINDS, load_world
from inconcert.manners import Manners
from inconcert.simulate import make_world, write_world

GOOD, FAIR, TOUCHED = 0.8, 0.5, 0.1


def bench_accuracy(
    accounts: int, transfers: int, seeds: Sequence[int], empty: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Worlds with groups at the given seeds, and `empty` worlds without any."""
    rows: list[dict[str, Any]] = []
    false: list[dict[str, Any]] = []
    for seed in seeds:
        note(f"world {seed}")
        found = _one(accounts, transfers, seed, None)
        rows += found["groups"]
        false += found["false"]
    false_in_empty: list[dict[str, Any]] = []
    for seed in range(10_000, 10_000 + empty):
        note(f"empty world {seed}")
        false_in_empty += _one(accounts, transfers, seed, 0)["false"]
    kinds = sorted({row["kind"] for row in rows})
    return {
        "accounts": accounts,
        "transfers": transfers,
        "worlds": len(seeds),
        "empty_worlds": empty,
        "kinds": [_tally(kind, [row for row in rows if row["kind"] == kind]) for kind in kinds]
        + [_tally("all", rows)],
        "false": _by_grade(false),
        "false_in_empty_worlds": _by_grade(false_in_empty),
    }


def _one(accounts: int, transfers: int, seed: int, groups: int | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="inconcert-bench-") as folder:
        world = make_world(accounts, transfers, seed, DAYS, groups)
        write_world(world, Path(folder) / "world")
        store = init_store(str(Path(folder) / "store"))
        load_world(Manners(), store, Path(folder) / "world", KINDS)
        result = detect(store, make_request((), ())).result
    findings = [
        (group, {member["account"] for member in group["members"]}) for group in result["groups"]
    ]
    scored = []
    for truth in world.truth:
        inside = set(truth["members"])
        best = max(
            (len(inside & found) / len(inside | found) for _, found in findings), default=0.0
        )
        scored.append({"kind": truth["kind"], "jaccard": best})
    hidden = [set(truth["members"]) for truth in world.truth]
    false = [
        group
        for group, found in findings
        if all(len(found & inside) / len(found | inside) < TOUCHED for inside in hidden)
    ]
    return {"groups": scored, "false": false}


def _tally(kind: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "kind": kind,
        "groups": len(rows),
        "at_0.8": sum(row["jaccard"] >= GOOD for row in rows),
        "at_0.5": sum(row["jaccard"] >= FAIR for row in rows),
    }


def _by_grade(findings: Sequence[dict[str, Any]]) -> dict[str, int]:
    grades = ("conclusive", "corroborated", "indication")
    return {grade: sum(one["grade"] == grade for one in findings) for grade in grades}
