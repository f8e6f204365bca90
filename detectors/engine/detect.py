"""One detection: snapshot, evidence, proposals, judgement, doubt, and the result as JSON.

`result_sha256` covers everything that follows from facts, settings, as-of and seed; it
leaves out the run's id, seconds, known-at and the uids (they name batches of loading).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from detectors.engine.doubt import Doubt, Standing, doubts, grade, reported
from detectors.engine.evidence import Evidence, gather
from detectors.engine.forest import Forest
from detectors.engine.judge import Ground, Verdict
from detectors.engine.limbs import BASE, Limbs, line_limbs, to_limbs
from detectors.engine.propose import forests, propose
from detectors.engine.refine import refine, split
from detectors.engine.significance import crossing_level, p_values
from detectors.engine.words import Words
from detectors.family import Family, Ints
from detectors.settings import DetectionSettings, settings_sha256
from detectors.whale import Whale
from graph import clock
from graph.amount import less, plain, total
from graph.snapshot import Snapshot, snapshot
from graph.store import Store

SCHEMA = 1
Result = dict[str, Any]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is asked of a detection."""

    families: Sequence[Family]
    whale: Whale | None
    lines: list[Fraction]
    as_of: datetime | None = None
    known_at: int | None = None
    seed: int = 0
    permutations: int = 99
    settings: DetectionSettings = field(default_factory=DetectionSettings)

    @property
    def detectors(self) -> list[str]:
        """Names of all detectors asked for."""
        return [family.name for family in self.families] + (["whale"] if self.whale else [])


@dataclass(frozen=True)
class Judged:
    """A refined set and what the judge said; `members` are numbers, ascending."""

    members: Ints
    places: Ints
    verdict: Verdict


@dataclass(frozen=True)
class Finding:
    """A judged set that crosses a line, with its doubts."""

    line: Fraction
    judged: Judged
    standing: Standing
    doubts: list[Doubt]
    grade: str
    p_value: float
    level: int
    """Millibits at which it crosses by its own ties."""


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


def detect(store: Store, request: Request, progress: Progress = lambda _: None) -> Detection:
    """Find every group over a line. Raises UserError as `snapshot` does."""
    stages = _Clock()
    progress("reading")
    taken = snapshot(store, request.as_of, request.known_at)
    stages.end("read")
    evidence = gather(taken, request.families, progress)
    stages.end("evidence")
    progress("proposing")
    trees = forests(evidence)
    holdings = to_limbs(taken.accounts["holdings"])
    proposals = propose(evidence, trees, holdings, request.lines) if taken.supply else {}
    stages.end("propose")
    progress("judging")
    chosen = {}
    for line in request.lines:  # each by itself: what is found at one must not hang on another
        ground, judged = judge_all(evidence, proposals.get(line, []), line)
        chosen[line] = _choose(ground, judged, line, evidence, request.settings)
    stages.end("judge")
    progress("doubting")
    findings = _doubt(evidence, trees[""], holdings, chosen, request)
    words = Words(evidence, [finding.judged.members for finding in findings])
    groups = [_group_json(finding, evidence, words) for finding in findings]
    groups += _whales_json(taken, request)
    _name_parents(groups)
    groups.sort(key=lambda group: (-group["share"], group["id"]))
    stages.end("doubt")
    result = _result_json(taken, evidence, request, groups, stages.total())
    return Detection(taken, evidence, trees[""], findings, result)


def judge_all(
    evidence: Evidence, proposals: Sequence[Ints], line: Fraction
) -> tuple[Ground, list[Judged]]:
    """Refine, split and judge proposals: distinct sets that hold `line`, strongest first."""
    ground = Ground(evidence, _reach(evidence, proposals))
    amounts = evidence.snapshot.accounts["holdings"].gather(ground.accounts)
    units = to_limbs(amounts)
    needed = line_limbs(line, evidence.snapshot.supply)

    def holds_enough(places: Ints) -> bool:
        return _sum(units, places) >= needed

    found: dict[bytes, Judged] = {}
    seen: set[bytes] = set()
    waiting = [ground.local(members) for members in reversed(proposals)]
    while waiting:
        refined = refine(ground, waiting.pop(), holds_enough)
        if refined is None or refined[0].tobytes() in seen:
            continue
        places, verdict = refined
        seen.add(places.tobytes())
        parts = split(ground, places, verdict, holds_enough)
        waiting += parts
        if not parts:
            numbers = ground.accounts[places]
            found[numbers.tobytes()] = Judged(numbers, places, verdict)
    ordered = sorted(
        found.values(), key=lambda one: (-one.verdict.strength_bits, one.members.tolist())
    )
    return ground, ordered


