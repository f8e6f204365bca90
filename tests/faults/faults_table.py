"""What faults came to, for the table of docs/reliability.md: `make faults` writes it anew."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

PLACE = "INCONCERT_FAULTS_TABLE"
"""Names a file that gets a line of JSON for every fault that was survived."""


@dataclass(frozen=True)
class Survived:
    """What was lost, what was there twice, and whether the findings were those of a store that
    did not suffer; what happened, in words."""

    happened: str = "the next one goes on where it stopped"
    lost: int = 0
    twice: int = 0
    findings_equal: bool = True


def note(request: pytest.FixtureRequest, fault: str, times: int, came_to: Survived) -> None:
    """Keeps a row of the table; without the environment's word for it nothing."""
    place = os.environ.get(PLACE)
    if place:
        home = "Neo4j" if "neo4j" in request.node.name else "folder"
        row = {"fault": fault, "home": home, "times": times, **asdict(came_to)}
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
