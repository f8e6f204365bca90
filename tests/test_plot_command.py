"""`inconcert plot`: what it writes, what it says, what it refuses."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from graph import clock
from graph.schema import KINDS
from graph.store import Counts, RunRecord, Store, init_store
from inconcert.cli import run

ACCOUNTS = ["ann", "bob", "cyd"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Three accounts that hold all; two saved runs found them, one of them a second group."""
    store = init_store(str(tmp_path / "store"))
    columns = KINDS["holdings"].columns
    with store.loading("holdings", "test") as load:
        numbers = load.number(pl.Series(ACCOUNTS))
        nothing = {name: pl.lit(None, of) for name, of in columns.items()}
        frame = pl.DataFrame({"account": numbers, "uid": ["h1", "h2", "h3"]}).with_columns(
            **{**nothing, "account": pl.col("account")}
        )
        frame = frame.with_columns(
            revision=pl.lit(1, pl.Int32), amount=pl.lit(2).cast(columns["amount"])
        )
        load.append("holdings", frame.select("uid", "revision", *columns))
        load.commit(Counts(read=3, loaded=3))
    save(store, "r20260301-aaaaaa", "feed00000001", "feed00000002")
    save(store, "r20260302-bbbbbb", "feed00000001", "dead00000001")
    return store


def save(store: Store, run_id: str, *groups: str) -> None:
    members = [
        {"account": account, "share": 1 / 3, "share_without": 2 / 3, "holdings": "2", "reasons": []}
        for account in ACCOUNTS
    ]
    result = {
        "run": {"id": run_id, "as_of": "2026-03-01T00:00:00Z", "known_at": 1},
        "supply": "6",
        "base_rule": "stated",
        "accounts": 3,
        "lines": [0.05],
        "message": None,
        "groups": [
            {
                "id": group,
                "line": 0.05,
                "share": 1.0,
                "grade": "indication",
                "strength_bits": 40.0,
                "members": members,
            }
            for group in groups
        ],
    }
    store.save_run(RunRecord(run_id, clock.parse_time(run_id[1:9]), result))


def plot(store: Store, *words: str) -> int:
    return run(["plot", *words, "--store", store.url])


def test_a_group_is_drawn_from_the_latest_run_that_has_it(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "plots"
    assert plot(store, "feed00000002", "--out", str(out)) == 0
    said = capsys.readouterr()
    paths = [Path(line) for line in said.out.splitlines()]
    assert [path.name for path in paths] == [
        "feed00000002-graph.png",
        "feed00000002-share-without.png",
    ]
    assert sorted(out.iterdir()) == sorted(paths)
    assert said.err == ""


def test_the_beginning_of_an_id_is_enough_when_only_one_has_it(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot(store, "feed", "--out", str(tmp_path / "a"), "--format", "svg") == 0
    assert "feed00000001-graph.svg" in capsys.readouterr().out
    assert plot(store, "feed", "--run", "r20260301", "--out", str(tmp_path / "b")) == 1
    said = capsys.readouterr()
    assert "feed00000001" in said.err
    assert "feed00000002" in said.err
    assert said.out == ""
    assert not (tmp_path / "b").exists()


def test_a_run_is_drawn_by_id_beginning_or_last(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot(store, "r20260301", "--out", str(tmp_path)) == 0
    assert "r20260301-aaaaaa-overview.png" in capsys.readouterr().out
    assert plot(store, "last", "--out", str(tmp_path)) == 0
    out = capsys.readouterr().out
    assert "r20260302-bbbbbb-overview.png" in out
    assert "dead00000001-graph.png" in out


@pytest.mark.parametrize("name", ["beef", "r2027", ""])
def test_what_is_not_there_is_one_clear_sentence(
    store: Store, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plot(store, name, "--out", str(tmp_path / "plots")) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("inconcert: ")
    assert len(said.err.splitlines()) == 1


def test_a_file_in_the_way_is_refused(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert plot(store, "last", "--out", str(tmp_path / "file" / "plots")) == 1
    assert "a file is in its way" in capsys.readouterr().err
    assert plot(store, "last", "--out", str(tmp_path / "file")) == 2
