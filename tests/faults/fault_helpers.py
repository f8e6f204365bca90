"""What loads that fail have in common on both homes: a file, the command, what a store holds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl

from graph.schema import KINDS
from graph.store import Store, open_store
from inconcert.cli import run

INCONCERT = str(Path(sys.executable).with_name("inconcert"))
KILLS_BEFORE_A_CLEAN_LOAD = 4

Content = dict[str, pl.DataFrame]
"""The facts of each kind."""


def write_files(folder: Path, first: int, rows: int, accounts: int) -> tuple[Path, Path]:
    """Two files of transfers: so many rows, and the first of them alone, which come first."""
    random_numbers = np.random.default_rng(5)
    who = pl.Series([f"acct-{n}" for n in range(accounts)])
    frame = pl.DataFrame(
        {
            "id": [f"tx{n}" for n in range(rows)],
            "src": who.gather(random_numbers.integers(0, accounts, rows)),
            "dst": who.gather(random_numbers.integers(0, accounts, rows)),
            "amount": random_numbers.integers(1, 10**9, rows),
            "at": random_numbers.integers(1_700_000_000, 1_750_000_000, rows),
        }
    )
    frame.head(first).write_csv(folder / "first.csv")
    frame.write_csv(folder / "second.csv")
    return folder / "first.csv", folder / "second.csv"


def content(store: Store) -> Content:
    """All visible facts by kind, accounts as text, in an order of their own."""
    names = store.accounts()
    found = {}
    for kind in KINDS.values():
        frame = store.facts(kind.name).drop("batch")
        for column in kind.accounts:
            text = names.select(pl.col("ix").alias(column), pl.col("account").alias(f"{column}:"))
            frame = frame.join(text, on=column, how="left").drop(column)
        found[kind.name] = frame.sort("uid", "revision").collect()
    return found


def same(one: Content, other: Content) -> bool:
    return all(one[kind].equals(other[kind]) for kind in KINDS)


def total(content: Content) -> tuple[int, Decimal]:
    """How many transfers, and their amounts together."""
    return content["transfers"].select(pl.len(), pl.col("amount").sum()).row(0)


def look(store: Store) -> tuple[int, Decimal]:
    """The same as a new reader sees it, who knows every account that he meets."""
    reader = open_store(store.url)
    facts = reader.facts("transfers")
    strangers = facts.join(reader.accounts(), left_on="dst", right_on="ix", how="anti")
    assert strangers.select(pl.len()).collect().item() == 0
    return facts.select(pl.len(), pl.col("amount").sum()).collect().row(0)


def loads(store: Store) -> list[int]:
    """How many facts each batch brought, of those that brought some."""
    return [batch.counts.loaded for batch in store.batches() if batch.counts.loaded]


def start(
    store: Store, file: Path, more: Sequence[str] = (), **options: object
) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    process: subprocess.Popen[str] = subprocess.Popen(
        [INCONCERT, "load", "transfers", str(file), "--store", store.url, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    return process


def load(store: Store, file: Path) -> None:
    """The command in this process, which starts sooner: for a load that nothing happens to."""
    assert run(["load", "transfers", str(file), "--store", store.url]) == 0


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said on stderr: never a traceback."""
    said = process.communicate(timeout=100)[1]
    assert "Traceback" not in said, said
    return process.returncode, said


def resize(disk: Path, size: str) -> None:
    """Gives the small disk another size: "64m"."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def own_temporary(folder: Path) -> tuple[Path, dict[str, str]]:
    """A folder for temporary files, and the environment of a command that uses it."""
    place = folder / "temporary"
    place.mkdir()
    return place, {**os.environ, "TMPDIR": str(place)}


def wait_for_files(process: subprocess.Popen[str], folder: Path, name: str) -> None:
    """Returns when a file with something in it is there; fails when the command ends before."""
    while not any(path.stat().st_size for path in folder.rglob(name)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
