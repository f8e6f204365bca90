"""`bench speed --hub`: what one account that deals with everybody costs a detection.

The same world twice, with as many facts of each kind: as it is, and with one end of some
facts changed so that one account deals with all others, one device is everybody's and one
referrer brought in half of them. What is counted per edge costs the same in both; what
looks at pairs of a hub's counterparties could not end in the second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inconcert.bench.figures import machine, target
from inconcert.bench.stages import Stage, inconcert, python, run_stage
from inconcert.demo import DAYS, KINDS, SEED

if TYPE_CHECKING:
    import polars as pl

    from graph.store import Store

HUB = "hub"
"""No account of a simulated world has this id; no role is declared for it."""

DEVICE = "everybody's"

TARGET_TIMES = 1.5
WARM_ACCOUNTS, WARM_TRANSFERS = 600, 3_000


def bench_hub(
    folder: Path, accounts: int, transfers: int, note: Callable[[str], None]
) -> dict[str, Any]:
    """Detect with all families in a world, and in the same one with a hub; each a process.

    `transfers` must be `accounts` at least: the hub has one with each of them.
    """
    note("worlds and stores: plain, and with a hub")
    made = run_stage(
        "worlds", python("inconcert.bench.hub:settle", str(folder), str(accounts), str(transfers))
    )
    detected: dict[str, Stage] = {}
    for name in ("warm", "plain", "hub"):  # the first compiles what has to be
        note(f"detect, {name}")
        command = ["detect", "--store", str(folder / f"{name}-store"), "--format", "json"]
        detected[name] = run_stage(f"detect, {name}", inconcert(*command, "--no-save"))
    without, beside = detected["plain"], detected["hub"]
    ratios = {
        "seconds": beside.seconds / without.seconds,
        "processor seconds": beside.processor_seconds / without.processor_seconds,
        "peak memory": beside.peak_mb / without.peak_mb,
    }
    return {
        "machine": machine(),
        "accounts": accounts,
        "transfers": transfers,
        "hub": made.answer,
        "stages": [{**asdict(one), "answer": None} for one in (without, beside)],
        "detect_seconds": {
            name: detected[name].answer["run"]["seconds"] for name in ("plain", "hub")
        },
        "accused": _accused(beside.answer),
        "targets": [
            target(f"with a hub, x the {what} without", times, TARGET_TIMES)
            for what, times in ratios.items()
        ],
    }


def _accused(result: dict[str, Any]) -> int:
    """In how many findings the hub is a member: it joins nobody, so in none."""
    return sum(
        any(member["account"] == HUB for member in group["members"]) for group in result["groups"]
    )


def settle(folder: str, accounts: str, transfers: str) -> None:
    """Make the worlds `warm`, `plain` and `hub` in a folder, and a store of each; prints what
    the hub has, as JSON."""
    from inconcert.simulate import make_world, write_world

    place = Path(folder)
    sizes = {"warm": (WARM_ACCOUNTS, WARM_TRANSFERS), "plain": (int(accounts), int(transfers))}
    for name, (people, moves) in sizes.items():
        write_world(make_world(people, moves, SEED, DAYS), place / name)
    counts = with_hub(place / "plain", place / "hub")
    for name in (*sizes, "hub"):
        fill(place / f"{name}-store", place / name)
    print(json.dumps(counts))


def fill(store: Path, world: Path) -> Store:
    """A new store with a world's files in it."""
    from graph.store import init_store
    from loaders.files import inputs
    from loaders.kinds import sources
    from loaders.load import load
    from loaders.plan import Options

    filled = init_store(str(store))
    for kind in KINDS:
        with inputs([str(world / f"{kind}.parquet")], None) as readers:
            load(filled, sources()[kind], readers, Options())
    return filled


def with_hub(world: Path, folder: Path) -> dict[str, int]:
    """Copy a world's files, with one end of some facts changed; returns how many.

    Of the transfers, as many as there are accounts, evenly over time: every account deals
    with the hub once, in turn paying it and paid by it. Of the sightings by a device, each
    account's first: all by one device. Of the referrals every second: by the hub.
    """
    import polars as pl

    folder.mkdir()
    frames = {kind: pl.read_parquet(world / f"{kind}.parquet") for kind in KINDS}
    frames["transfers"], partners = all_deal_with_it(
        frames["transfers"], frames["accounts"]["account"]
    )
    first = (pl.col("identifier_kind") == "device") & (
        pl.int_range(pl.len()).over("account", "identifier_kind") == 0
    )
    shared = pl.when(first).then(pl.lit(DEVICE)).otherwise("value")
    frames["sightings"] = frames["sightings"].with_columns(value=shared)
    second = pl.int_range(pl.len()) % 2 == 1
    brought = pl.when(second).then(pl.lit(HUB)).otherwise("referrer")
    frames["referrals"] = frames["referrals"].with_columns(referrer=brought)
    for kind, frame in frames.items():
        frame.write_parquet(folder / f"{kind}.parquet")
    holders = frames["sightings"].filter(pl.col("value") == DEVICE)["account"].n_unique()
    recruits = frames["referrals"].filter(pl.col("referrer") == HUB).height
    return {"counterparties": partners, "holders": holders, "brought_in": recruits}


def all_deal_with_it(transfers: pl.DataFrame, accounts: pl.Series) -> tuple[pl.DataFrame, int]:
    """The transfers with one end of some put in the hub's place, and how many accounts that
    makes its counterparties."""
    import polars as pl

    turn = pl.int_range(pl.len(), dtype=pl.Int64) * len(accounts) // len(transfers)
    rows = transfers.with_columns(turn=turn).with_columns(
        chosen=pl.col("turn") != pl.col("turn").shift(1, fill_value=-1),
        pays=pl.col("turn") % 2 == 0,
        partner=pl.lit(accounts).gather(pl.col("turn")),
    )
    src = pl.when("pays").then("partner").otherwise(pl.lit(HUB))
    dst = pl.when("pays").then(pl.lit(HUB)).otherwise("partner")
    rows = rows.with_columns(
        src=pl.when("chosen").then(src).otherwise("src"),
        dst=pl.when("chosen").then(dst).otherwise("dst"),
    )
    partners = rows.filter("chosen")["partner"].n_unique()
    return rows.select(transfers.columns), partners
