"""One detection: snapshot, evidence, proposals, judgement, doubt, result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from detectors.engine.choose import Candidate, choose
from detectors.engine.doubt import (
    Standing,
    documented,
    doubts,
    grade,
    known_of,
    may_be_reported,
    reported,
    stands_alone,
)
from detectors.engine.evidence import Evidence, gather
from detectors.engine.forest import Forest
from detectors.engine.judge import Ground, Verdict
from detectors.engine.limbs import Limbs, line_limbs, to_limbs, total
from detectors.engine.nothing import nothing
from detectors.engine.propose import forests, propose
from detectors.engine.refine import refine
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
from detectors.engine.split import last_parts, split, without_households
from detectors.engine.words import Words
from detectors.family import Ints
from detectors.settings import DetectionSettings
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


HOUSEHOLD_BITS = 20.0
"""What a shared device, dealings and their exclusivity say of one more of a household, together.
Whom more ties to a group than that belongs to it, with its household or without."""

MOST_PARTED = 100
"""Chosen sets that are looked into for parts, of a line."""


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


def detect(store: Store, request: Request, progress: Progress = lambda _: None) -> Detection:
    """Find every group over a line. Raises UserError as `snapshot` does."""
    stages = _Clock()
    progress("reading")
    taken = snapshot(store, request.as_of, request.known_at)
    stages.end("read")
    evidence = gather(taken, request.families, progress, request.settings.weights)
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
    groups = [group_json(finding, evidence, words) for finding in findings]
    groups += whales_json(taken, request)
    name_parents(groups)
    groups.sort(key=lambda group: (-group["share"], group["id"]))
    stages.end("doubt")
    message = None if groups else nothing(evidence, trees[""], nearest, request)
    result = result_json(taken, evidence, request, groups, stages.total(), message)
    return Detection(taken, evidence, trees[""], findings, result)


def judge_all(
    evidence: Evidence, proposals: Sequence[Ints], line: Fraction
) -> tuple[Ground, list[Judged]]:
    """Refine, split and judge proposals: distinct sets that hold `line`, strongest first."""
    ground = Ground.around(evidence, proposals)
    amounts = evidence.snapshot.accounts["holdings"].gather(ground.accounts)
    units = to_limbs(amounts)
    needed = line_limbs(line, evidence.snapshot.supply)

    def holds_enough(places: Ints) -> bool:
        return total(units, places) >= needed

    found: dict[bytes, Judged] = {}
    seen: set[bytes] = set()
    travelled: set[bytes] = set()
    waiting = [ground.local(members) for members in reversed(proposals)]
    while waiting:
        refined = refine(ground, waiting.pop(), holds_enough, travelled)
        if refined is None or refined[0].tobytes() in seen:
            continue
        places, verdict = refined
        seen.add(places.tobytes())
        parts = split(ground, places, verdict, holds_enough)
        if parts is not None:
            waiting += parts
            continue
        places, verdict = _alone(ground, places, verdict, holds_enough)
        numbers = ground.accounts[places]
        found[numbers.tobytes()] = Judged(numbers, places, verdict)
    ordered = sorted(
        found.values(), key=lambda one: (-one.verdict.extent_bits, one.members.tolist())
    )
    return ground, ordered


def _alone(
    ground: Ground, places: Ints, verdict: Verdict, holds_enough: Callable[[Ints], bool]
) -> tuple[Ints, Verdict]:
    """A set without the households that only hang on to it, where it holds enough then, and
    they are tied to it by no more than a household is."""
    if verdict.strength_bits > 0:
        alone = without_households(ground, places)
        if 1 < len(alone) < len(places) and holds_enough(alone):
            without = ground.verdict(alone)
            lost = verdict.extent_bits - without.extent_bits
            if lost <= HOUSEHOLD_BITS * (len(places) - len(alone)):
                return alone, without
    return places, verdict


def findings_of(
    ground: Ground,
    judged: Sequence[Judged],
    taken: Snapshot,
    line: Fraction,
    settings: DetectionSettings,
) -> list[Standing]:
    """Which of the sets that hold the line are findings, strongest first.

    The parts of each that is chosen are looked at, and chosen instead where they say more.
    """

    def candidate(one: Judged, part_of: Ints | None = None) -> Candidate:
        if may_be_reported(ground, one.places, one.verdict, settings):
            standing = Standing.of(ground, one.places, one.verdict, taken, line)
            holds = sum(standing.units) >= standing.needed
            if holds and reported(standing, settings):
                bits, alone = one.verdict.extent_bits, stands_alone(standing)
                return Candidate(one.members, bits, standing, stands_alone=alone)
        return Candidate(one.members, one.verdict.extent_bits, None, part_of)

    every = (candidate(one) for one in judged)
    candidates = {one.members.tobytes(): one for one in every if one.standing is not None}
    parted: set[bytes] = set()
    while True:
        chosen = choose(list(candidates.values()), settings.overlap)
        findings = [one.standing for one in chosen if one.standing is not None]
        fresh = [one for one in findings if one.members.tobytes() not in parted]
        if not fresh or len(parted) >= MOST_PARTED:
            return findings
        for whole in fresh:
            parted.add(whole.members.tobytes())
            for part in [] if documented(whole) else _parts(ground, whole, settings):
                candidates.setdefault(part.members.tobytes(), candidate(part, whole.members))


def _parts(ground: Ground, whole: Standing, settings: DetectionSettings) -> Iterator[Judged]:
    """The last parts of a set, where there is enough evidence for each."""
    for found in last_parts(ground, whole.places):
        places, verdict = _alone(ground, *found, lambda _: True)
        if verdict.extent_bits >= settings.needed_bits(len(places)):
            yield Judged(ground.accounts[places], places, verdict)


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
