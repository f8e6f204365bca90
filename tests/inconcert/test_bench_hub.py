"""`inconcert bench speed --hub`: one account that deals with everybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors.engine.detect import detect
from inconcert.asking import make_request
from inconcert.bench.hub import DEVICE, HUB, all_deal_with_it, fill, with_hub
from inconcert.simulate import make_world, write_world

ACCOUNTS, TRANSFERS = 1500, 9000


def test_as_many_facts_and_no_more_evidence_than_without(tmp_path: Path) -> None:
    plain, hub = tmp_path / "plain", tmp_path / "hub"
    write_world(make_world(ACCOUNTS, TRANSFERS, 1, 60), plain)
    made = with_hub(plain, hub)
    worlds = [
        {file.stem: pl.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}
        for folder in (plain, hub)
    ]
    assert [frame.shape for frame in worlds[0].values()] == [
        frame.shape for frame in worlds[1].values()
    ]
    moves, seen, brought = (worlds[1][kind] for kind in ("transfers", "sightings", "referrals"))
    partners = {*moves.filter(src=HUB)["dst"], *moves.filter(dst=HUB)["src"]}
    assert made == {
        "counterparties": len(partners),
        "holders": seen.filter(value=DEVICE)["account"].n_unique(),
        "brought_in": len(brought.filter(referrer=HUB)),
    }
    assert partners == set(worlds[0]["accounts"]["account"])
    assert made["holders"] > 0.9 * ACCOUNTS
    results = [
        detect(fill(tmp_path / f"{world.name}-store", world), make_request((), ())).result
        for world in (plain, hub)
    ]
    assert results[1]["pairs"] <= results[0]["pairs"] + made["counterparties"]  # and no square
    assert not any(
        member["account"] == HUB for group in results[1]["groups"] for member in group["members"]
    )


def test_everybody_deals_with_the_hub_once_however_many_they_are() -> None:
    accounts = pl.Series([f"u{number}" for number in range(100_000)])
    moves = pl.select(src=pl.lit("x"), dst=pl.lit("y"), id=pl.int_range(300_000))
    changed, partners = all_deal_with_it(moves, accounts)
    ends = changed.filter((pl.col("src") == HUB) | (pl.col("dst") == HUB))
    assert (partners, len(ends), len(changed)) == (100_000, 100_000, 300_000)
    assert changed.columns == moves.columns


def test_fewer_transfers_than_accounts_are_refused(call: Any) -> None:
    code, out, err = call("bench", "speed", "--hub", "--accounts", "700", "--transfers", "600")
    assert (code, out) == (1, "")
    assert "needs as many transfers" in err


@pytest.mark.long
def test_the_whole_case_at_toy_size(call: Any, tmp_path: Path) -> None:
    place = tmp_path / "hub.json"
    words = ["--accounts", ACCOUNTS, "--transfers", TRANSFERS, "--json", place]
    code, out, _ = call("bench", "speed", "--hub", *words)
    answer = json.loads(place.read_text())
    assert code == 0
    assert [stage["name"] for stage in answer["stages"]] == ["detect, plain", "detect, hub"]
    assert all(stage["peak_mb"] > 0 for stage in answer["stages"])
    assert len(answer["targets"]) == 3
    assert answer["accused"] == 0
    assert f"the hub deals with {answer['hub']['counterparties']:,} accounts" in out
