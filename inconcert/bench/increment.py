"""`bench speed --increment`: what a detection costs that takes over what the last one kept.

A world's first transfers are loaded, and a detection keeps what pays; then come the newest 1 %,
and the same facts are looked at from nothing and with what is kept, in turn, each as a process.
Both must give the same result.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from inconcert.bench.figures import machine, target, times
from inconcert.bench.stages import Stage, inconcert, python, run_stage
from inconcert.demo import DAYS, KINDS, SEED

NEW_SHARE = 0.01
TARGET_PART = 0.30
WARM_ACCOUNTS, WARM_TRANSFERS = 600, 3_000


def bench_increment(
    folder: Path, accounts: int, transfers: int, rounds: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Detect from nothing and with what was kept before the newest 1 % of transfers came."""
    _warm(folder / "warm", note)
    note("a world, and a store without its newest transfers")
    world, store, before = folder / "world", folder / "store", folder / "kept-before"
    made = run_stage("world", settle_in(folder, accounts, transfers))
    note("detect, which keeps")
    first = run_stage("detect, which keeps", _detect(store, before))
    took = _bytes(before)
    note(f"load {made.answer['new']:,} new transfers")
    newest = str(world / "newest.parquet")
    run_stage("load", inconcert("load", "transfers", newest, "--store", str(store)), parse=False)
    full: list[Stage] = []
    increment: list[Stage] = []
    for turn in range(rounds):
        note(f"detect from nothing, and with what is kept: {turn + 1} of {rounds}")
        full.append(run_stage("detect, from nothing", _detect(store)))
        shutil.copytree(before, folder / "kept")
        increment.append(run_stage("detect, with what is kept", _detect(store, folder / "kept")))
        shutil.rmtree(folder / "kept")
    digests = {stage.answer["result_sha256"] for stage in full + increment}
    part = times([one.seconds for one in increment], [one.seconds for one in full])
    processors = median(
        one.processor_seconds / other.processor_seconds
        for one, other in zip(increment, full, strict=True)
    )
    return {
        "machine": machine(),
        "accounts": accounts,
        "transfers": transfers,
        "new": made.answer["new"],
        "kept_bytes": took,
        "same_result": len(digests) == 1,
        "stages": [{**asdict(one), "answer": None} for one in (first, *full, *increment)],
        "detect_seconds": {
            "from nothing": full[-1].answer["run"]["seconds"],
            "with what is kept": increment[-1].answer["run"]["seconds"],
        },
        "targets": [
            target("with what is kept, part of the seconds from nothing", part, TARGET_PART),
            target("part of the processor seconds", processors, TARGET_PART),
            target("results that differ", len(digests) - 1, 0),
        ],
    }


def _warm(folder: Path, note: Callable[[str], None]) -> None:
    """Compile what has to be, by both ways through it."""
    note("a small world, which compiles what has to be")
    run_stage("world", settle_in(folder, WARM_ACCOUNTS, WARM_TRANSFERS))
    newest = str(folder / "world" / "newest.parquet")
    store, kept = folder / "store", folder / "kept"
    run_stage("warm", _detect(store, kept))
    load = inconcert("load", "transfers", newest, "--store", str(store))
    run_stage("load", load, parse=False)
    run_stage("warm", _detect(store, kept))


def settle_in(folder: Path, accounts: int, transfers: int) -> list[str]:
    """The command line of `settle`."""
    return python("inconcert.bench.increment:settle", str(folder), str(accounts), str(transfers))


def _detect(store: Path, kept: Path | None = None) -> list[str]:
    words = ["detect", "--store", str(store), "--format", "json", "--no-save"]
    return inconcert(*words, *(["--keep", str(kept)] if kept else []))


def settle(folder: str, accounts: str, transfers: str) -> None:
    """Simulate a world, put its newest transfers aside, load the rest; prints how many."""
    import json

    import polars as pl

    world, store = Path(folder) / "world", Path(folder) / "store"
    sizes = ["--accounts", accounts, "--transfers", transfers, "--days", str(DAYS)]
    run_stage(
        "simulate",
        inconcert("simulate", *sizes, "--seed", str(SEED), "--out", str(world)),
        parse=False,
    )
    moves = pl.read_parquet(world / "transfers.parquet").sort("at", "id")
    new = round(NEW_SHARE * len(moves))
    moves.tail(new).write_parquet(world / "newest.parquet")
    moves.head(len(moves) - new).write_parquet(world / "transfers.parquet")
    run_stage("init", inconcert("store", "init", str(store)), parse=False)
    for kind in KINDS:
        file = str(world / f"{kind}.parquet")
        run_stage(kind, inconcert("load", kind, file, "--store", str(store)), parse=False)
    print(json.dumps({"new": new}))


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
