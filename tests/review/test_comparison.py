"""What differs between two runs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from queue_helpers import SUPPLY, group, members, run_of

from graph.store import RunRecord, Store, init_store
from inconcert.cli import run
from reports.comparison_text import comparison
from reports.findings_text import to_text
from review.comparison import compare, share_change

TWELVE = members((0, 12))
FLOW = {
    "family": "flow",
    "source": "transfers",
    "bits": 90.0,
    "text": "they pay each other",
    "facts": [],
}


def saved(name: str, *groups: Mapping[str, Any], base: int = SUPPLY, **said: Any) -> RunRecord:
    found = run_of(name, *map(dict, groups))
    found.result["supply"] = str(base)
    found.result["run"] |= {"detectors": ["flow", "identifier"], "exact_lines": ["1/20"], **said}
    return found


def changes(answer: Mapping[str, Any]) -> dict[tuple[str | None, str | None], str]:
    return {
        tuple(row[side] and row[side]["group"] for side in ("before", "after")): row["change"]
        for row in answer["groups"]
    }


HELD = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 10**9), min_size=1)
BASE = st.integers(10**9, 10**12)


@given(old=st.none() | HELD, new=st.none() | HELD, was=BASE | st.just(0), own=BASE | st.just(0))
def test_the_parts_of_a_change_add_up_to_it(
    old: dict[str, int] | None, new: dict[str, int] | None, was: int, own: int
) -> None:
    sides = [held and group("g", held) for held in (old, new)]
    parts = {
        name: Fraction(text)
        for name, text in share_change(*sides, Fraction(was), Fraction(own))["exact"].items()
    }
    shares = [
        Fraction(sum((held or {}).values()), base) if base else Fraction(0)
        for held, base in ((old, was), (new, own))
    ]
    assert parts["members"] + parts["holdings"] + parts["base"] == parts["all"]
    assert parts["all"] == shares[1] - shares[0]
    if was == own:
        assert parts["base"] == 0
    if old is not None and new is not None and set(old) == set(new):
        assert parts["members"] == 0


@given(old=HELD, new=HELD, was=BASE, own=BASE)
def test_the_parts_add_up_as_they_are_printed(
    old: dict[str, int], new: dict[str, int], was: int, own: int
) -> None:
    answer = compare(
        saved("r1", group("g1", old), base=was), saved("r2", group("g2", new), base=own)
    )
    for row in answer["groups"]:
        if row["change"] in ("born", "gone", "merged", "split"):
            continue
        printed = to_text(comparison(answer, None), 400)
        [line] = [one for one in printed.splitlines() if "g1  " in one and "→" in one]
        cells = line.replace("%", "").split()
        parts = [Fraction(cell) for cell in cells[cells.index("→") + 2 :][:3]]
        shares = [
            round(Fraction(row[s]["holdings"]) / b * 100, 3)
            for s, b in (("before", Fraction(was)), ("after", Fraction(own)))
        ]
        assert sum(parts) == Fraction(str(float(shares[1]))) - Fraction(str(float(shares[0])))


def test_what_became_of_each_group() -> None:
    more = members((0, 14))
    before = saved(
        "r1",
        group("same", members((20, 32))),
        group("grows", TWELVE),
        group("left", members((40, 46))),
        group("right", members((46, 50), each=400)),
        group("goes", members((50, 60))),
    )
    after = saved(
        "r2",
        group("same2", members((20, 32))),
        group("grown", more, grade="conclusive"),
        group("joined", {**members((40, 46)), **members((46, 50), each=400)}),
        group("new", members((60, 70))),
    )
    answer = compare(before, after)
    assert changes(answer) == {
        ("same", "same2"): "unchanged",
        ("grows", "grown"): "grew",
        ("left", "joined"): "grew",
        ("right", None): "merged",
        ("goes", None): "gone",
        (None, "new"): "born",
    }
    rows = {row["before"] and row["before"]["group"]: row for row in answer["groups"]}
    assert rows["right"]["other"] == "joined"
    grown = rows["grows"]
    assert [one["account"] for one in grown["members"]["came"]] == ["a12", "a13"]
    assert grown["share_change"]["exact"] == {
        "members": "1/100",
        "holdings": "0",
        "base": "0",
        "all": "1/100",
    }
    printed = to_text(comparison(answer, 10), 200)
    assert "6 groups: 1 new, 1 merged into another, 1 not found any more, 2 grew" in printed
    assert "grade: corroborated → conclusive" in printed
    assert "came: a12 (0.50 %), a13 (0.50 %)" in printed


def test_a_part_that_leaves_is_split_off() -> None:
    rest = members((0, 8))
    answer = compare(
        saved("r1", group("whole", TWELVE)),
        saved("r2", group("rest", rest), group("part", members((8, 12)))),
    )
    assert changes(answer) == {("whole", "rest"): "shrank", (None, "part"): "split"}
    assert {row["other"] for row in answer["groups"]} == {None, "whole"}


def test_another_base_alone_changes_a_share() -> None:
    answer = compare(
        saved("r1", group("g1", TWELVE)), saved("r2", group("g2", TWELVE), base=2 * SUPPLY)
    )
    [row] = answer["groups"]
    assert row["share_change"]["exact"]["base"] == "-3/100"
    assert (
        row["share_change"]["exact"]["members"] == row["share_change"]["exact"]["holdings"] == "0"
    )
    assert answer["base_factor"] == 2


def test_lines_that_one_run_did_not_look_at_are_left_out() -> None:
    other = group("g3", TWELVE, line=0.03)
    answer = compare(
        saved("r1", group("g1", TWELVE)),
        saved("r2", group("g2", TWELVE), other, exact_lines=["1/20", "3/100"]),
    )
    assert changes(answer) == {("g1", "g2"): "unchanged"}
    assert answer["lines_of_one"] == {"before": [], "after": [0.03]}


def test_settings_that_differ_are_named() -> None:
    answer = compare(
        saved("r1", settings={"margin": 1, "weights": {"flow": 2}}),
        saved("r2", settings={"margin": 1, "weights": {"flow": 3}}),
    )
    assert answer["settings"] == [{"setting": "weights.flow", "before": 2, "after": 3}]


@pytest.fixture
def two(store: Store) -> Store:
    store.save_run(saved("r1", group("g1", TWELVE), group("same", members((20, 32)))))
    more = group("g2", members((0, 14)), reasons=[FLOW])
    store.save_run(saved("r2", more, group("same", members((20, 32)))))
    return store


def told(store: Store, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["compare", *words, "--store", store.url]) == 0
    return capsys.readouterr().out


def test_runs_are_compared_by_their_words(two: Store, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(told(two, capsys, "previous", "last", "--format", "json"))
    assert answer == json.loads(told(two, capsys, "r1", "r2", "--format", "json"))
    assert changes(answer) == {("g1", "g2"): "grew", ("same", "same"): "unchanged"}
    rows = list(csv.DictReader(io.StringIO(told(two, capsys, "r1", "r2", "--format", "csv"))))
    assert len(rows) == 14 + 12
    assert {row["member"] for row in rows if row["after"] == "g2"} == {"came", "stayed"}
    assert "Nothing differs" in told(two, capsys, "r2", "r2")


def test_pruned_runs_are_compared_by_their_summaries(
    two: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    two.prune_runs(1)
    answer = json.loads(told(two, capsys, "r1", "r2", "--format", "json"))
    assert answer["pruned"] == ["r1"]
    assert changes(answer) == {
        ("g1", None): "unknown",
        (None, "g2"): "unknown",
        ("same", "same"): "unchanged",
    }
    assert {row["members"] and True for row in answer["groups"] if row["before"]} == {None}
    printed = told(two, capsys, "r1", "r2")
    assert "r1 was pruned: the members are gone" in printed
    assert "5.88" not in printed
    told(two, capsys, "r1", "r2", "--format", "csv")


def test_the_same_result_of_two_runs_is_no_difference() -> None:
    one, other = saved("r1", group("g", TWELVE)), saved("r2", group("g", TWELVE), known_at=9)
    other.result["result_sha256"] = one.result["result_sha256"]
    answer = compare(one, other)
    assert answer["same_result"]
    printed = to_text(comparison(answer, 10))
    assert "Nothing differs" in printed
    assert "between batch 0 and batch 9 changed nothing" in printed


def test_one_run_has_no_previous(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    store = init_store(str(tmp_path / "store"))
    store.save_run(saved("r1"))
    assert run(["compare", "previous", "last", "--store", store.url]) == 1
    assert "There are no two runs" in capsys.readouterr().err
