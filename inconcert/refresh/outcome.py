"""What a detection of a refresh came to, kept in a file until it is published or dropped.

It is no run of the store yet, so a result that is held for release is seen nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.clock import iso, parse_time
from graph.store import RunRecord, Store

if TYPE_CHECKING:
    from detectors.engine.detect import Detection


@dataclass(frozen=True)
class Outcome:
    """A run that is not in the store yet, and how much each family says: pairs and bits."""

    run: RunRecord
    evidence: dict[str, dict[str, float]]


def outcome_of(detection: Detection, run_id: str, moment: datetime) -> Outcome:
    """What is kept of a detection."""
    from detectors.engine.record import details

    detection.result["run"]["id"] = run_id
    run = RunRecord(run_id, moment, detection.result, details(detection))
    evidence = {
        pairs.family.name: {
            "pairs": int((pairs.millibits > 0).sum()),
            "bits": int(pairs.millibits.sum(dtype="int64")) / 1000,
        }
        for pairs in detection.evidence.families
    }
    return Outcome(run, evidence)


def run_id_of(store: Store, number: int, moment: datetime) -> str:
    """The id of the run of a refresh: the same however often its detection is done again."""
    text = f"{store.properties.key_fingerprint}/refresh/{number}"
    return f"r{moment:%Y%m%d}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def place_of(folder: Path, number: int) -> Path:
    """The file of a refresh's outcome."""
    return folder / f"outcome-{number}.json"


def keep(outcome: Outcome, place: Path) -> None:
    """Write it: under its name it is whole, and on disk."""
    doc = {
        "id": outcome.run.id,
        "created_at": iso(outcome.run.created_at),
        "result": outcome.run.result,
        "details": outcome.run.details,
        "evidence": outcome.evidence,
    }
    draft = place.with_name(place.name + ".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(doc, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(place)


def kept(place: Path, result_sha256: str) -> Outcome | None:
    """What was kept; None where it is not there, or is another one than the log says."""
    try:
        doc: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        run = RunRecord(doc["id"], parse_time(doc["created_at"]), doc["result"], doc["details"])
        outcome = Outcome(run, doc["evidence"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return outcome if run.result.get("result_sha256") == result_sha256 else None
