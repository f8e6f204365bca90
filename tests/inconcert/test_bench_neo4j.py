"""`bench neo4j`: both sides do the same work, goals are judged, a server is left as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from neo4j_servers import TestServer, asked, do_without, wipe

from graph.neo4j.read import Reader, Spans
from graph.neo4j.server import Server
from graph.neo4j.store import Neo4jStore
from inconcert.bench.figures import target, times
from inconcert.bench.neo4j import World
from inconcert.bench.neo4j_yardsticks import packed, recorded, replay, row_by_row
from inconcert.devserver import missing
from inconcert.simulate import make_world, write_world

ACCOUNTS, TRANSFERS = 500, 12_000


@pytest.fixture
def empty(neo4j_server: TestServer, neo4j_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database without a schema, after the simulated world's last day."""
    wipe(neo4j_url, schema=True)
    monkeypatch.setenv("INCONCERT_NOW", "2026-07-02")
    return neo4j_url


@pytest.fixture
def world(tmp_path: Path) -> World:
    write_world(make_world(ACCOUNTS, TRANSFERS, 1, 60), tmp_path / "world")
    return World(tmp_path / "world" / "transfers.parquet", TRANSFERS)


def facts(url: str) -> pl.DataFrame:
    server = Server.connect(url)
    everywhere = [Spans(1, (0, 10 * TRANSFERS))]
    rows = Reader(server).facts("transfers", everywhere).collect()
    server.close()
    return rows.sort("uid")


def test_the_bare_driver_writes_what_the_product_wrote(empty: str, world: World) -> None:
    mine, other = f"{empty}?prefix=Mine", f"{empty}?prefix=Other"
    Neo4jStore.init(mine).server.close()
    Neo4jStore.init(other).server.close()
    parts = recorded(mine, world.load)
    assert {name for part in parts for name, _ in part} == {
        "store/write_numbers",
        "store/write_transfers",
    }
    assert len(parts) > 2  # 10,000 rows a transaction, as the product sends them
    replay(other, parts)
    assert facts(mine).height == TRANSFERS
    assert facts(other).equals(facts(mine))
    assert row_by_row(mine) == row_by_row(other) == packed(mine) == TRANSFERS


@pytest.mark.long
def test_a_server_of_somebody_is_left_as_it_was(call: Any, empty: str, tmp_path: Path) -> None:
    asked(empty, "CREATE CONSTRAINT theirs FOR (n:Theirs) REQUIRE n.id IS UNIQUE")
    words = ["--accounts", ACCOUNTS, "--transfers", TRANSFERS, "--rounds", 1]
    code, out, err = call(
        "bench", "neo4j", "--store", empty, *words, "--json", tmp_path / "figures.json"
    )
    assert code == 0, err
    figures = json.loads((tmp_path / "figures.json").read_text())
    load, read = figures["load"], figures["read"]
    assert load["over_bare"] == load["product_seconds"][0] / load["bare_seconds"][0]
    assert load["transactions"] == 3
    assert len(read["product_seconds"]) == len(read["row_by_row_seconds"]) > 1
    assert [goal["what"] for goal in figures["targets"]] == [
        "load, x a bare driver",
        "read, x faster than row by row",
        "read, x the packed queries alone",
    ]
    for goal in figures["targets"]:
        met = "met" if goal["met"] else "MISSED"
        assert f"{met}  {goal['what']}: {goal['measured']:,} (goal {goal['target']:,})" in out
    assert asked(empty, "MATCH (n) RETURN n LIMIT 1") == []
    names = [row["name"] for row in asked(empty, "SHOW INDEXES YIELD name, type")]
    assert [name for name in names if name.startswith("Inconcert")] == []
    assert "theirs" in names


def test_a_database_that_holds_something_is_not_touched(call: Any, empty: str) -> None:
    asked(empty, "CREATE (:Theirs {id: 1})")
    code, out, err = call(
        "bench", "neo4j", "--store", empty, "--accounts", ACCOUNTS, "--transfers", TRANSFERS
    )
    assert (code, out) == (1, "")
    assert "holds something else: nodes with the labels Theirs." in err
    assert "Name one with an empty database" in err
    assert "Traceback" not in err
    [row] = asked(empty, "MATCH (n) RETURN count(n) AS nodes, collect(labels(n)[0]) AS labels")
    assert (row["nodes"], row["labels"]) == (1, ["Theirs"])


def test_a_prefix_is_refused(call: Any, empty: str) -> None:
    code, _, err = call("bench", "neo4j", "--store", f"{empty}?prefix=Team")
    assert code == 1
    assert "Leave the prefix out" in err


@pytest.mark.long
def test_a_clock_before_the_world_is_said(
    call: Any, empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-01")
    code, _, err = call(
        "bench", "neo4j", "--store", empty, "--accounts", ACCOUNTS, "--transfers", TRANSFERS
    )
    assert code == 1
    assert "INCONCERT_NOW" in err
    assert asked(empty, "MATCH (n) RETURN n LIMIT 1") == []


@pytest.mark.timeout(900)
@pytest.mark.long
def test_a_server_of_its_own_shows_bytes_and_the_import_too(
    call: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if reason := missing():
        do_without(f"No Neo4j server to measure: {reason}")
    monkeypatch.setenv("INCONCERT_NOW", "2026-07-02")
    monkeypatch.setenv("NEO4J_DATABASE", "another")  # of somebody's server, not of this one
    words = ["--accounts", ACCOUNTS, "--transfers", TRANSFERS, "--rounds", 1]
    code, out, err = call("bench", "neo4j", *words, "--json", tmp_path / "figures.json")
    assert code == 0, err
    figures = json.loads((tmp_path / "figures.json").read_text())
    sizes, bulk = figures["bytes"], figures["bulk"]
    assert sizes["accounts"] <= ACCOUNTS
    # a relationship (34 bytes), 6 or more properties (41 each 1 to 4), two entries of indexes
    assert 100 < sizes["transfer"] < 1000
    assert sizes["log"] > sizes["transfer"] * TRANSFERS
    written, imported = bulk["export_seconds"], bulk["import_seconds"]
    assert 1 < bulk["over_admin"] <= 1 + max(written) / min(imported)
    assert len(figures["targets"]) == 4
    assert "bulk: write the files" in out
    assert f"{sizes['transfer']:,} bytes a transfer" in out


def test_a_ratio_is_of_neighbours_in_time() -> None:
    """A machine that slows down ten times slows both: it is no part of the ratio."""
    assert times([1.1, 11.0, 1.2], [1.0, 10.0, 1.0]) == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("measured", "more_is_better", "met"),
    [(1.3, False, True), (1.31, False, False), (5.0, True, True), (4.99, True, False)],
)
def test_a_goal_is_met_or_not(measured: float, more_is_better: bool, met: bool) -> None:
    goal = 5.0 if more_is_better else 1.3
    assert target("x", measured, goal, more_is_better)["met"] is met
