"""The product on a town: loaded as files are, detected as `inconcert detect` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from detectors.engine.detect import Detection, detect
from detectors.engine.limbs import to_limbs
from detectors.engine.line import judge_all
from detectors.engine.propose import forests, propose
from graph import scratch
from graph.store import init_store
from inconcert.asking import DEFAULT_LINE, make_request
from inconcert.bench.accuracy.scoring import Found, best, score_findings, score_groups
from inconcert.bench.accuracy.town import Members, Town
from inconcert.demo import KINDS, load_world
from inconcert.manners import Manners


def judged(town: Town, *, ceiling: bool) -> dict[str, Any]:
    """What the product finds in a town: groups, findings, seconds of the detection.

    `ceiling`: also the best Jaccard index of any proposal with each group, and what the
    judge says of the true set itself.
    """
    begun = time.perf_counter()
    detection = _detected(town)
    seconds = detection.result["run"]["seconds"]["total"]
    found = [
        Found(
            town.places(member["account"] for member in group["members"]),
            group["strength_bits"],
            group["grade"],
            group["share"],
            town.places(member["account"] for member in group["members"] if member["named"]),
        )
        for group in detection.result["groups"]
    ]
    groups = score_groups(town, found)
    if ceiling and town.groups:
        proposed = _proposals(detection, town)
        for row, hidden, said in zip(groups, town.groups, _true_sets(detection, town), strict=True):
            row["proposed"] = best(hidden.members, proposed)
            row |= said
    return {
        "groups": groups,
        "findings": score_findings(town, found),
        "seconds": seconds,
        "whole_seconds": round(time.perf_counter() - begun, 1),
    }


def _detected(town: Town) -> Detection:
    with scratch.folder() as place:
        for kind, frame in town.frames.items():
            frame.write_parquet(place / f"{kind}.parquet", compression_level=1)
        store = init_store(str(place / "store"))
        load_world(Manners(), store, place, [kind for kind in KINDS if kind in town.frames])
        return detect(store, make_request((), ()))


def _proposals(detection: Detection, town: Town) -> list[Members]:
    """Every set that was given to the judge."""
    evidence = detection.evidence
    holdings = to_limbs(detection.snapshot.accounts["holdings"])
    sets = propose(evidence, forests(evidence), holdings, [DEFAULT_LINE])[DEFAULT_LINE]
    place = _place_of(detection, town)
    return [frozenset(place[members].tolist()) for members in sets]


def _true_sets(detection: Detection, town: Town) -> Sequence[dict[str, Any]]:
    """Bits of evidence, cost of naming, bits beyond a club of each true set, as it is."""
    place = _place_of(detection, town)
    number = np.full(len(town.names), -1, np.int32)
    number[place] = np.arange(len(place), dtype=np.int32)
    sets = [np.sort(number[sorted(group.members)]) for group in town.groups]
    ground, _ = judge_all(detection.evidence, sets, Fraction(DEFAULT_LINE))
    said = []
    for members in sets:
        verdict = ground.verdict(ground.local(members))
        said.append(
            {
                "bits": round(verdict.strength_bits + verdict.cost_bits, 1),
                "cost": round(verdict.cost_bits, 1),
                "beyond_club": round(verdict.beyond_club_bits, 1),
                "families": {
                    family: round(bits, 1)
                    for family, bits in verdict.evidence_bits.items()
                    if bits > 0
                },
            }
        )
    return said


def _place_of(detection: Detection, town: Town) -> np.ndarray:
    """The place in the town of each account of the snapshot."""
    return town.names.search_sorted(detection.snapshot.accounts["account"]).to_numpy()
