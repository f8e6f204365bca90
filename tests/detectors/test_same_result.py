"""The same facts give the same result, bit for bit; the past stays what it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from engine_helpers import (
    BEGIN,
    KINDS_OF_WORLDS,
    RING,
    Town,
    act_as_one,
    ask,
    crowd,
    load_frames,
    members,
    settle,
    world_frames,
)

from detectors.engine.result import Result, result_sha256
from graph.clock import parse_time
from graph.digest import mask
from graph.snapshot import snapshot
from graph.store import Store, init_store, open_store
from inconcert.simulate import make_world

DAY = parse_time("2026-04-10")
INCONCERT = str(Path(sys.executable).with_name("inconcert"))


MORE_LINES = [["0.05", "0.04", "0.03"], ["0.061", "0.02"]]


def without(result, *keys):
    """A result without some keys of its groups and what its run is called."""
    groups = [{k: v for k, v in group.items() if k not in keys} for group in result["groups"]]
    for group in groups:
        group["reasons"] = [{**reason, "facts": None} for reason in group["reasons"]]
    return groups


def test_the_same_store_gives_the_same_result_twice(world_store, world_result):
    again = ask(world_store)
    assert again["result_sha256"] == world_result["result_sha256"]
    assert again["result_sha256"] == result_sha256(again)
    assert again["groups"] == world_result["groups"]


def test_row_order_kinds_order_batches_and_keys_do_not_matter(
    world_store, world_result, frames, tmp_path
):
    store = init_store(str(tmp_path / "store"))
    assert store.key != world_store.key
    shuffled = {
        kind: frame.sample(fraction=1.0, shuffle=True, seed=5) for kind, frame in frames.items()
    }
    half = len(shuffled["transfers"]) // 2
    load_frames(store, tmp_path, {"transfers": shuffled["transfers"][half:]})
    load_frames(
        store, tmp_path, shuffled, [k for k in reversed(KINDS_OF_WORLDS) if k != "transfers"]
    )
    load_frames(store, tmp_path, {"transfers": shuffled["transfers"][:half]})
    found = ask(store)
    assert found["run"]["known_at"] == 7
    assert found["result_sha256"] == world_result["result_sha256"]
    before = store.sizes()
    store.compact()
    assert store.sizes() != before
    assert ask(store)["result_sha256"] == world_result["result_sha256"]


def test_the_number_of_threads_does_not_matter(world_store, world_result):
    words = ["detect", "--no-save", "--permutations", "19", "--format", "json"]
    answers = [
        subprocess.Popen(
            [INCONCERT, *words],
            env={
                **os.environ,
                "INCONCERT_STORE": world_store.url,
                "POLARS_MAX_THREADS": threads,
                "NUMBA_NUM_THREADS": threads,
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        for threads in ("1", "4")
    ]
    for answer in answers:
        result = json.loads(answer.communicate(timeout=60)[0])
        assert answer.returncode == 0
        assert result["result_sha256"] == world_result["result_sha256"]


def test_another_seed_changes_p_values_at_most(world_store, world_result):
    other = ask(world_store, seed=77)
    assert without(other, "p_value") == without(world_result, "p_value")
    assert other["run"]["seed"] == 77
    none = ask(world_store, permutations=0)
    assert without(none, "p_value") == without(world_result, "p_value")
    assert {group["p_value"] for group in none["groups"]} == {1.0}


@pytest.mark.parametrize(
    "lines",
    [["0.05", "0.03"], *(pytest.param(lines, marks=pytest.mark.long) for lines in MORE_LINES)],
)
def test_several_lines_in_one_pass_are_the_single_lines(world_store, world_result, lines):
    together = ask(world_store, lines=lines)
    assert together["lines"] == sorted(map(float, lines), reverse=True)
    for line in lines:
        alone = world_result if line == "0.05" else ask(world_store, lines=[line])
        at_line = {
            **together,
            "groups": [g for g in together["groups"] if g["line"] == float(line)],
        }
        assert without(at_line) == without(alone)
        assert alone["groups"]


@pytest.mark.parametrize(
    "lower", [["0.05"], pytest.param(["0.05", "0.04", "0.03", "0.02"], marks=pytest.mark.long)]
)
def test_a_lower_line_takes_no_finding_from_a_higher_one(tmp_path, lower):
    """In this world a stronger core of a group of 6.08 % lies between 5 % and 6 %."""
    store = init_store(str(tmp_path / "store"))
    load_frames(store, tmp_path, world_frames(make_world(2000, 24_000, 5)))
    lines = ["0.06", *lower]
    together = ask(store, lines=lines, permutations=0)
    alone = ask(store, lines=lines[:1], permutations=0)
    assert {group["line"] for group in alone["groups"]} == {0.06}
    at_line = {**together, "groups": [g for g in together["groups"] if g["line"] == 0.06]}
    assert without(at_line) == without(alone)


@dataclass(frozen=True)
class Past:
    """A crowd; then a ring starts, then its holdings grow. `batches`: 3 is the crowd's last."""

    folder: Path
    batches: list[int]
    now: Result

    def copy(self, place: Path) -> Store:
        shutil.copytree(self.folder, place)
        return open_store(str(place))


