"""Worlds in which there is little to find: an answer that is sensible, and a sentence why."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from itertools import permutations

import pytest
from town_files import write

from graph.store import init_store
from reports.wording import Result

RING = [f"r{number}" for number in range(10)]
CROWD = [f"c{number:03}" for number in range(200)]


@pytest.fixture
def ask(call, tmp_path, monkeypatch):
    """Loads files of rows by kind into a new store, and detects: what is printed, in one line,
    and the result, as the run keeps it."""

    def ask(*words: str, **files: Iterable[tuple[object, ...]]) -> tuple[str, Result]:
        monkeypatch.setenv("INCONCERT_STORE", str(tmp_path / "store"))
        store = init_store(str(tmp_path / "store"))
        for kind, rows in files.items():
            assert call("load", kind, write(tmp_path / f"{kind}.csv", *rows))[0] == 0
        code, out, err = call("detect", *words)
        assert (code, err) == (0, "")
        (run,) = store.runs()
        said, result = " ".join(out.split()), store.run(run.id).result
        if not result["groups"]:
            assert said == result["message"]
        return said, result

    return ask


def held(amount: object, accounts: Iterable[str]) -> list[tuple[object, ...]]:
    return [(account, amount) for account in accounts]


def deals(ring: list[str], seed: int = 1) -> list[tuple[str, str]]:
    """A ring passes points round four times; strangers deal at random."""
    draw = random.Random(seed)
    rows = [
        (one, ring[(place + step) % len(ring)])
        for place, one in enumerate(ring)
        for step in (1, 2)
        for _ in range(4)
    ]
    return rows + [(one, draw.choice(CROWD)) for one in CROWD for _ in range(3)]


def test_one_account(ask, call):
    said, _ = ask(
        holdings=[("account", "amount"), ("a", 5)], transfers=[("src", "dst"), ("a", "a")]
    )
    assert said == (
        "No group was found at or over the line (5 % of all) among 1 account. One account is no "
        "group: a group takes two or more. There are no referrals and no sightings among these "
        "facts."
    )
    assert "There is no account 'b'" in call("why", "a", "b")[2]
    assert " ".join(call("groups")[1].split()) == said
    answer = json.loads(call("detect", "--no-save", "--format", "json")[1])
    assert (answer["groups"], answer["message"]) == ([], said)


def test_no_transfers(ask, call):
    said, _ = ask(holdings=[("account", "amount"), *held(5, CROWD)])
    assert "No fact ties any two accounts to each other." in said
    assert said.endswith("There are no transfers, no referrals and no sightings among these facts.")
    assert "There are no transfers, no referrals" in call("why", CROWD[0], CROWD[1])[1]


def test_shared_devices_below_the_line_and_no_transfers(ask):
    said, _ = ask(
        holdings=[("account", "amount"), *held(5, CROWD)],
        sightings=[("account", "identifier_kind", "value"), *((a, "device", "x") for a in RING)],
        accounts=[("account",), *((a,) for a in CROWD)],
    )
    assert "The most that evidence joins at all is 10 accounts with 0.00 %: below the line." in said
    assert said.endswith("There are no transfers and no referrals among these facts.")


def test_all_holdings_zero(ask, call):
    said, result = ask(
        transfers=[("src", "dst"), *deals(RING)],
        holdings=[("account", "amount"), *held("0.00", [*RING, *CROWD])],
    )
    assert said == "All holdings that count are 0: there is no base to take shares of."
    assert (result["supply"], result["groups"]) == ("0", [])
    assert "there is no base to take shares of" in call("why", "r0", "r1")[1].splitlines()[0]


def test_one_account_with_all(ask, call):
    said, _ = ask(
        transfers=[("src", "dst"), *deals(RING)],
        holdings=[("account", "amount"), ("r0", 1000), *held(0, [*RING[1:], *CROWD])],
    )
    assert "r0 alone holds 100.00 %, all others together 0.00 %: such a crossing is no" in said
    whales = json.loads(call("detect", "whale", "--no-save", "--format", "json")[1])["groups"]
    assert [member["account"] for group in whales for member in group["members"]] == ["r0"]


def test_two_groups_that_share_a_member_and_nothing_else(ask):
    """Two rings come out as one, since their common member is in both: that is said."""
    other = [RING[0], *(f"s{number}" for number in range(9))]
    said, result = ask(
        transfers=[("src", "dst"), *deals(RING), *deals(other)],
        holdings=[("account", "amount"), *held(10, {*RING, *other}), *held(5, CROWD)],
    )
    (group,) = result["groups"]
    assert {member["account"] for member in group["members"]} == {*RING, *other}
    assert "shared member" in [doubt["explanation"] for doubt in group["doubts"]]
    assert "Without r0 nothing ties its two parts together (9 with 7.56%, 9 with 7.56%)" in said


def test_two_dense_groups_that_share_a_member_are_two(ask):
    """Both come out, with the member in both: that is said too."""
    draw = random.Random(3)
    first, second = ([f"{name}{number:02}" for number in range(20)] for name in "ab")
    second.append(first[0])
    inside = [
        (one, two) for ring in (first, second) for one in ring for two in draw.sample(ring, 6)
    ]
    town = [f"c{number:04}" for number in range(1500)]
    outside = [(one, draw.choice(town)) for one in first + second + 4 * town]
    said, result = ask(
        transfers=[("src", "dst"), *inside, *outside],
        holdings=[("account", "amount"), *held(10, {*first, *second}), *held(2, town)],
    )
    found = [{member["account"] for member in group["members"]} for group in result["groups"]]
    assert sorted(map(sorted, found)) == sorted(map(sorted, (first, second)))
    ids = " and ".join(group["id"] for group in result["groups"])
    assert f"a00 is in both {ids}, and counts in each." in said


@pytest.mark.parametrize("everybody", ["deals", "one device"])
def test_ties_everywhere(ask, everybody):
    pairs = [("src", "dst"), *permutations(CROWD[:60], 2)]
    seen = [("account", "identifier_kind", "value"), *((a, "device", "x") for a in CROWD[:60])]
    files = {"transfers": pairs} if everybody == "deals" else {"sightings": seen}
    said, _ = ask(holdings=[("account", "amount"), *held(5, CROWD[:60])], **files)
    assert "The strongest ties there are join more than 50 accounts at once, a crowd" in said


def test_a_line_that_no_group_can_reach(ask):
    said, _ = ask(
        "--line",
        "60%",
        transfers=[("src", "dst"), *deals(RING)],
        holdings=[("account", "amount"), *held(10, RING), *held(5, CROWD)],
    )
    assert "at or over the line (60 % of all) among 210 accounts" in said
    assert "come together, and none that hold more before a crowd of more than 50" in said
    assert "the line is above that." in said


def test_a_supply_of_which_all_together_hold_less_than_the_line(ask, call, tmp_path):
    held_by_ring = [("account", "amount"), *held(10, RING)]
    ask(transfers=[("src", "dst"), *deals(RING)], holdings=held_by_ring)
    assert call("supply", "set", "1000000", "--from", "2020-01-01")[0] == 0
    _, out, _ = call("detect", "--no-save")
    said = " ".join(out.split())
    assert "All accounts together hold 0.01 % of the supply of 1000000: no group can" in said


def test_a_line_that_no_group_reaches_beside_one_that_is(ask):
    said, result = ask(
        "--line",
        "5%",
        "--line",
        "40%",
        transfers=[("src", "dst"), *deals(RING)],
        holdings=[("account", "amount"), *held(10, RING), *held(5, CROWD)],
    )
    assert {group["line"] for group in result["groups"]} == {0.05}
    assert "None at or over 40 %." in said


def test_the_set_that_comes_nearest_is_described_and_not_named(ask):
    """The rich deal with each other a little more than with others: no finding."""
    draw = random.Random(5)
    rich = CROWD[:40]
    said, _ = ask(
        transfers=[
            ("src", "dst"),
            *((one, draw.choice(CROWD)) for one in CROWD for _ in range(4)),
            *((one, draw.choice(rich)) for one in rich for _ in range(2)),
        ],
        holdings=[("account", "amount"), *held(20, rich), *held(5, CROWD[40:])],
    )
    assert "The set that comes nearest (" in said
    assert "better than chance, picking it among all sets costs" in said
    assert not any(account in said for account in CROWD)
