"""The facts of a store as sets of tuples, and what a load refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from graph.schema import KINDS
from graph.store import Store
from loaders.load import Result


def facts(store: Store, kind: str, *leave_out: str) -> list[tuple[Any, ...]]:
    """The visible facts, accounts by id, without batch: sorted tuples."""
    names = store.accounts().collect()
    frame = store.facts(kind).collect().drop("batch", *leave_out)
    for column in KINDS[kind].accounts:
        frame = frame.with_columns(
            pl.col(column).replace_strict(names["ix"], names["account"], return_dtype=pl.String)
        )
    return sorted(frame.rows(), key=repr)


def refused(result: Result) -> list[dict[str, Any]]:
    """The lines of the quarantine file."""
    if result.quarantine_file is None:
        return []
    lines = Path(result.quarantine_file).read_text(encoding="utf-8").strip("\n").split("\n")
    return [json.loads(line) for line in lines]
