"""Faults that a second look found, each by its smallest case."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

import networkx as nx
import numpy as np
import polars as pl
import pytest
from click import UsageError
from engine_helpers import BEGIN, FIVE_PERCENT, Town, act_as_one, ask, crowd, members, settle

from detectors.doubts.bridge import shares_behind_bridges
from detectors.engine.ask import Inquiry, what_if
from detectors.engine.detect import detect
from detectors.engine.forest import spanning_forest
from detectors.engine.limbs import BASE, amount_of, line_limbs, most_limbs, to_limbs
from detectors.engine.record import merge_curve
from detectors.engine.request import Request
from detectors.engine.significance import p_values
from detectors.engine.trace import trace
from detectors.family import detectors
from detectors.whale import DETECTOR as WHALE
from graph.errors import UserError
from graph.snapshot import snapshot
from inconcert.asking import LINE
from inconcert.bench.stages import run_stage
from inconcert.demo import run_demo
from inconcert.manners import Manners

HUGE = "30000000000000000000"


def test_holdings_of_twenty_digits_are_measured(tmp_path: Path) -> None:
    town = Town()
    town.hold(["a", "b"], HUGE)
    town.hold(["z"], "39000000000000000000")
    town.link("a", "b")
    (group,) = ask(settle(town, tmp_path), "links", lines=["0.5"])["groups"]
    assert group["holdings"] == "60000000000000000000"
    assert group["share"] == 60 / 99


@pytest.mark.parametrize("units", [0, 1, 2**64 - 1, 2**64, 10**38 - 1])
def test_limbs_hold_every_amount_that_a_store_holds(units: int) -> None:
    amount = amount_of(*divmod(units, BASE))
    (pair,) = to_limbs(pl.Series([amount], dtype=pl.Decimal(38, 18))).tolist()
    assert pair[0] * BASE + pair[1] == units


def test_the_least_over_a_line_and_the_most_not_over_a_share_differ_by_a_unit_at_most() -> None:
    supply = Decimal("0.000000000000000101")
    assert line_limbs(FIVE_PERCENT, supply) == (0, 6)
    assert most_limbs(FIVE_PERCENT, supply) == (0, 5)
    assert line_limbs(FIVE_PERCENT, Decimal(100)) == most_limbs(FIVE_PERCENT, Decimal(100))


def test_sums_that_do_not_fit_are_refused_in_one_sentence(tmp_path: Path) -> None:
    moved = Town()
    moved.hold(["a", "b"], 10)
    for day in range(8):
        moved.pay("a", "b", "50000000000000000000", day)
    with pytest.raises(UserError, match="more than 20 digits"):
        ask(settle(moved, tmp_path / "moved"))
    with pytest.raises(UserError, match="more than 20 digits"):
        snapshot(settle(moved, tmp_path / "replayed", holdings_rule="replayed"))
    taken = snapshot(settle(moved, tmp_path / "traced"))
    with pytest.raises(UserError, match="more than 20 digits"):
        trace(taken, [taken.number_of("a")], 1, "out")


def test_who_was_never_stated_is_rolled_from_the_first_statement_not_the_last(
    tmp_path: Path,
) -> None:
    town = Town()
    town.hold(["a"], 100)
    town.pay("a", "b", 10, 10)
    town.add("holdings", account="a", amount="90", at=BEGIN.replace(day=21))
    accounts = snapshot(settle(town, tmp_path, holdings_rule="rolled")).accounts
    assert dict(accounts.select("account", "holdings").rows()) == {"a": 90, "b": 10}


def test_an_account_is_found_however_its_accents_are_written(tmp_path: Path) -> None:
    town = Town()
    town.hold(["Zoé"], 1)
    taken = snapshot(settle(town, tmp_path))
    assert taken.number_of(normalize("NFD", "Zoé")) == taken.number_of(normalize("NFC", "Zoé"))


def test_what_if_answers_for_a_run_of_the_per_account_check(tmp_path: Path) -> None:
    town = Town()
    town.hold(["a", "b"], 10)
    store = settle(town, tmp_path)
    request = Request([], WHALE, [Fraction(1, 2)])
    assert [len(group["members"]) for group in detect(store, request).result["groups"]] == [1, 1]
    answer = what_if(Inquiry.open(store, request), ["a", "b"], Fraction(1, 2))
    assert answer["share"] == 1
    assert answer["evidence_bits"] == 0
    assert not answer["reported"]


def test_a_whale_at_exactly_the_line_is_over_it_and_one_unit_below_is_not(tmp_path: Path) -> None:
    unit = Decimal("0.000000000000000001")
    town = Town()
    town.hold(["at"], "0.05")
    town.hold(["below"], Decimal("0.05") - unit)
    town.hold(["rest"], Decimal("0.9") + unit)
    taken = snapshot(settle(town, tmp_path))
    over = [taken.accounts["account"][int(number)] for number in WHALE.alone(taken, FIVE_PERCENT)]
    assert over == ["at", "rest"]


def test_bridges_are_found_in_parts_that_do_not_hang_together() -> None:
    graph = nx.Graph([(0, 1), (1, 2), (0, 2), (3, 4)])
    assert shares_behind_bridges(graph, dict.fromkeys(graph, 0.1)) == {(3, 4): 0.1}


def test_a_device_of_an_institution_joins_it_to_nobody(tmp_path: Path) -> None:
    """The issuer is no part of the base, and what an exchange holds is its customers'."""
    town = Town()
    crowd(town)
    ring = [f"r{number}" for number in range(10)]
    town.hold(ring, 500)
    act_as_one(town, ring)
    for institution in ("mint", "exchange"):
        town.hold([institution], 3000)
        for value in ("shared-0", "shared-1"):
            town.see(institution, value)
    town.add("accounts", account="exchange", role="exchange")
    (group,) = ask(settle(town, tmp_path, issuers=("mint",)))["groups"]
    assert members(group) == set(ring)