@pytest.fixture(scope="module")
def past(tmp_path_factory):
    folder = tmp_path_factory.mktemp("past")
    early, ring, late = Town(), Town(), Town()
    crowd(early, 500, 1500, holding=188)
    early.hold(RING, 1)
    act_as_one(ring, RING)
    for member in RING:
        late.add("holdings", account=member, amount="600", at=DAY)
    store = settle(early, folder)
    batches = [3, *load_frames(store, folder, ring.frames())]
    batches += load_frames(store, folder, late.frames())
    assert batches == [3, 4, 5, 6]
    return Past(folder / "store", batches, ask(store))


def test_the_past_as_of_a_time_and_as_known_at_a_batch(past):
    store = open_store(str(past.folder))
    assert [members(group) for group in past.now["groups"]] == [set(RING)]
    assert past.now["run"]["as_of"] == "2026-04-10T00:00:00Z"
    # as of a moment before, they held next to nothing; as of the moment itself they do
    assert ask(store, as_of=DAY - timedelta(microseconds=1))["groups"] == []
    assert without(ask(store, as_of=DAY)) == without(past.now)
    # known before the holdings came: nothing, whatever time is asked about
    for known_at in past.batches[:-1]:
        assert ask(store, as_of=DAY, known_at=known_at)["groups"] == []


def test_what_is_loaded_later_does_not_change_what_was_known(past, tmp_path):
    store = past.copy(tmp_path / "store")
    known = {batch: ask(store, known_at=batch)["result_sha256"] for batch in past.batches[1:]}
    assert len(set(known.values())) == 3
    more = Town()
    for member in RING:
        more.add("holdings", account=member, amount="9000", at=BEGIN)
        more.add("accounts", account=member, role="exchange")
    load_frames(store, tmp_path, more.frames())
    store.withdraw(past.batches[-1])
    store.set_supply(Decimal(10**9), parse_time("2026-01-01"))
    later = {batch: ask(store, known_at=batch)["result_sha256"] for batch in past.batches[1:]}
    assert later == known
    assert ask(store)["result_sha256"] not in known.values()


def test_a_withdrawn_batch_is_gone_until_it_is_brought_back(past, tmp_path):
    store = past.copy(tmp_path / "store")
    store.withdraw(past.batches[-1])
    assert ask(store)["groups"] == []
    assert without(ask(store, known_at=past.batches[-1])) == without(past.now)
    store.reinstate(past.batches[-1])
    assert ask(store)["result_sha256"] == past.now["result_sha256"]


def test_a_larger_supply_lowers_every_share_exactly(past, tmp_path):
    store = past.copy(tmp_path / "store")
    assert past.now["groups"][0]["share"] == 0.06
    store.set_supply(Decimal(200_000), DAY)
    assert ask(store)["groups"] == []
    halved = ask(store, lines=["0.03"])
    (group,) = halved["groups"]
    assert (halved["supply"], group["share"]) == ("200000", 0.03)
    # before the supply was in force the base was what was held
    earlier = ask(store, as_of=parse_time("2026-04-09"))
    assert Fraction(earlier["supply"]) == 500 * 188 + 10


def test_masked_stores_find_the_same_under_other_names(tmp_path, town_result):
    town = Town()
    crowd(town, 500, holding=188)
    act_as_one(town, RING)
    town.hold(RING, 600)
    store = settle(town, tmp_path, masked=True)
    (masked,), (plain,) = ask(store)["groups"], town_result["groups"]
    assert members(masked) == {mask(member, store.key) for member in RING}
    assert masked["strength_bits"] == plain["strength_bits"]
    assert not any(name in json.dumps(masked) for name in RING)


def test_replayed_holdings_follow_the_transfers(tmp_path):
    town = Town()
    people = [f"c{number}" for number in range(100)]
    for person in people:
        town.pay("mint", person, 10)
    for person in people[:6]:
        town.pay(person, "x", 10, 5)
    town.pay("y", "z", 3, 6)
    store = settle(town, tmp_path, holdings_rule="replayed", issuers=["mint"])
    result = ask(store, "links")
    assert result["supply"] == "1003"  # y fell below nothing and counts 0
    assert result["excluded"] == ["mint"]
    taken = snapshot(store)
    assert taken.negative == ("y",)
    held = dict(taken.accounts.select("account", "holdings").rows())
    assert (held["x"], held["c0"], held["c6"], held["mint"]) == (60, 0, 10, 0)
    assert pl.Series(list(held.values())).sum() == 1003
