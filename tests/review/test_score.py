"""What each indicator measures in towns counted by hand, and how scores add up."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_towns import BEGIN, Ground, Town, numbers, values

from detectors.family import Facts
from detectors.meetings import Meetings
from graph.errors import UserError
from graph.snapshot import Snapshot
from review import score
from review.indicators import Indicator, indicators, names
from review.indicators.amounts import LIMITS, _is_below, _is_round
from review.population import Population
from review.score import scores

TWELVE = (
    "age",
    "amounts",
    "closeness",
    "concentration",
    "frequency",
    "genuine_share",
    "identifiers",
    "lockstep",
    "purchases",
    "referrals",
    "retention",
    "speed",
)
WEIGHTS = {**dict.fromkeys(TWELVE, 8), "identifiers": 12}


def entry(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One indicator of a score."""
    (found,) = (one for one in document["indicators"] if one["name"] == name)
    return dict(found)


def recomputed(document: dict[str, Any]) -> Decimal:
    """The score from what is printed."""
    total = Decimal(0)
    for one in document["indicators"]:
        product = Decimal(str(one["weight"])) * Decimal(str(one["percentile"] or 0)) / 100
        points = product.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert points == Decimal(str(one["points"]))
        total += points
    return total


def measured(town: Town, ground: Ground, name: str, **more: Any) -> dict[str, float]:
    """What one indicator measures in a town; more: groups by ids of accounts."""
    groups = more.pop("groups", {})
    found = town.settle(ground)
    by_number = {group: numbers(found, *who) for group, who in groups.items()}
    return values(Population(found, by_number, **more), indicators()[name])


def test_there_are_twelve_and_each_is_whole() -> None:
    assert names() == TWELVE
    for name, one in indicators().items():
        assert isinstance(one, Indicator)
        assert one.name == name
        assert all((one.title, one.unit, one.formula, one.innocent, one.more, one.absent))


def test_frequency_counts_transfers_of_90_days_and_undated_ones(ground: Ground) -> None:
    town = Town()
    town.pay("a", "b", day=0)
    town.pay("a", "b", day=100)
    town.pay("c", "a", day=150)
    town.pay("a", "a", day=150)
    town.pay("c", "d", day=None)
    assert measured(town, ground, "frequency") == {"a": 2, "b": 1, "c": 2, "d": 1}


def test_amounts_tell_round_equal_and_just_below(ground: Ground) -> None:
    town = Town()
    for amount in (20, 500, "13.7", "13.7", "13.7", "98.5", "7.1", "23.4", "31.2", "61.3"):
        town.pay("a", "b", amount)
    for amount in (1, 2, "3.5", 23):
        town.pay("b", "a", amount)
    for amount in (1, 2, "3.5", 23, 77):
        town.pay("c", "a", amount)
    # 20 and 500 are round, three are equal, 98.5 is just below 100
    assert measured(town, ground, "amounts") == {"a": 0.6, "c": 0.0}


def test_limits_that_are_set_replace_the_usual_ones(ground: Ground) -> None:
    town = Town()
    for amount in ("98.5", "2900", "2901", "3000.5", "2849"):
        town.pay("a", "b", amount)
    assert measured(town, ground, "amounts", limits=(3000.0,)) == {"a": 0.4}


def test_a_fixed_price_is_no_made_up_amount(ground: Ground) -> None:
    town = Town()
    for place in range(25):
        for day in range(5):
            town.pay(f"p{place}", "shop", 10, day)
    assert set(measured(town, ground, "amounts").values()) == {0.0}


@pytest.mark.parametrize("amount", [10, 20, 900, 1000, 70_000])
def test_round(amount: float) -> None:
    assert _is_round(float(amount))


@pytest.mark.parametrize("amount", [0, 1, 9, 15, 110, 1001, 99.99])
def test_not_round(amount: float) -> None:
    assert not _is_round(float(amount))


def test_just_below() -> None:
    amounts = (95.0, 99.99, 47.5, 49.0, 950.0, 94.9, 100.0, 50.0, 0.0)
    assert [_is_below(amount, LIMITS) for amount in amounts] == [True] * 5 + [False] * 4


def test_purchases_add_up(ground: Ground) -> None:
    town = Town()
    town.buy("a", "10.5")
    town.buy("a", "4.5", day=3)
    town.pay("b", "a")
    assert measured(town, ground, "purchases") == {"a": 15.0}


def test_genuine_share_is_of_holdings(ground: Ground) -> None:
    town = Town()
    town.hold(100, "a", "b")
    town.buy("a", 40)
    assert measured(town, ground, "genuine_share") == {"a": 0.4, "b": 0.0}


def test_genuine_share_needs_purchases_of_somebody(ground: Ground) -> None:
    town = Town()
    town.hold(100, "a", "b")
    assert measured(town, ground, "genuine_share") == {}


