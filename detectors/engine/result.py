"""The result of a detection as the contract's JSON (schema 1).

`result_sha256` covers everything that follows from facts, settings, as-of and seed; it
leaves out the run's id, seconds, known-at, the horizon (of the facts in the archive) and the
uids (they name batches of loading).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from detectors.doubts.case import Doubt
from detectors.engine.doubt import Standing, named
from detectors.engine.evidence import Evidence
from detectors.engine.judge import Verdict
from detectors.engine.request import Request
from detectors.engine.words import Words, against, because
from detectors.family import Ints
from detectors.settings import DetectionSettings, settings_sha256
from graph import clock
from graph.amount import less, plain, total
from graph.snapshot import Snapshot

SCHEMA = 1
Result = dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A refined set and what the judge said; `members` are numbers, ascending."""

    members: Ints
    places: Ints
    verdict: Verdict
    as_cells: float | None = None
    """The bits of its cells and of what ties them, where it is a compound."""

    @property
    def bits(self) -> float:
        """What it is chosen by."""
        return self.verdict.extent_bits if self.as_cells is None else self.as_cells


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


def group_id(accounts: Sequence[str], line: Fraction, as_of: datetime) -> str:
    """A name for a set of accounts at a line as of a time: 12 hex characters."""
    text = json.dumps([sorted(accounts), str(line), clock.iso(as_of)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def group_json(
    finding: Finding, evidence: Evidence, words: Words, settings: DetectionSettings
) -> Result:
    """One finding as an entry of `groups`."""
    taken, members, verdict = evidence.snapshot, finding.judged.members, finding.judged.verdict
    names = finding.standing.names
    held = taken.accounts["holdings"].gather(members).to_list()
    whole = total(held)
    reasons = words.reasons(members, verdict)
    said = words.member_reasons(members)
    may_name = named(finding.standing, settings).tolist()
    rows: list[Result] = [
        {
            "account": names[place],
            "share": _share(held[place], taken.supply),
            "share_without": _share(less(whole, held[place]), taken.supply),
            "holdings": plain(held[place]),
            "bits": round(float(finding.standing.bits[place]), 3),
            "named": may_name[place],
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
        "because": because(len(members), reasons),
        "against": against(reasons, finding.doubts, finding.grade),
        "reasons": reasons,
        "doubts": [doubt_json(doubt) for doubt in finding.doubts],
        "members": rows,
    }


def doubt_json(doubt: Doubt) -> dict[str, Any]:
    """One doubt as an entry of `doubts`."""
    return {
        "explanation": doubt.explanation,
        "text": doubt.text,
        "settles": doubt.settles,
        "explains": sorted(doubt.explains),
    }


def whales_json(taken: Snapshot, request: Request) -> list[Result]:
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
                    "because": f"{text}.",
                    "against": "It is one account: whether it acts with others is not said.",
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
                            "bits": 0.0,
                            "named": True,
                            "reasons": [text],
                        }
                    ],
                }
            )
    return groups


def name_parents(groups: list[Result]) -> None:
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


def result_json(
    taken: Snapshot,
    evidence: Evidence,
    request: Request,
    groups: list[Result],
    seconds: dict[str, float],
    message: str | None,
) -> Result:
    """The whole answer; the run's id is given when it is saved. `message`: why it is empty."""
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
            "settings": request.settings.model_dump(mode="json"),
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
        "message": message,
        "groups": groups,
    }
    if taken.horizon is not None:
        result["run"]["horizon"] = clock.iso(taken.horizon)
    result["result_sha256"] = result_sha256(result)
    return result


def result_sha256(result: Result) -> str:
    """The digest of a result, without what differs between equal runs."""
    apart = ("id", "seconds", "known_at", "horizon")
    run = {k: v for k, v in result["run"].items() if k not in apart}
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