def _sum(units: Limbs, places: Ints) -> tuple[int, int]:
    """Exact sum of the limbs of some accounts, as (high, low)."""
    high, low = (int(part) for part in units[places].sum(axis=0, dtype=object))
    return high + low // BASE, low % BASE


def _reach(evidence: Evidence, proposals: Sequence[Ints]) -> Ints:
    """Accounts of the proposals and those tied to them by evidence."""
    inside = np.zeros(evidence.accounts, np.bool_)
    for members in proposals:
        inside[members] = True
    reached = inside.copy()
    for _, layer in evidence.layers:
        if not layer.rival:
            reached[layer.b[inside[layer.a]]] = True
            reached[layer.a[inside[layer.b]]] = True
    return np.flatnonzero(reached).astype(np.int32)


def _choose(
    ground: Ground,
    judged: Sequence[Judged],
    line: Fraction,
    evidence: Evidence,
    settings: DetectionSettings,
) -> list[Standing]:
    """Sets over the line that are findings, strongest first, each on its own ground."""
    chosen: list[Judged] = []
    standings = []
    for one in judged:
        if _held(evidence.snapshot, one.members) < line * Fraction(evidence.snapshot.supply):
            continue
        standing = Standing.of(ground, one.places, one.verdict, evidence.snapshot, line)
        if not reported(standing, settings):
            continue
        if any(_overlap(one, other) > settings.overlap for other in chosen):
            continue
        chosen.append(one)
        standings.append(standing)
    return standings


def _overlap(one: Judged, other: Judged) -> float:
    common = len(np.intersect1d(one.members, other.members, assume_unique=True))
    return common / min(len(one.members), len(other.members))


def _held(taken: Snapshot, members: Ints) -> Fraction:
    return Fraction(total(taken.accounts["holdings"].gather(members).to_list()))


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
        a, b, millibits = _inside(evidence, members)
        threshold = np.array([line_limbs(line, supply)], np.uint64)
        levels.append(crossing_level(len(members), a, b, millibits, holdings[members], threshold))
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
    for (line, standing), level, chance in zip(flat, levels, chances, strict=True):
        against = doubts(standing, request.settings)
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


def _inside(evidence: Evidence, members: Ints) -> tuple[Ints, Ints, Ints]:
    """Fused pairs inside a set, ends as places in `members`."""
    is_member = np.zeros(evidence.accounts, np.bool_)
    is_member[members] = True
    inside = is_member[evidence.a] & is_member[evidence.b]
    return (
        np.searchsorted(members, evidence.a[inside]).astype(np.int32),
        np.searchsorted(members, evidence.b[inside]).astype(np.int32),
        evidence.millibits[inside],
    )