def test_referrals_count_who_deals(ground: Ground) -> None:
    town = Town()
    for recruit in ("r1", "r2", "r3"):
        town.refer("boss", recruit)
    town.pay("r1", "boss")
    town.pay("boss", "r2")
    town.pay("r2", "boss")
    town.pay("x", "boss")
    found = measured(town, ground, "referrals")
    assert found == {"boss": 2, "r1": 1, "r2": 1, "r3": 0}


def test_concentration_is_of_the_three_closest(ground: Ground) -> None:
    town = Town()
    for other, times in (("b", 4), ("c", 3), ("d", 2), ("e", 1)):
        for day in range(times):
            town.pay("a", other, day=day)
    found = measured(town, ground, "concentration")
    assert found == {"a": 0.9}


def test_speed_is_the_largest_gain_of_30_days(ground: Ground) -> None:
    town = Town()
    town.hold(500, "a", "b")
    town.buy("a", 100, day=0)
    town.pay("a", "b", 30, day=10)
    town.buy("a", 60, day=29)
    town.buy("a", 90, day=31)
    town.buy("b", 1000, day=None)
    # a: 100, 70, 130; from day 31 the first 100 are too long ago: -30 + 60 + 90 = 120
    assert measured(town, ground, "speed") == {"a": 0.13, "b": 0.03}


def test_retention_is_what_stayed(ground: Ground) -> None:
    town = Town()
    town.buy("a", 60)
    town.pay("b", "a", 40)
    town.pay("a", "c", 25)
    assert measured(town, ground, "retention") == {"a": 0.75, "c": 1.0}


def test_identifiers_count_other_accounts(ground: Ground) -> None:
    town = Town()
    for account in ("a", "b", "c"):
        town.see(account, "phone-1")
    town.see("a", "phone-2")
    town.see("b", "phone-2")
    town.see("d", "phone-3")
    for place in range(9):
        town.see(f"w{place}", "10.1.2.3", "ip")
    town.see("bank", "phone-3")
    town.open("bank", role="custodian")
    found = measured(town, ground, "identifiers")
    assert {account: found[account] for account in "abcd"} == {"a": 2, "b": 2, "c": 2, "d": 0}
    assert found["w0"] == 0
    assert "bank" not in found


def test_age_is_holdings_a_day(ground: Ground) -> None:
    town = Town()
    town.hold(100, "old", "new", "unknown")
    town.open("old", 50)
    town.open("new", 0.5)
    assert measured(town, ground, "age") == {"old": 2.0, "new": 100.0}


def test_lockstep_counts_companions_and_a_clock(ground: Ground) -> None:
    town = Town()
    for turn, day in enumerate((0, 1.7, 6.2, 7.9, 13.4, 15.1, 22.8, 23.9, 31.2, 33.3, 41.7)):
        for place, account in enumerate(("a", "b")):
            for shop in ("s1", "s2"):
                town.pay(account, shop, 17 + 3 * turn, day + place / 48)
    draw = np.random.default_rng(5)
    for place, day in enumerate((45 * draw.random(400)).tolist()):
        town.pay(f"c{place % 40}", f"s{1 + place % 2}", 1 + place, day)
    for turn in range(12):
        town.pay("clock", f"x{turn}", 11 + turn, 1.3 * turn)
    town.pay("idle", "b", day=3.3)
    settled, lockstep = town.settle(ground), indicators()["lockstep"]
    found = values(Population(settled), lockstep)
    assert found["a"] == found["b"] == 1
    assert found["clock"] == 1
    assert found["idle"] == 0
    detected = Population(settled, met=Facts.of(settled).meetings)
    assert values(detected, lockstep) == found
    nobody_met = values(Population(settled, met=Meetings()), lockstep)
    assert nobody_met["a"] == 0  # what a detection says is what counts


def test_closeness_is_dealing_with_fellow_members(ground: Ground) -> None:
    town = Town()
    for _ in range(3):
        town.pay("a", "b")
    town.pay("a", "x")
    town.pay("x", "y")
    found = measured(town, ground, "closeness", groups={"g": ["a", "b"], "h": ["x", "b"]})
    assert found == {"a": 0.75, "b": 1.0, "x": 0.0, "y": 0.0}


def ladder(ground: Ground) -> Snapshot:
    """Ten who bought 1, 2, … 10; one who holds and never bought; one who is left out."""
    town = Town()
    for place in range(10):
        town.buy(f"a{place}", place + 1)
        town.hold(place + 1, f"a{place}")
    town.hold(5, "z")
    town.pay("issuer", "z")
    return town.settle(ground, issuers=["issuer"])


