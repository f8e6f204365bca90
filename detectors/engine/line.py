"""One line: its proposals are refined, split and judged, and those that save most bits together
are its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from detectors.engine.choose import Candidate, choose
from detectors.engine.compound import compounds
from detectors.engine.doubt import Standing, documented, may_be_reported, reported, stands_alone
from detectors.engine.evidence import Evidence
from detectors.engine.judge import Ground, Verdict
from detectors.engine.limbs import line_limbs, to_limbs, total
from detectors.engine.refine import refine
from detectors.engine.result import Judged
from detectors.engine.split import last_parts, split, without_households
from detectors.family import Ints
from detectors.settings import DetectionSettings
from graph.snapshot import Snapshot

HOUSEHOLD_BITS = 20.0
"""What a shared device, dealings and their exclusivity say of one more of a household, together.
Whom more ties to a group than that belongs to it, with its household or without."""

MOST_PARTED = 100
"""Chosen sets that are looked into for parts, of a line."""


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
    cells: list[tuple[Ints, Verdict]] = []
    waiting = [ground.local(members) for members in reversed(proposals)]
    while waiting:
        refined = refine(ground, waiting.pop(), holds_enough, travelled, cells)
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
    for whole in compounds(ground, cells, holds_enough):
        numbers = ground.accounts[whole.places]
        found[numbers.tobytes()] = Judged(numbers, whole.places, whole.verdict, whole.bits)
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
                bits, alone = one.bits, stands_alone(standing)
                return Candidate(one.members, bits, standing, stands_alone=alone)
        return Candidate(one.members, one.bits, None, part_of)

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
