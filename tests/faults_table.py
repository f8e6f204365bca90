"""What faults came to, for the table of docs/reliability.md: `make faults` writes it anew."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
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
        on_server = any(word in request.node.nodeid for word in ("neo4j", "server"))
        home = "Neo4j" if on_server else "folder"
        row = {"fault": fault, "home": home, "times": times, **asdict(came_to)}
        with Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
HEAD = """| fault | home | times | what happened | lost | twice | findings |
|---|---|---:|---|---:|---:|---|
"""


def table(rows: Iterable[dict[str, object]]) -> str:
    """The table of the page; of rows with one fault and home the last one."""
    last = {(row["fault"], row["home"]): row for row in rows}
    return HEAD + "".join(
        f"| {row['fault']} | {row['home']} | {row['times']} | {row['happened']} | {row['lost']} "
        f"| {row['twice']} | {'equal' if row['findings_equal'] else 'not equal'} |\n"
        for _, row in sorted(last.items())
    )


def write(rows: Path, page: Path) -> None:
    """Put the table into the page, between its marks."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = rows.read_text(encoding="utf-8").splitlines()
    made = table(json.loads(line) for line in lines)
    page.write_text(f"{before}{BEGIN}\n{made}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
