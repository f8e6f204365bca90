"""Only who paid whom, and holdings: no amounts, no times, no roles, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from engine_helpers import ask, load_frames, members

from detectors.engine.ask import Inquiry, why
from detectors.engine.result import Result
from graph.store import Store, init_store
from inconcert.asking import make_request

PEOPLE = [f"p{number:04}" for number in range(6000)]
GROUP = PEOPLE[:25]
CROWD = PEOPLE[1000:3000]
HUBS = {"exchange": 1500, "shop": 900, "payroll": 500}

Pairs = list[tuple[str, str]]


def drawn(draw: np.random.Generator, people: Sequence[str], count: int) -> Pairs:
    """Payments between people at random."""
    ends = draw.integers(0, len(people), (count, 2)).tolist()
    return [(people[one], people[other]) for one, other in ends if one != other]


def town(draw: np.random.Generator) -> Pairs:
    """Everybody has eight counterparties; each of the crowd two more inside it."""
    return drawn(draw, PEOPLE, 4 * len(PEOPLE)) + drawn(draw, CROWD, len(CROWD))


def act_as_one(draw: np.random.Generator) -> Pairs:
    """Each of the group pays four others of it."""
    return [
        (one, str(other))
        for one in GROUP
        for other in draw.choice([each for each in GROUP if each != one], 4, replace=False)
    ]


def customers(draw: np.random.Generator, always: Iterable[str]) -> Pairs:
    """The exchange pays and is paid, the shop is paid, the payroll pays; a third each of their
    customers comes once, twice or three times. `always`: who is a customer of all three."""
    pairs: Pairs = []
    for hub, size in HUBS.items():
        others = draw.choice(PEOPLE[25:], size - len(list(always)), replace=False).tolist()
        for who in [*always, *others]:
            pays = {"exchange": draw.random() < 0.5, "shop": True, "payroll": False}[hub]
            pairs += [(who, hub) if pays else (hub, who)] * int(draw.integers(1, 4))
    return pairs


def settled(folder: Path, pairs: Pairs) -> tuple[Store, Result]:
    """A store with nothing but src, dst and holdings, of which the first 25 have 6 % and others
    about the same each; what is detected in it."""
    held = np.random.default_rng(9).lognormal(3, 1, len(PEOPLE))
    held[: len(GROUP)] = held[len(GROUP) :].sum() * 0.06 / 0.94 / len(GROUP)
    store = init_store(str(folder / "store"))
    frames = {
        "transfers": pl.DataFrame(pairs, ["src", "dst"], orient="row"),
        "holdings": pl.DataFrame({"account": PEOPLE, "amount": [f"{x:.2f}" for x in held]}),
    }
    load_frames(store, folder, frames)
    return store, ask(store)


def test_a_strong_group_comes_out_first_and_a_crowd_of_thousands_does_not(tmp_path):
    draw = np.random.default_rng(1)
    _, result = settled(tmp_path, town(draw) + act_as_one(draw))
    first = members(result["groups"][0])
    assert len(first & set(GROUP)) / len(first | set(GROUP)) >= 0.8
    assert not any(members(group) & set(CROWD) for group in result["groups"])


def test_customers_of_an_exchange_a_shop_and_a_payroll_are_joined_by_none(tmp_path):
    """25 accounts over the line together are customers of all three, and deal with each other
    no more than others do. Nor does the crowd come out where there is nothing stronger."""
    draw = np.random.default_rng(3)
    store, result = settled(tmp_path, town(draw) + customers(draw, GROUP))
    assert result["groups"] == []
    inquiry = Inquiry.open(store, make_request((), ()))
    for one, other in ((GROUP[0], GROUP[1]), (GROUP[2], "exchange")):
        answer = why(inquiry, one, other)
        assert answer["direct"] == []
        assert answer["conclusion"].startswith("They are not joined: ")


def test_a_group_of_customers_does_not_bring_in_the_others(tmp_path):
    """Nor the exchange, the shop and the payroll themselves."""
    draw = np.random.default_rng(4)
    pairs = town(draw) + act_as_one(draw) + customers(draw, GROUP)
    _, result = settled(tmp_path, pairs)
    (group,) = result["groups"]
    found = members(group)
    assert not found & set(HUBS)
    assert found >= set(GROUP)
    assert len(found) <= len(GROUP) + 2
