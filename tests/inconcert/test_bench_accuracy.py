"""`bench accuracy`: what counts as found, what a change changes, and the whole command."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graph.errors import UserError
from inconcert.bench.accuracy.changes import ABOVE, BELOW, CHANGES, halved, near_the_line
from inconcert.bench.accuracy.intervals import wilson
from inconcert.bench.accuracy.ledger import Ledger
from inconcert.bench.accuracy.scoring import Found, score_findings, score_groups
from inconcert.bench.accuracy.tally import tally_findings, tally_groups, targets
from inconcert.bench.accuracy.town import (
    KINDS,
    LINE,
    Crowd,
    Hidden,
    Town,
    kinds_in_turn,
    make_town,
)


@pytest.fixture(scope="module")
def world() -> Town:
    """A simulated world with three groups."""
    return make_town("plain", 2000, 24_000, 5, ["wash", "mesh", "device"])


def town(groups: list[Hidden], crowds: list[Crowd]) -> Town:
    """A hundred accounts of one percent each."""
    names = [f"u{number:03}" for number in range(100)]
    at = datetime(2026, 6, 30, tzinfo=UTC)
    held = pl.DataFrame({"account": names, "amount": [Decimal(1)] * 100, "at": [at] * 100})
    return Town({"holdings": held}, groups, crowds)


def accounts(*spans: tuple[int, int]) -> frozenset[int]:
    return frozenset(one for begin, end in spans for one in range(begin, end))


def test_an_interval_is_wilsons() -> None:
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 300) == pytest.approx((0.0, 0.01264), abs=1e-5)
    assert wilson(300, 300) == pytest.approx((0.98736, 1.0), abs=1e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_what_a_finding_is() -> None:
    groups = [
        Hidden("ring", accounts((0, 10)), 0.10),
        Hidden("farm", accounts((10, 50)), 0.40),
        Hidden("chain", accounts((50, 54)), 0.04),
    ]
    here = town(groups, [Crowd("club", accounts((60, 80)))])
    said = {
        "right": accounts((0, 9), (60, 61)),
        "partial": accounts((10, 13), (90, 91)),  # a piece of the farm: 3 of 40, and a stranger
        "below": accounts((50, 55)),
        "false": accounts((60, 70)),
    }
    found = [
        Found(members, strength, "corroborated" if what == "false" else "indication", 0.06)
        for strength, (what, members) in enumerate(said.items())
    ]
    rows = score_findings(here, found)
    assert [row["what"] for row in rows] == list(reversed(said))
    assert (rows[0]["crowd"], rows[0]["innocent"]) == ("club", 10)
    assert [row["innocent"] for row in rows[1:]] == [1, 1, 1]
    counted = tally_findings([{"findings": rows}])
    assert counted["false_by_crowd"] == {
        "club": {"conclusive": 0, "corroborated": 1, "indication": 0}
    }
    assert (counted["orders"], counted["orders_false"], counted["innocent_in_orders"]) == (1, 1, 10)


def test_an_order_is_counted_by_those_whom_it_names() -> None:
    here = town([Hidden("ring", accounts((0, 10)), 0.10)], [])
    found = Found(accounts((0, 12)), 9.0, "corroborated", 0.1, named=accounts((1, 11)))
    rows = score_findings(here, [found])
    assert (rows[0]["accounts"], rows[0]["innocent"]) == (12, 2)
    counted = tally_findings([{"findings": rows}])
    assert (counted["accounts_in_orders"], counted["innocent_in_orders"]) == (10, 1)


def test_a_group_is_found_by_its_best_finding_and_tonight_by_the_twenty_strongest() -> None:
    here = town([Hidden("ring", accounts((0, 10)), 0.10)], [])
    strangers = [Found(accounts((20 + one, 22 + one)), 50.0) for one in range(20)]
    weak = Found(accounts((0, 8)), 1.0, "corroborated", 0.08)
    [row] = score_groups(here, [*strangers, weak])
    assert (row["jaccard"], row["tonight"], row["ordered"]) == (0.8, 0.0, 0.8)
    [row] = score_groups(here, [*strangers[1:], weak])
    assert row["tonight"] == 0.8
    counted = tally_groups([row | {"bits": 30.0, "cost": 40.0}])
    assert (counted["at_8"], counted["at_9"], counted["decidable"]) == (1, 0, 0)
    assert counted["share_error"] == pytest.approx(2.0)
    [row] = score_groups(here, [])
    assert row["jaccard"] == 0.0


def test_every_kind_has_its_turn() -> None:
    for generator, kinds in KINDS.items():
        turns = [kinds_in_turn(generator, place, 20_000) for place in range(len(kinds))]
        drawn = [kind for turn in turns for kind in turn]
        assert {drawn.count(kind) for kind in kinds} == {6}


def test_groups_are_set_just_below_and_just_above_the_line(world: Town) -> None:
    changed = near_the_line(world, np.random.default_rng(1))
    held = changed.frames["holdings"]
    assert held["amount"].sum() == world.frames["holdings"]["amount"].sum()
    assert [group.below for group in changed.groups] == [True, False, True]
    for group in changed.groups:
        low, high = BELOW if group.share < LINE else ABOVE
        ours = held.filter(pl.col("account").is_in(changed.ids(group.members).implode()))
        share = float(ours["amount"].sum()) / float(held["amount"].sum())
        assert group.share == pytest.approx(share)
        assert low - 1e-6 < group.share < high
    assert held["amount"].min() >= 0  # type: ignore[operator]


def test_halves_meet_through_one_courier(world: Town) -> None:
    changed = halved(world, np.random.default_rng(1))
    for group in changed.groups:
        ours = changed.ids(group.members)
        inside = changed.frames["transfers"].filter(
            pl.col("src").is_in(ours.implode()) & pl.col("dst").is_in(ours.implode())
        )
        held = changed.frames["holdings"].filter(pl.col("account").is_in(ours.implode()))
        first = held.sort("amount", "account", descending=True)["account"]
        turns = np.arange(len(first)) % 4
        half = set(first.filter(pl.Series((turns == 0) | (turns == 3))))
        shares = held.group_by(pl.col("account").is_in(list(half))).agg(pl.col("amount").sum())
        supply = float(changed.frames["holdings"]["amount"].sum())
        assert all(float(amount) / supply < LINE for amount in shares["amount"])
        pairs = inside.select("src", "dst").rows()
        across = [(a, b) for a, b in pairs if (a in half) != (b in half)]
        couriers = set.intersection(*(set(pair) for pair in across)) if across else {"nobody"}
        assert couriers, "what crosses has one account in common"
        assert len(inside) > 10, "the halves still live"
    seen = changed.frames["sightings"]
    assert len(seen) <= len(world.frames["sightings"])


@pytest.mark.parametrize("words", list(CHANGES))
def test_a_change_takes_away_what_it_says(world: Town, words: str) -> None:
    before, after = world.frames, CHANGES[words](world, np.random.default_rng(1)).frames
    assert after["holdings"].equals(before["holdings"])
    assert set(after["transfers"].columns) >= {"src", "dst", "id"}
    lost = 1 - len(after["transfers"]) / len(before["transfers"])
    assert lost == pytest.approx(0.1 if words.startswith("10 %") else 0.0, abs=0.02)
    assert ("amount" in after["transfers"].columns) is not words.startswith(("no amounts", "who"))
    assert ("at" in after["transfers"].columns) is not words.startswith(("no times", "who"))
    assert ("sightings" in after) is not words.startswith(("transfers only", "who"))
    if words.startswith("1 %"):
        wrong = (after["sightings"]["value"] != before["sightings"]["value"]).mean()
        assert 0.005 < float(wrong or 0) < 0.015  # type: ignore[arg-type]


def test_what_is_kept_is_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    asked: list[int] = []

    def measure() -> dict[str, int]:
        asked.append(1)
        return {"found": len(asked)}

    assert Ledger(file).get({"world": 1}, measure) == {"found": 1}
    assert Ledger(file).get({"world": 1}, measure) == {"found": 1}
    assert Ledger(file).get({"world": 2}, measure) == {"found": 2}
    with file.open("a") as end:
        end.write('["half a li')  # killed while it wrote
    assert Ledger(file).get({"world": 2}, measure) == {"found": 2}
    assert len(asked) == 2
    after = Ledger(file)
    assert after.get({"world": 3}, measure) == {"found": 3}
    assert Ledger(file).get({"world": 3}, measure) == {"found": 3}
    file.write_text("something,else\n")
    with pytest.raises(UserError, match="something else"):
        Ledger(file)


def test_goals_are_of_what_was_measured() -> None:
    row = {
        "kind": "ring",
        "members": 10,
        "share": 0.06,
        "below": False,
        "jaccard": 0.85,
        "tonight": 0.85,
        "ordered": 0.85,
        "found_share": 0.061,
        "bits": 90.0,
        "cost": 60.0,
    }
    rows = [row, row | {"jaccard": 0.55, "ordered": 0.0}]
    nothing = {"worlds": 0, "with_orders": 0}
    findings = {"orders": 2, "orders_right": 1}
    one = {"worlds": 1, "kinds": {"ring": tally_groups(rows)}, "all": tally_groups(rows)}
    answer = {"generators": {"plain": {**one, "findings": findings, "empty": nothing}}}
    met = {goal["what"]: (goal["measured"], goal["met"]) for goal in targets(answer)}
    assert met == {
        "plain: of all groups at 0.8": (0.5, False),
        "plain: of its worst kind at 0.8": (0.5, False),
        "plain: precision of orders": (0.5, False),
        "plain: median share error, points": (0.1, True),
    }


def test_the_command_measures_shows_and_writes_the_page(
    call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_NOW", "2026-07-02")
    words = ["--worlds", 1, "--empty", 1, "--near", 1, "--accounts", 2000, "--generator", "plain"]
    kept, page, figures = tmp_path / "kept.jsonl", tmp_path / "page.md", tmp_path / "figures.json"
    written = ["--keep", kept, "--report", page, "--json", figures]
    code, out, err = call("bench", "accuracy", *words, *written)
    assert code == 0, err
    assert "plain world 7000 (groups)" in err
    answer = json.loads(figures.read_text())
    found = answer["generators"]["plain"]
    assert found["all"]["groups"] == found["all"]["judged"] == 3
    assert found["all"]["at_9"] <= found["all"]["at_8"] <= found["all"]["at_5"] <= 3
    assert set(found["kinds"]) == set(kinds_in_turn("plain", 0, 2000))
    assert found["empty"]["worlds"] == 1
    assert (found["near"]["below"], found["near"]["above"]["groups"]) == (2, 1)
    assert "Groups found: plain worlds" in out
    text = page.read_text()
    assert "inconcert bench accuracy --worlds 1 --empty 1 --near 1 --accounts 2000" in text
    assert "--report page.md" in text
    for kind in found["kinds"]:
        assert f"| {kind} | 1 |" in text
    assert str(tmp_path) not in text
    code, again, err = call("bench", "accuracy", *words, *written, "--format", "json")
    assert code == 0
    assert "world" not in err, "nothing is measured twice"
    assert json.loads(again) == answer


def test_where_nothing_can_be_written_is_said_at_once(call: Any, tmp_path: Path) -> None:
    nowhere = tmp_path / "no" / "page.md"
    code, out, err = call("bench", "accuracy", "--report", nowhere)
    assert (code, out) == (1, "")
    assert "There is no folder" in err
    assert "world" not in err
