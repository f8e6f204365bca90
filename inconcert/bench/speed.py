"""`bench speed`: each stage of the main job as a process, beside merely reading its input."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inconcert.bench.figures import machine, target
from inconcert.bench.stages import Stage, inconcert, python, run_stage
from inconcert.demo import ACCOUNTS, DAYS, KINDS, SEED, TRANSFERS

TARGET_LOAD_ROWS_A_SECOND = 500_000
TARGET_DETECT_SECONDS = 90.0
TARGET_DETECT_MB = 6 * 1024
TARGET_DEMO_SECONDS = 3.0
TARGET_SIMULATE_SECONDS = 60.0
NETWORKX_TRANSFERS = 1_000_000


def bench_speed(
    folder: Path, accounts: int, transfers: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Simulate, read, load, detect at a size; the demo's world; networkx on 1 M transfers."""
    stages: list[Stage] = []

    def stage(name: str, command: list[str], parse: bool = True) -> Stage:
        note(name)
        stages.append(run_stage(name, command, parse))
        return stages[-1]

    world, store = folder / "world", folder / "store"
    files = world / "transfers.parquet"
    simulate = stage("simulate", _simulate(accounts, transfers, 60, world), parse=False)
    yardstick = stage("read transfers only", python("inconcert.bench.speed:read_only", str(files)))
    stage("init", inconcert("store", "init", str(store)), parse=False)
    loads = {
        kind: stage(
            f"load {kind}",
            inconcert(
                "load",
                kind,
                str(world / f"{kind}.parquet"),
                "--store",
                str(store),
                "--format",
                "json",
            ),
        )
        for kind in KINDS
    }
    cold = stage("detect, first run", _detect(store), parse=True)
    detect = stage("detect", _detect(store), parse=True)
    demo_world, demo_store = folder / "demo-world", folder / "demo-store"
    run_stage("demo world", _simulate(ACCOUNTS, TRANSFERS, DAYS, demo_world), parse=False)
    run_stage("demo init", inconcert("store", "init", str(demo_store)), parse=False)
    for kind in KINDS:
        run_stage(
            f"demo load {kind}",
            inconcert(
                "load", kind, str(demo_world / f"{kind}.parquet"), "--store", str(demo_store)
            ),
            parse=False,
        )
    demo = stage("detect, demo's world", _detect(demo_store))
    plain = stage(
        "networkx components, 1 M transfers",
        python("inconcert.bench.speed:plain_networkx", str(files), str(world / "holdings.parquet")),
    )
    load = loads["transfers"]
    rows_a_second = load.answer["read"] / load.answer["seconds"]
    return {
        "machine": machine(),
        "accounts": accounts,
        "transfers": transfers,
        "stages": [{**asdict(one), "answer": None} for one in stages],
        "detect_seconds": detect.answer["run"]["seconds"],
        "first_detect_seconds": cold.answer["run"]["seconds"],
        "load_rows_a_second": round(rows_a_second),
        "load_over_reading": round(load.seconds / yardstick.seconds, 2),
        "detect_over_reading": round(detect.seconds / yardstick.seconds, 2),
        "networkx": plain.answer,
        "targets": [
            target("load transfers, rows/s", rows_a_second, TARGET_LOAD_ROWS_A_SECOND, True),
            target("detect, s", detect.seconds, TARGET_DETECT_SECONDS),
            target("detect, peak MB", detect.peak_mb, TARGET_DETECT_MB),
            target("detect the demo's world, s", demo.seconds, TARGET_DEMO_SECONDS),
            target("simulate, s", simulate.seconds, TARGET_SIMULATE_SECONDS),
        ],
    }


def _simulate(accounts: int, transfers: int, days: int, out: Path) -> list[str]:
    return inconcert(
        "simulate",
        "--accounts",
        str(accounts),
        "--transfers",
        str(transfers),
        "--seed",
        str(SEED),
        "--days",
        str(days),
        "--out",
        str(out),
    )


def _detect(store: Path) -> list[str]:
    return inconcert("detect", "--store", str(store), "--format", "json", "--no-save")


def read_only(path: str) -> None:
    """The yardstick: read every column of a Parquet file into memory; prints the rows."""
    import polars as pl

    print(json.dumps({"rows": len(pl.read_parquet(path))}))


def plain_networkx(transfers: str, holdings: str) -> None:
    """The plain answer to the same question: components of the graph, then sums, in networkx."""
    import networkx as nx
    import polars as pl

    begun = time.perf_counter()
    rows = pl.read_parquet(transfers, columns=["src", "dst"], n_rows=NETWORKX_TRANSFERS)
    graph = nx.Graph()
    graph.add_edges_from(rows.iter_rows())
    held = dict(pl.read_parquet(holdings, columns=["account", "amount"]).iter_rows())
    supply = float(sum(held.values()))
    shares = [
        (sum(float(held.get(account, 0)) for account in part) / supply, len(part))
        for part in nx.connected_components(graph)
    ]
    over = sorted((found for found in shares if found[0] >= 0.05), reverse=True)
    print(
        json.dumps(
            {
                "transfers": len(rows),
                "seconds": round(time.perf_counter() - begun, 2),
                "groups_over_5_percent": len(over),
                "largest": {"share": over[0][0], "accounts": over[0][1]} if over else None,
            }
        )
    )
