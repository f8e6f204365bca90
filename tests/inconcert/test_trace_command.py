"""`trace`: where points went, hop by hop, in the order of time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from town_files import write

ROWS = [
    ("src", "dst", "amount", "at"),
    ("source", "a", "100", "2026-01-01"),
    ("a", "b", "10.5", "2026-01-02"),
    ("a", "b", "0.000000000000000001", "2026-01-03"),
    ("b", "c", "7", "2026-01-04"),
    ("b", "early", "3", "2026-01-01"),
    ("b", "instant", "2", "2026-01-02"),
    ("c", "shop", "5", "2026-01-05"),
    ("shop", "supplier", "4", "2026-01-06"),
    ("c", "a", "1", "2026-01-07"),
    ("c", "d", "2", "2026-01-08"),
]


@pytest.fixture
def traced(call, monkeypatch, tmp_path: Path):
    """Traces in a store of its own: the hops as (hop, from, to)."""
    monkeypatch.setenv("INCONCERT_STORE", str(tmp_path / "traced"))
    assert call("store", "init")[0] == 0
    assert call("load", "transfers", write(tmp_path / "t.csv", *ROWS))[0] == 0
    roles = write(tmp_path / "a.csv", ("account", "role"), ("shop", "merchant"))
    assert call("load", "accounts", roles)[0] == 0

    def traced(*words: str):
        code, out, err = call("trace", *words, "--format", "json")
        assert (code, err) == (0, "")
        return [(hop["hop"], hop["src"], hop["dst"]) for hop in json.loads(out)["hops"]]

    return traced


def test_forward_in_the_order_of_time_and_not_through_institutions(traced):
    """b sent to `early` before anything came from a, to `instant` as it came."""
    assert set(traced("a", "--depth", "9")) == {
        (1, "a", "b"),
        (2, "b", "c"),
        (2, "b", "instant"),
        (3, "c", "shop"),
        (3, "c", "a"),
        (3, "c", "d"),
    }


def test_as_deep_as_asked(traced):
    assert traced("a", "--depth", "1") == [(1, "a", "b")]
    assert {hop[0] for hop in traced("a", "--depth", "2")} == {1, 2}


def test_back_where_points_came_from(traced):
    assert traced("d", "--direction", "in", "--depth", "9") == [
        (-1, "c", "d"),
        (-2, "b", "c"),
        (-3, "a", "b"),
        (-4, "source", "a"),
    ]


def test_both_ways(traced):
    assert set(traced("b", "--direction", "both", "--depth", "1")) == {
        (1, "b", "c"),
        (1, "b", "early"),
        (1, "b", "instant"),
        (-1, "a", "b"),
    }


def test_between_two_times(traced):
    assert traced("b", "--from", "2026-01-02") == [
        (1, "b", "c"),
        (1, "b", "instant"),
        (2, "c", "shop"),
        (2, "c", "d"),
        (2, "c", "a"),
    ]
    assert traced("b", "--to", "2026-01-02") == [(1, "b", "early"), (1, "b", "instant")]


def test_amounts_are_exact_sums_with_their_times(call, traced):
    (hop,) = json.loads(call("trace", "a", "--depth", "1", "--format", "json")[1])["hops"]
    assert hop == {
        "hop": 1,
        "src": "a",
        "dst": "b",
        "amount": "10.500000000000000001",
        "transfers": 2,
        "first": "2026-01-02T00:00:00Z",
        "last": "2026-01-03T00:00:00Z",
    }
    code, out, _ = call("trace", "a")
    assert code == 0
    assert "10.500000000000000001" in out
    assert call("trace", "supplier")[1] == "No transfers leave supplier.\n"


def test_a_limit_leaves_the_largest_and_says_so(call, traced):
    code, out, err = call("trace", "b", "--depth", "1", "--limit", "1", "--format", "table")
    assert code == 0
    assert "c" in out
    assert "early" not in out
    assert err.startswith("2 more pairs (--limit shows more)")


def test_a_group_is_traced_as_one(call, platform):
    from graph.store import open_store

    run = open_store(str(platform)).run("r")
    group = run.result["groups"][0]["id"]
    code, out, _ = call("trace", group[:6], "--depth", "1", "--format", "json", "--limit", "99")
    hops = json.loads(out)["hops"]
    assert code == 0
    assert {hop["src"] for hop in hops} == {f"r{number}" for number in range(10)}
    assert ("r0", "shop", "9") in [(hop["src"], hop["dst"], hop["amount"]) for hop in hops]
    assert call("trace", "nobody")[0] == 1