def test_percentiles_points_and_sentences(ground: Ground) -> None:
    found = ladder(ground)
    document = scores(found, {"purchases": 100}, {}, range(len(found.accounts)))
    assert document["population"] == 11
    top = document["accounts"]["a9"]
    assert entry(top, "purchases") == {
        "name": "purchases",
        "title": "purchase amounts",
        "value": 10.0,
        "unit": "points",
        "percentile": 95.0,
        "weight": 100.0,
        "points": 95.0,
        "text": "Bought 10 points in 1 purchase, the largest of 10 points: more bought than "
        "90 % of accounts.",
        "formula": "sum of all that the account bought",
    }
    assert (top["score"], top["red"]) == (95.0, True)
    nobody = entry(document["accounts"]["z"], "purchases")
    assert (nobody["value"], nobody["percentile"], nobody["points"]) == (None, None, 0.0)
    assert nobody["text"] == "No value: it never bought anything. Counts 0."
    out = document["accounts"]["issuer"]
    assert out["score"] == 0
    assert "left out of the base" in entry(out, "frequency")["text"]
    assert top["genuine"]["genuine_part"] == 1
    assert json.loads(json.dumps(document)) == document


def test_red_begins_at_the_line_of_the_policy(ground: Ground) -> None:
    found = ladder(ground)
    at = scores(found, {"purchases": 100}, {}, numbers(found, "a9"), red_from=95)
    above = scores(found, {"purchases": 100}, {}, numbers(found, "a9"), red_from=95.01)
    assert at["accounts"]["a9"]["red"]
    assert not above["accounts"]["a9"]["red"]


def test_low_is_suspicious_for_genuine_shares(ground: Ground) -> None:
    found = ladder(ground)
    document = scores(found, {"genuine_share": 100}, {}, numbers(found, "a1", "z"))
    # ten hold what they bought, z does not: (0 + 10 / 2) / 11, and (10 + 1 / 2) / 11
    assert entry(document["accounts"]["a1"], "genuine_share")["percentile"] == 45.5
    assert entry(document["accounts"]["z"], "genuine_share")["percentile"] == 95.5
    assert "as much as 90 %" in entry(document["accounts"]["a1"], "genuine_share")["text"]


def test_who_did_nothing_of_the_kind_gets_no_points(ground: Ground) -> None:
    town = Town()
    town.hold(5, "a", "b", "c", "d")
    for account in "ab":
        town.see(account, "phone")
    for account in "cd":
        town.see(account, f"own-{account}")
    found = town.settle(ground)
    document = scores(found, {"identifiers": 100}, {}, numbers(found, *"abcd"))
    assert [document["accounts"][account]["score"] for account in "abcd"] == [75, 75, 0, 0]
    clean = entry(document["accounts"]["c"], "identifiers")
    assert (clean["value"], clean["percentile"]) == (0.0, 0.0)
    assert clean["text"] == "Shares no identifier with another account: counts 0."


def test_a_group_is_the_mean_of_its_members_by_holdings(ground: Ground) -> None:
    found = ladder(ground)
    groups = {"g": numbers(found, "a9", "a4", "z"), "nobody": numbers(found, "issuer")}
    document = scores(found, {"purchases": 100}, groups)
    assert sorted(document["accounts"]) == ["a4", "a9", "issuer", "z"]
    group = entry(document["groups"]["g"], "purchases")
    # a9 holds 10 at 95.0, a4 5 at 45.0, z 5 without a value
    assert group["percentile"] == 58.8
    assert group["value"] == pytest.approx((10 * 10 + 5 * 5) / 15, abs=1e-4)
    assert "1 member without a value" in group["text"]
    assert document["groups"]["nobody"]["score"] == 0


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"purchases": 99}, "sum to 99, not to 100"),
        ({"luck": 100}, "no indicator 'luck'"),
        ({"purchases": 110, "age": -10}, "below 0"),
    ],
)
def test_weights_that_cannot_be(ground: Ground, weights: dict[str, float], said: str) -> None:
    found = ladder(ground)
    with pytest.raises(UserError, match=said):
        scores(found, weights, {})


def test_an_account_that_is_not_there(ground: Ground) -> None:
    found = ladder(ground)
    with pytest.raises(UserError, match="not among these facts"):
        scores(found, WEIGHTS, {}, [999])
    with pytest.raises(UserError, match="no rule of mixing"):
        scores(found, WEIGHTS, {}, [0], mixing="stirred")


def test_one_account_and_no_transfers(ground: Ground) -> None:
    town = Town()
    town.hold(5, "a")
    found = town.settle(ground)
    document = scores(found, WEIGHTS, {"g": [0]})
    assert document["accounts"]["a"]["score"] == 0
    assert document["groups"]["g"]["score"] == 0
    assert recomputed(document["groups"]["g"]) == 0


def test_an_empty_store(ground: Ground) -> None:
    document = scores(Town().settle(ground), WEIGHTS, {})
    assert (document["population"], document["accounts"], document["groups"]) == (0, {}, {})


