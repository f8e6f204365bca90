"""Two million rows, a fifth of them wrong in some cell: each is loaded or refused, none twice."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from fault_helpers import INCONCERT
from faults_table import Survived, note

from graph.store import init_store, open_store

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

ROWS = 2_000_000 if "INCONCERT_KILLS" in os.environ else 50_000

WRONG = {
    "src": ["", "  ", "x" * 300, "é" * 129],
    "amount": ["", "-1", "nan", "inf", "1e400", "1,5", "9" * 21, "0." + "1" * 19, "₁₂", "0x10"],
    "at": [
        "0000-00-00",
        "99999-01-01",
        "yesterday",
        "1618603019e9",
        "2026-13-01",
        "2026-02-30",
    ],
}
"""What no cell of a transfer may hold, by column."""


def rows(seed: int) -> tuple[pl.DataFrame, pl.Series]:
    """Rows as text, and which of them are right."""
    random = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "id": pl.int_range(ROWS, eager=True).cast(pl.String),
            "src": "a" + pl.Series(random.integers(0, 5000, ROWS)).cast(pl.String),
            "dst": "b" + pl.Series(random.integers(0, 5000, ROWS)).cast(pl.String),
            "amount": pl.Series(random.integers(1, 10**6, ROWS)).cast(pl.String),
            "at": pl.Series(["2026-05-0" + str(day) for day in range(1, 10)]).gather(
                random.integers(0, 9, ROWS)
            ),
        }
    )
    right = pl.repeat(True, ROWS, dtype=pl.Boolean, eager=True)
    for column, wrong in WRONG.items():
        here = pl.Series(random.random(ROWS) < 0.07)
        junk = pl.Series(wrong).gather(random.integers(0, len(wrong), ROWS))
        frame = frame.with_columns(pl.when(here).then(junk).otherwise(pl.col(column)).alias(column))
        right &= ~here
    return frame, right


def test_every_row_is_loaded_or_refused_and_none_twice(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    frame, right = rows(1)
    frame.write_csv(tmp_path / "transfers.csv")
    url = str(tmp_path / "store")
    init_store(url)
    first = _loaded(url, tmp_path)
    good = frame.filter(right)
    assert (first["read"], first["loaded"]) == (ROWS, len(good))
    assert first["quarantined"] == ROWS - len(good)
    with Path(str(first["quarantine_file"])).open(encoding="utf-8") as file:
        refused = {json.loads(line)["row"] for line in file}
    assert refused == set(((~right).arg_true() + 1).to_list())
    facts = open_store(url).facts("transfers").select(pl.col("amount").sum(), rows=pl.len())
    total = good["amount"].cast(pl.Decimal(38, 18)).sum()
    assert facts.collect().row(0) == (total, len(good))
    again = _loaded(url, tmp_path)
    assert (again["loaded"], again["known"]) == (0, len(good))
    happened = "wrong rows are listed in the quarantine file, the others loaded"
    note(request, f"{ROWS:,} rows of fuzzed input, loaded twice", 1, Survived(happened))


def _loaded(url: str, folder: Path) -> dict[str, int | str]:
    done = subprocess.run(
        [INCONCERT, "load", "transfers", "transfers.csv", "--store", url, "--format", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    answer: dict[str, int | str] = json.loads(done.stdout)
    return answer