def linked(tmp_path: Path, missing: Decimal) -> list[tuple[int, str]]:
    """Ten accounts of 0.5 %, one of them less what is missing, in a chain of declared links:
    sizes and grades of the groups found."""
    chain = [f"l{number}" for number in range(10)]
    town = Town()
    town.hold(chain[:9], 5)
    town.hold(chain[9:], 5 - missing)
    town.hold(["rest"], 950 + missing)
    for one, other in pairwise(chain):
        town.link(one, other)
    result = ask(settle(town, tmp_path))
    return [(len(group["members"]), group["grade"]) for group in result["groups"]]


def test_documents_are_conclusive_at_exactly_the_line_and_not_a_unit_below(tmp_path: Path) -> None:
    assert linked(tmp_path / "at", Decimal(0)) == [(10, "conclusive")]
    assert linked(tmp_path / "below", Decimal("0.000000000000000001")) == []


def test_documents_a_unit_below_the_line_do_not_carry_a_group_that_is_over_it(
    tmp_path: Path,
) -> None:
    unit = Decimal("0.000000000000000001")
    chain = [f"l{number}" for number in range(10)]
    town = Town()
    town.hold(chain[:9], 5)
    town.hold(chain[9:], 5 - unit)
    town.hold(["more"], unit)
    town.hold(["rest"], 950)
    for one, other in pairwise(chain):
        town.link(one, other)
    store = settle(town, tmp_path)
    request = Request([detectors()["links"]], None, [FIVE_PERCENT])
    answer = what_if(Inquiry.open(store, request), [*chain, "more"], FIVE_PERCENT)
    assert answer["over_line"]
    assert answer["grade"] == "indication"


def test_a_public_value_is_no_reason(tmp_path: Path) -> None:
    town = Town()
    people = crowd(town)
    ring = [f"r{number}" for number in range(10)]
    town.hold(ring, 500)
    act_as_one(town, ring)
    for account in [*ring, *people[:50]]:
        town.see(account, "198.51.100.7", kind="ip")
    (group,) = ask(settle(town, tmp_path))["groups"]
    assert members(group) == set(ring)
    said = str(group["reasons"]) + str(group["members"])
    assert "one device" in said
    assert " ip" not in said


