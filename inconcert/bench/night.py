"""`bench speed --night`: what a night costs, from the feeds to the orders.

A world's first transfers are loaded, and a first night takes the platform up as it stands. Then
a feed brings the newest 1 %, and the next night is measured: one process that takes them in,
detects at the lines of the policy in force, compares, fills the queue and sets the clocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from inconcert.bench.figures import machine, target
from inconcert.bench.increment import settle_in
from inconcert.bench.stages import inconcert, run_stage

TARGET_SECONDS, TARGET_MB = 180.0, 8 * 1024.0

SETTINGS = """store = "store"

[[feed]]
name = "transfers"
kind = "transfers"
folder = "feed"
done = "done"
"""


def bench_night(
    folder: Path, accounts: int, transfers: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """The night after 1 % of transfers have come, on a store that has had one before."""
    note("a world, and a store without its newest transfers")
    made = run_stage("world", settle_in(folder, accounts, transfers))
    (folder / "inconcert.toml").write_text(SETTINGS)
    feed = folder / "feed"
    feed.mkdir()
    command = inconcert("refresh", "--format", "json")
    note("the first night")
    first = run_stage("the first night", command, cwd=folder)
    note(f"a night with {made.answer['new']:,} new transfers")
    day = feed / "newest"
    day.mkdir()
    (folder / "world" / "newest.parquet").rename(day / "transfers.parquet")
    (day / "done").touch()
    night = run_stage("a night", command, cwd=folder)
    return {
        "machine": machine(),
        "accounts": accounts,
        "transfers": transfers,
        "new": made.answer["new"],
        "stages": [{**asdict(one), "answer": None} for one in (first, night)],
        "seconds": {name: its["seconds"] for name, its in night.answer["stages"].items()},
        "targets": [
            target("a night, seconds", night.seconds, TARGET_SECONDS),
            target("a night, peak MB", night.peak_mb, TARGET_MB),
        ],
    }