def group_id(accounts: Sequence[str], line: Fraction, as_of: datetime) -> str:
    """A name for a set of accounts at a line as of a time: 12 hex characters."""
    text = json.dumps([sorted(accounts), str(line), clock.iso(as_of)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _group_json(finding: Finding, evidence: Evidence, words: Words) -> Result:
    taken, members, verdict = evidence.snapshot, finding.judged.members, finding.judged.verdict
    names = finding.standing.names
    held = taken.accounts["holdings"].gather(members).to_list()
    whole = total(held)
    reasons = words.reasons(members, verdict)
    said = words.member_reasons(members)
    rows: list[Result] = [
        {
            "account": names[place],
            "share": _share(held[place], taken.supply),
            "share_without": _share(less(whole, held[place]), taken.supply),
            "holdings": plain(held[place]),
            "reasons": said[place],
        }
        for place in range(len(members))
    ]
    rows.sort(key=lambda row: (-row["share"], row["account"]))
    evidence_bits = round(sum(reason["bits"] for reason in reasons), 3)
    cost = round(verdict.cost_bits, 3)
    return {
        "id": group_id(names, finding.line, taken.as_of),
        "line": float(finding.line),
        "parent": None,
        "share": _share(whole, taken.supply),
        "holdings": plain(whole),
        "strength_bits": round(evidence_bits - cost, 3),
        "evidence_bits": evidence_bits,
        "cost_bits": cost,
        "p_value": round(finding.p_value, 6),
        "grade": finding.grade,
        "detectors": sorted(reason["family"] for reason in reasons),
        "reasons": reasons,
        "doubts": [
            {"explanation": doubt.explanation, "text": doubt.text, "settles": doubt.settles}
            for doubt in finding.doubts
        ],
        "members": rows,
    }


def _whales_json(taken: Snapshot, request: Request) -> list[Result]:
    """Groups of one: who is over a line alone."""
    if request.whale is None:
        return []
    groups = []
    for line in request.lines:
        for number in request.whale.alone(taken, line):
            account = str(taken.accounts["account"][int(number)])
            held = taken.accounts["holdings"][int(number)]
            share = _share(held, taken.supply)
            text = f"{account} alone holds {share:.2%}, at or over the line of {float(line):.2%}"
            role = taken.accounts["role"][int(number)]
            groups.append(
                {
                    "id": group_id([account], line, taken.as_of),
                    "line": float(line),
                    "parent": None,
                    "share": share,
                    "holdings": plain(held),
                    "strength_bits": 0.0,
                    "evidence_bits": 0.0,
                    "cost_bits": 0.0,
                    "p_value": 1.0,  # however holdings are dealt, someone holds this much
                    "grade": "conclusive",
                    "detectors": ["whale"],
                    "reasons": [
                        {
                            "family": "whale",
                            "source": "holdings",
                            "bits": 0.0,
                            "text": text + (f"; its role: {role}" if role else ""),
                            "facts": [],
                        }
                    ],
                    "doubts": [],
                    "members": [
                        {
                            "account": account,
                            "share": share,
                            "share_without": 0.0,
                            "holdings": plain(held),
                            "reasons": [text],
                        }
                    ],
                }
            )
    return groups


def _name_parents(groups: list[Result]) -> None:
    """A group all of whose members are in a larger one names the smallest such."""
    sets = {id(group): {row["account"] for row in group["members"]} for group in groups}
    for group in groups:
        larger = [
            other
            for other in groups
            if sets[id(group)] < sets[id(other)] and other["line"] == group["line"]
        ]
        if larger:
            group["parent"] = min(larger, key=lambda other: (len(sets[id(other)]), other["id"]))[
                "id"
            ]


def _result_json(
    taken: Snapshot,
    evidence: Evidence,
    request: Request,
    groups: list[Result],
    seconds: dict[str, float],
) -> Result:
    settings = settings_sha256(
        request.settings, request.detectors, request.lines, request.permutations
    )
    result: Result = {
        "schema": SCHEMA,
        "run": {
            "id": None,
            "as_of": clock.iso(taken.as_of),
            "known_at": taken.known_at,
            "settings_sha256": settings,
            "seed": request.seed,
            "permutations": request.permutations,
            "detectors": request.detectors,
            "exact_lines": [str(line) for line in request.lines],
            "seconds": seconds,
        },
        "result_sha256": "",
        "supply": plain(taken.supply),
        "base_rule": taken.base_rule,
        "excluded": taken.excluded,
        "accounts": len(taken.accounts),
        "pairs": len(evidence.a),
        "lines": [float(line) for line in request.lines],
        "message": None if groups else _nothing(taken, request),
        "groups": groups,
    }
    result["result_sha256"] = result_sha256(result)
    return result


def _nothing(taken: Snapshot, request: Request) -> str:
    if not len(taken.accounts):
        if request.as_of is not None:
            return f"The store holds no facts up to {clock.iso(request.as_of)}."
        return "The store holds no facts: load some first."
    if not taken.supply:
        if request.as_of is not None:
            return f"Nobody holds anything up to {clock.iso(request.as_of)}: no share to measure."
        return "Nobody holds anything, so there is no share to measure: load holdings first."
    lines = ", ".join(f"{float(100 * line):.4g} %" for line in request.lines)
    who = "account alone" if request.whale and not request.families else "group"
    return (
        f"No {who} was found at or over the line ({lines} of all) among "
        f"{len(taken.accounts):,} accounts."
    )


def result_sha256(result: Result) -> str:
    """The digest of a result, without what differs between equal runs."""
    run = {k: v for k, v in result["run"].items() if k not in ("id", "seconds", "known_at")}
    groups = [
        {
            **group,
            "reasons": [{**reason, "facts": None} for reason in group["reasons"]],
        }
        for group in result["groups"]
    ]
    text = json.dumps(
        {**result, "run": run, "groups": groups, "result_sha256": None},
        sort_keys=True,
        ensure_ascii=False,
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _share(amount: Decimal, supply: Decimal) -> float:
    """The share as the nearest float of the exact ratio."""
    return float(Fraction(amount) / Fraction(supply)) if supply else 0.0
