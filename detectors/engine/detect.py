"""One detection: snapshot, evidence, proposals, judgement, doubt, result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from detectors.engine.doubt import Standing, doubts, grade, known_of
from detectors.engine.evidence import Evidence, gather
from detectors.engine.forest import Forest
from detectors.engine.limbs import Limbs, line_limbs, to_limbs
from detectors.engine.line import findings_of, judge_all
from detectors.engine.nothing import nothing
from detectors.engine.propose import forests, propose
from detectors.engine.request import Request
from detectors.engine.result import (
    Finding,
    Judged,
    Result,
    group_json,
    name_parents,
    result_json,
    whales_json,
)
from detectors.engine.significance import crossing_level, p_values
from detectors.engine.words import Words
from detectors.kept import NOTHING_KEPT, Kept
from graph.snapshot import Snapshot, snapshot
from graph.store import Store

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Detection:
    """All of one detection, for the result and for later looks at it."""

    snapshot: Snapshot
    evidence: Evidence
    fused: Forest
    findings: list[Finding]
    result: Result


class _Clock:
    """Seconds by stage; a stage ends when the next begins."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = self._stage_begun = time.perf_counter()

    def end(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._stage_begun
        self._stage_begun = now

    def total(self) -> dict[str, float]:
        whole = {**self.seconds, "total": time.perf_counter() - self._begun}
        return {stage: round(seconds, 3) for stage, seconds in whole.items()}


def detect(
    store: Store,
    request: Request,
    progress: Progress = lambda _: None,
    kept: Kept = NOTHING_KEPT,
) -> Detection:
    """Find every group over a line. Raises UserError as `snapshot` does.

    `kept`: what earlier detections worked out, to be taken over where it still holds, and to
    be replaced by what this one does. The result does not depend on it.
    """
    try:
        return _detect(store, request, progress, kept)
    finally:
        kept.finish()


def _detect(store: Store, request: Request, progress: Progress, kept: Kept) -> Detection:
    stages = _Clock()
    progress("reading")
    taken = snapshot(store, request.as_of, request.known_at)
    stages.end("read")
    evidence = gather(taken, request.families, progress, request.settings.weights, kept)
    stages.end("evidence")
    progress("proposing")
    trees = forests(evidence)
    holdings = to_limbs(taken.accounts["holdings"])
    proposals = propose(evidence, trees, holdings, request.lines) if taken.supply else {}
    stages.end("propose")
    progress("judging")
    chosen = {}
    nearest: Standing | None = None
    for line in request.lines:  # each by itself: what is found at one must not hang on another
        ground, judged = judge_all(evidence, proposals.get(line, []), line)
        chosen[line] = findings_of(ground, judged, taken, line, request.settings)
        best = judged[0] if judged else None
        nearest = Standing.of(ground, best.places, best.verdict, taken, line) if best else None
    stages.end("judge")
    progress("doubting")
    findings = _doubt(evidence, trees[""], holdings, chosen, request)
    words = Words(evidence, [finding.judged.members for finding in findings])
    groups = [group_json(finding, evidence, words, request.settings) for finding in findings]
    groups += whales_json(taken, request)
    name_parents(groups)
    groups.sort(key=lambda group: (-group["share"], group["id"]))
    stages.end("doubt")
    message = None if groups else nothing(evidence, trees[""], nearest, request)
    result = result_json(taken, evidence, request, groups, stages.total(), message)
    return Detection(taken, evidence, trees[""], findings, result)


def _doubt(
    evidence: Evidence,
    fused: Forest,
    holdings: Limbs,
    chosen: dict[Fraction, list[Standing]],
    request: Request,
) -> list[Finding]:
    """Significance, doubts and grade of every chosen set at every line."""
    supply = evidence.snapshot.supply
    flat = [(line, standing) for line, standings in chosen.items() for standing in standings]
    if not flat:
        return []
    levels = []
    for line, standing in flat:
        members = standing.ground.accounts[standing.places]
        a, b, millibits = evidence.inside(members)
        threshold = np.array([line_limbs(line, supply)], np.uint64)
        levels.append(
            crossing_level(
                len(members),
                np.searchsorted(members, a).astype(np.int32),
                np.searchsorted(members, b).astype(np.int32),
                millibits,
                holdings[members],
                threshold,
            )
        )
    chances = p_values(
        evidence.accounts,
        fused,
        holdings,
        np.array([line_limbs(line, supply) for line in request.lines], np.uint64),
        [(request.lines.index(line), level) for (line, _), level in zip(flat, levels, strict=True)],
        request.permutations,
        request.seed,
    )
    findings = []
    known = known_of([standing for _, standing in flat])
    for (line, standing), level, chance in zip(flat, levels, chances, strict=True):
        against = doubts(standing, request.settings, known)
        members = standing.ground.accounts[standing.places]
        findings.append(
            Finding(
                line,
                Judged(members, standing.places, standing.verdict),
                standing,
                against,
                grade(standing, against, request.settings),
                chance,
                level,
            )
        )
    return findings
