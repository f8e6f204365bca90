"""`inconcert runs prune`, and what commands say of a run that was pruned."""

from __future__ import annotations

import json

import pytest

from graph.store import open_store


@pytest.fixture
def runs(call, own_platform):
    """Three runs, the oldest of them pruned: their ids, oldest first."""
    for line in ("4%", "3%"):
        assert call("detect", "--line", line)[0] == 0
    ids = [run.id for run in reversed(open_store(str(own_platform)).runs())]
    code, out, err = call("runs", "prune", "--keep", "2")
    assert (code, err) == (0, "")
    assert out == f"Pruned run {ids[0]}: its summary is left, the 2 newest stay whole.\n"
    return ids


def test_pruning_says_when_there_is_nothing_to_do(call, runs):
    said = "Nothing to prune: the 2 newest stay whole, and no older run is whole.\n"
    assert call("runs", "prune", "--keep", "2") == (0, said, "")
    code, out, _ = call("runs", "prune", "--keep", "1")
    assert code == 0
    assert out == f"Pruned run {runs[1]}: its summary is left, the newest run stays whole.\n"


def test_pruning_several_names_the_first_and_the_last(call, own_platform):
    for line in ("4%", "3%"):
        assert call("detect", "--line", line)[0] == 0
    newest, middle, oldest = (run.id for run in open_store(str(own_platform)).runs())
    code, out, _ = call("runs", "prune", "--keep", "1")
    assert code == 0
    assert out == (
        f"Pruned 2 runs, {oldest} to {middle}: summaries are left, the newest run stays whole.\n"
    )
    assert open_store(str(own_platform)).current_run().id == newest


def test_the_current_run_cannot_be_pruned(call, runs, own_platform):
    for words in (["--keep", "0"], ["--keep", "-1"], ["--keep", "few"], []):
        code, out, err = call("runs", "prune", *words)
        assert (code, out) == (2, "")
        assert "--keep" in err
    assert not open_store(str(own_platform)).current_run().pruned


def test_the_list_shows_what_is_left_of_each_run(call, runs):
    rows = json.loads(call("runs", "--format", "json")[1])
    assert [(row["run"], row["pruned"], row["groups"]) for row in rows] == [
        (runs[2], False, 1),
        (runs[1], False, 1),
        (runs[0], True, 1),
    ]
    assert all(len(row["result_sha256"]) == 64 for row in rows)
    lines = call("runs")[1].splitlines()[1:]
    assert [line.split()[-1] for line in lines] == ["whole", "whole", "summary"]


def test_groups_of_a_pruned_run_are_what_its_summary_says(call, runs):
    code, out, err = call("groups", "--run", runs[0])
    assert (code, err.splitlines()) == (
        0,
        [f"Run {runs[0]} was pruned: this summary of its groups is all that is left."],
    )
    assert [word in out for word in ("6.00 %", "10", "6,000", "corroborated")] == [True] * 4
    code, out, _ = call("groups", "--run", runs[0], "--format", "json")
    (group,) = json.loads(out)
    assert code == 0
    assert (group["size"], group["share"], group["holdings"]) == (10, 0.06, "6000")
    assert "members" not in group


@pytest.mark.parametrize(
    "words", [["show", "GROUP"], ["plot", "GROUP", "--out", "plots"], ["trace", "GROUP"]]
)
def test_what_needs_the_members_says_that_they_are_gone(call, runs, words):
    group = json.loads(call("groups", "--run", runs[0], "--format", "json")[1])[0]["id"]
    code, out, err = call(*(group if word == "GROUP" else word for word in words))
    assert (code, out) == (1, "")
    assert err.startswith(f"inconcert: Run {runs[0]} was pruned: only its summary is left.")
    assert len(err.splitlines()) == 1
    code, _, err = call("plot", runs[0], "--out", "plots")
    assert (code, "was pruned" in err) == (1, True)


def test_groups_of_newer_runs_are_there_as_before(call, runs):
    (group,) = json.loads(call("groups", "--run", runs[1], "--format", "json")[1])
    code, out, err = call("show", group["id"])
    assert (code, err) == (0, "")
    assert out.startswith(f"Group {group['id']}")
    assert call("show", group["id"], "--run", runs[1])[1] == out


def test_why_still_answers_by_a_pruned_run(call, runs):
    code, out, _ = call("why", "r0", "r1", "--run", runs[0])
    assert code == 0
    assert "both seen with one device" in out