def test_nearly_all_is_not_called_all(tmp_path: Path) -> None:
    town = Town()
    people = crowd(town)
    ring = [f"r{number}" for number in range(10)]
    town.hold(ring, 500)
    act_as_one(town, ring)
    town.pay(ring[0], people[0], 1)
    (group,) = ask(settle(town, tmp_path))["groups"]
    flow = next(reason for reason in group["reasons"] if reason["family"] == "flow")
    assert flow["text"].startswith("over 99% of all that these ")


def test_a_trace_does_not_go_on_through_an_issuer(tmp_path: Path) -> None:
    town = Town()
    town.hold(["a"], 1)
    town.pay("a", "mint", 5, 1)
    town.pay("mint", "b", 5, 2)
    town.pay("a", "c", 4, 1)
    town.pay("c", "d", 4, 2)
    taken = snapshot(settle(town, tmp_path, issuers=("mint",)))
    hops = trace(taken, [taken.number_of("a")], 3, "out").hops
    assert hops.select("src", "dst").rows() == [("a", "mint"), ("a", "c"), ("c", "d")]


def test_a_crossing_is_given_up_at_the_draw_that_makes_ten() -> None:
    """Half of all deals cross: Besag and Clifford's p is 10 over the draws it took."""
    accounts, seed = 4, 3
    forest = spanning_forest(
        accounts, np.array([0], np.int32), np.array([1], np.int32), np.array([9], np.int32)
    )
    limbs = to_limbs(pl.Series([1, 1, 1, 0], dtype=pl.Decimal(38, 18)))
    needed = np.array([line_limbs(Fraction(2, 3), Decimal(3))], np.uint64)
    (p,) = p_values(accounts, forest, limbs, needed, [(0, 9)], 99, seed)
    draws = round(10 / p)
    assert draws % 10 != 0
    assert p == 10 / draws
    exact = [
        p_values(accounts, forest, limbs, needed, [(0, 9)], count, seed)[0]
        for count in (draws - 1, draws)
    ]
    assert exact == [10 / draws, 10 / draws]  # (1 + 9) / (1 + draws - 1), then 10 / draws


def test_a_seed_may_be_of_any_size() -> None:
    forest = spanning_forest(
        2, np.array([0], np.int32), np.array([1], np.int32), np.array([9], np.int32)
    )
    limbs = to_limbs(pl.Series([1, 1], dtype=pl.Decimal(38, 18)))
    needed = np.array([line_limbs(Fraction(2, 3), Decimal(2))], np.uint64)
    assert p_values(2, forest, limbs, needed, [(0, 9)], 9, 2**70 + 1) == [1.0]


def test_a_curve_that_ends_at_a_share_ends_with_a_whole_level() -> None:
    """Three equal pairs: whichever comes first, the curve has the level as a whole."""
    ends = np.array([[0, 1], [1, 2], [2, 3]], np.int32)
    shares = np.full(4, 0.25)
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        a, b = ends[order].T.copy()
        curve = merge_curve(
            spanning_forest(4, a, b, np.full(3, 7, np.int32)), shares, 0, ends_at_share=0.5
        )
        assert curve == [[0.007, 1.0, 4]]


def test_a_stage_that_says_much_on_stderr_comes_to_its_end() -> None:
    code = "import sys; sys.stderr.write('x' * 1_000_000); print('{}')"
    assert run_stage("loud", [sys.executable, "-c", code]).answer == {}


def test_every_family_names_the_kind_of_fact_that_it_rests_on() -> None:
    """Grades count sources that corroborate each other: two families of one do not."""
    kinds = {"transfers", "referrals", "identifiers", "purchases", "links"}
    assert {family.source for family in detectors().values()} <= kinds


@pytest.mark.parametrize("text", ["1e999999999", "1e-999999999%", "nan", "inf"])
def test_a_line_that_is_no_number_of_this_world_is_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError):
        LINE.convert(text, None, None)


def test_a_demo_into_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="not a folder"):
        run_demo(Manners(), tmp_path / "file", None)
