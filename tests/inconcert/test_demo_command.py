"""`demo`: from nothing to findings, and never over somebody's files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graph.store import open_store
from inconcert import demo
from inconcert.demo import MARK, best_match


@pytest.fixture
def small(monkeypatch):
    """The real demo with a tenth of its accounts, so that it takes seconds."""
    monkeypatch.setattr(demo, "ACCOUNTS", 2000)
    monkeypatch.setattr(demo, "TRANSFERS", 24_000)
    monkeypatch.setattr(demo, "SEED", 3)
    monkeypatch.setenv("INCONCERT_NOW", "2026-07-02")  # after the simulated world's last day


def names(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


def test_the_demo_finds_draws_and_tells_the_truth(call, small, tmp_path: Path):
    code, out, err = call("demo")
    assert (code, err) == (0, "")
    folder = tmp_path / "demo"
    truth = json.loads((folder / "world" / "truth.json").read_text())
    run = open_store(str(folder / "store")).run("r")
    assert "What a per-account check sees: no accounts at or over 5%" in out
    for group in truth:
        assert f"{group['kind']} " in out
        jaccard, found = best_match(group["members"], run)
        if found:
            assert f"found as {found['id']}, overlap {jaccard:.0%}" in out
    assert any(best_match(group["members"], run)[0] > 0.8 for group in truth)
    pictures = list((folder / "plots").rglob("*.png"))
    assert len(pictures) >= 1 + 4 * len(run.result["groups"])
    assert f"Plots: {len(pictures)} in demo/plots" in out
    # what it says to type next works
    next_command = out.splitlines()[-1].removeprefix("Next:  inconcert ").split()
    code, shown, _ = call(*next_command)
    assert code == 0
    assert shown.startswith(f"Group {run.result['groups'][0]['id']}")


def test_a_folder_of_somebody_else_is_refused_and_untouched(call, tmp_path: Path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("years of work")
    code, out, err = call("demo")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "--out" in err
    assert names(tmp_path / "demo") == ["thesis.txt"]
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "years of work"


def test_an_earlier_demo_is_replaced(tmp_path: Path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / MARK).touch()
    (tmp_path / "demo" / "old").write_text("x")
    demo._fresh(tmp_path / "demo")
    assert names(tmp_path / "demo") == [MARK]