def test_all_hold_nothing_and_nothing_has_a_time(ground: Ground) -> None:
    town = Town()
    for place in range(6):
        for step in range(1, 4):
            town.pay(f"a{place}", f"a{(place + step) % 6}", 10 * step, day=None)
    found = town.settle(ground)
    document = scores(found, WEIGHTS, {"g": numbers(found, "a0", "a1")})
    own = document["accounts"]["a0"]
    assert [entry(own, name)["value"] for name in ("speed", "lockstep", "genuine_share")] == [
        None,
        None,
        None,
    ]
    assert entry(own, "frequency")["percentile"] == 50.0
    assert recomputed(document["groups"]["g"]) == Decimal(str(document["groups"]["g"]["score"]))


def test_the_same_whatever_the_order_of_groups_and_rows(ground: Ground) -> None:
    town = Town()
    draw = np.random.default_rng(3)
    for src, dst, amount in draw.integers(0, 30, (400, 3)).tolist():
        town.pay(f"a{src}", f"a{dst}", amount + 1, float(amount))
    for place in range(30):
        town.hold(place, f"a{place}")
        town.buy(f"a{place}", place + 1, place / 2)
    turned = Town()
    turned.rows = {kind: rows[::-1] for kind, rows in reversed(town.rows.items())}
    one = town.settle(ground / "one")
    group = numbers(one, "a3", "a7", "a20")
    first = scores(one, WEIGHTS, {"g": group, "h": [1, 2]}, range(30))
    other = turned.settle(ground / "other")
    second = scores(other, WEIGHTS, {"h": [2, 1], "g": group[::-1]}, range(30))
    assert first == second
    for document in [*first["accounts"].values(), *first["groups"].values()]:
        assert recomputed(document) == Decimal(str(document["score"]))
        assert 0 <= document["score"] <= 100


def test_facts_after_the_time_asked_for_do_not_count(ground: Ground) -> None:
    town = Town()
    town.buy("a", 5, day=1)
    town.buy("a", 5, day=9)
    found = town.settle(ground, as_of=BEGIN + timedelta(days=2))
    assert values(Population(found), indicators()["purchases"]) == {"a": 5}


class Given:
    """An indicator of values given by account; None: no value."""

    name, title, unit, formula, innocent = "given", "given", "things", "as given", "luck"
    more, absent = "more", "has none"

    def __init__(self, every: list[int | None], high: bool, nothing: float | None) -> None:
        self.every, self.high, self.nothing = every, high, nothing

    def measure(self, population: Any) -> pl.DataFrame:
        rows = [(place, float(x)) for place, x in enumerate(self.every) if x is not None]
        return pl.DataFrame(rows, {"account": pl.Int32, "value": pl.Float64}, orient="row")

    def sentence(self, row: Any) -> str:
        return f"Has {row['value']:.0f}"


GIVEN = st.lists(st.none() | st.integers(0, 6), min_size=1, max_size=40)


@given(GIVEN, st.booleans(), st.sampled_from([None, 0.0]))
def test_percentiles_rise_with_suspicion(
    every: list[int | None], high: bool, nothing: float | None
) -> None:
    one: Any = Given(every, high, nothing if high else None)
    whole: Any = SimpleNamespace(compared=np.ones(len(every), np.bool_))
    rows = score._ranked(one, whole, np.arange(len(every)))
    about = {"excluded": False, "compared": True}
    found = [
        score._of_account(one, about, rows.get(place), Fraction(100)) for place in range(len(every))
    ]
    known = [
        (x if high else -x, entry_) for x, entry_ in zip(every, found, strict=True) if x is not None
    ]
    for x, its in known:
        below = sum(other < x for other, _ in known)
        alike = sum(other == x for other, _ in known)
        exact = Fraction(100 * (2 * below + alike), 2 * len(known))
        if x == one.nothing:
            exact = Fraction(0)
        assert abs(Fraction(str(its["percentile"])) - exact) <= Fraction(1, 20)
        assert all(
            its["percentile"] <= theirs["percentile"] for other, theirs in known if other >= x
        )
    assert all(its["percentile"] is None for x, its in zip(every, found, strict=True) if x is None)


@given(
    st.lists(st.integers(0, 1000) | st.none(), min_size=12, max_size=12),
    st.lists(st.integers(1, 400), min_size=12, max_size=12),
)
def test_the_printed_sum_can_be_recomputed(ranks: list[int | None], parts: list[int]) -> None:
    entries = []
    for one, rank, part in zip(indicators().values(), ranks, parts, strict=True):
        percentile = None if rank is None else Decimal(rank).scaleb(-1)
        entries.append(score._entry(one, Fraction(part, 4), None, percentile, "."))
    document = score._added_up(entries, 60)
    assert recomputed(document) == Decimal(str(document["score"]))
    assert json.loads(json.dumps(document)) == document
