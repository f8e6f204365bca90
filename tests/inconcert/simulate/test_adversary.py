"""What an adversary's world promises: true schemes, guilty-looking innocents, and no leak."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import polars as pl
import pytest

from graph.errors import UserError
from inconcert.cli import run
from inconcert.simulate import World, adversary, make_world, write_world
from inconcert.simulate.adversary import CROWDS, KINDS

ACCOUNTS = 8000
LINE = 0.05


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    """Worlds that hold every kind once."""
    kinds = list(KINDS)
    return [
        adversary.make_world(ACCOUNTS, seed=seed, kinds=kinds[first : first + 5])
        for seed, first in enumerate(range(0, len(kinds), 5))
    ]


@pytest.fixture(scope="module")
def empty() -> World:
    """A world of innocents only."""
    return adversary.make_world(ACCOUNTS, seed=7, groups=0)


def one(worlds: list[World], kind: str) -> tuple[World, dict[str, Any]]:
    """The group of a kind and its world."""
    return next((w, entry) for w in worlds for entry in w.truth if entry["kind"] == kind)


def shares(world: World) -> dict[str, float]:
    held = world.holdings.select("account", pl.col("amount").cast(pl.Float64))
    return dict(held.with_columns(pl.col("amount") / pl.col("amount").sum()).iter_rows())


def among(world: World, members: list[str]) -> pl.DataFrame:
    """The transfers from one of the members to another."""
    return world.transfers.filter(pl.col("src").is_in(members) & pl.col("dst").is_in(members))


def inside_part(world: World, members: list[str]) -> float:
    """The part of the members' transfer ends that lie among them."""
    ends = pl.concat([world.transfers["src"], world.transfers["dst"]])
    return 2 * among(world, members).height / int(ends.is_in(members).sum())


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_the_same_arguments_give_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    write_world(adversary.make_world(3000, seed=5), tmp_path / "one")
    subprocess.run(
        [
            *(sys.executable, "-c", "from inconcert.cli import main; main()", "simulate"),
            *("--world", "adversary", "--accounts", "3000", "--seed", "5"),
            *("--out", str(tmp_path / "two")),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    write_world(adversary.make_world(3000, seed=6), tmp_path / "three")
    other = digests(tmp_path / "three")
    assert all(other[name] != digest for name, digest in digests(tmp_path / "one").items())


def test_counts_are_exact_and_nothing_happens_before_an_opening(worlds: list[World]) -> None:
    for world in worlds:
        transfers = world.transfers
        assert transfers.height == 15 * ACCOUNTS == transfers["id"].n_unique()
        assert transfers["at"].is_sorted()
        assert (transfers["src"] != transfers["dst"]).all()
        assert transfers["amount"].min() > 0
        assert sum(world.holdings["amount"], Decimal(0)) == Decimal(ACCOUNTS * 10_000)
        assert world.holdings["amount"].min() >= 0
        opened = world.accounts.select("account", "opened_at")
        happened = pl.concat(
            [
                *(transfers.select("at", account=end) for end in ("src", "dst")),
                world.sightings.select("at", "account"),
                world.purchases.select("at", "account"),
            ]
        ).join(opened, on="account")
        assert happened.filter(pl.col("at") <= pl.col("opened_at")).is_empty()
        assert happened.height == 2 * transfers.height + world.sightings.height + (
            world.purchases.height
        )
        begin = world.platform.calendar.start_us
        assert (opened["opened_at"].to_physical() > begin).mean() > 0.04
        when = dict(opened.iter_rows())
        assert all(when[a] < when[b] == at for a, b, at in world.referrals.iter_rows())


def test_groups_are_over_the_line_and_members_are_below_it(worlds: list[World]) -> None:
    assert {entry["kind"] for world in worlds for entry in world.truth} == set(KINDS)
    for world in worlds:
        held = shares(world)
        everybody = Counter(member for entry in world.truth for member in entry["members"])
        assert max(everybody.values()) == 1
        assert max(held.values()) < LINE
        for entry in world.truth:
            together = sum(held[member] for member in entry["members"])
            assert together == pytest.approx(entry["share"], abs=1e-9)
            assert 0.0503 < together < 0.081
            assert max(held[member] for member in entry["members"]) < 0.03
            assert 12 <= len(entry["holders"]) <= 300
            assert set(entry["holders"]) <= set(entry["members"])


@pytest.mark.parametrize(("held", "inside"), [(0.047, 0.6), (0.0495, 0.2), (0.0505, 0.8)])
def test_what_a_group_holds_and_trades_inside_can_be_set(held: float, inside: float) -> None:
    world = adversary.make_world(
        ACCOUNTS, seed=3, kinds=["jitter", "rotating_star"], held=held, inside=inside
    )
    for entry in world.truth:
        assert entry["share"] == pytest.approx(held, abs=1e-4)
        assert inside_part(world, entry["members"]) == pytest.approx(inside, abs=0.09)


def test_every_crowd_is_over_the_line_or_close_to_it(empty: World) -> None:
    assert empty.truth == []
    assert {entry["kind"] for entry in empty.innocents} == set(CROWDS)
    held = shares(empty)
    for entry in empty.innocents:
        together = sum(held[member] for member in entry["members"])
        assert together == pytest.approx(entry["share"], abs=1e-9)
        least = 0.02 if entry["kind"] == "distributors" else 0.04
        assert least < together < 0.061, entry["crowd"]
        assert len(entry["members"]) == len(set(entry["members"]))
    household = empty.crowd("household")
    assert 0.04 < max(held[member] for member in household) < LINE


def test_crowds_are_innocent_of_the_groups(worlds: list[World]) -> None:
    """Only who gives to a charity or plays in a syndicate may be in a group as well."""
    for world in worlds:
        hidden = {member for entry in world.truth for member in entry["members"]}
        for entry in world.innocents:
            if not CROWDS[entry["kind"]].public:
                assert not hidden & set(entry["members"]), entry["crowd"]


def test_an_employer_pays_all_at_once_and_has_one_line(empty: World) -> None:
    staff, boss = empty.crowd("employer"), empty.institutions("employer")
    pay = empty.transfers.filter(pl.col("src").is_in(boss) & pl.col("dst").is_in(staff))
    hours = pay.group_by(pl.col("at").dt.truncate("1h")).agg(pl.col("dst").n_unique().alias("n"))
    assert hours.filter(pl.col("n") > 0.95 * len(staff)).height >= 5
    lines = empty.sightings.filter(
        pl.col("account").is_in(staff) & (pl.col("identifier_kind") == "ip")
    )
    shared = lines.group_by("value").agg(pl.col("account").n_unique().alias("n"))
    assert shared["n"].max() > 0.7 * len(staff)


def test_standing_orders_and_stakes_repeat_on_the_same_pair(empty: World) -> None:
    for crowd, times in (("charity", 5), ("syndicate", 20)):
        same = among(empty, empty.crowd(crowd)).group_by("src", "dst", "amount").len()
        assert same.filter(pl.col("len") >= times).height > 0.8 * len(empty.crowd(crowd)), crowd


def test_custody_and_family_are_what_they_seem(empty: World) -> None:
    clients = empty.crowd("custodian")
    mine = empty.transfers.filter(
        pl.col("src").is_in(clients) | pl.col("dst").is_in(clients)
    ).with_columns(
        hub=pl.col("src").is_in(empty.institutions("custodian"))
        | pl.col("dst").is_in(empty.institutions("custodian"))
    )
    assert mine["hub"].mean() > 0.4
    family = empty.crowd("family_firm")
    devices = empty.sightings.filter(
        pl.col("account").is_in(family) & (pl.col("identifier_kind") == "device")
    )
    users = devices.group_by("value").agg(pl.col("account").n_unique().alias("n"))
    assert users["n"].max() >= 4
    assert inside_part(empty, family) > 0.3


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("jitter", 0.2, 0.45),
        ("random_amounts", 0.2, 0.45),
        ("busy_members", 0.1, 0.3),
        ("rotated_devices", 0.05, 0.2),
        ("rented", 0.2, 0.5),
        ("two_cells", 0.2, 0.48),
        ("refunds", 0.0, 0.05),
        ("referral_cover", 0.15, 0.45),
        ("slow_accumulation", 0.2, 0.5),
        ("waves", 0.0, 0.05),
        ("long_ring", 0.2, 0.45),
        ("rotating_star", 0.2, 0.5),
    ],
)
def test_most_of_a_members_life_lies_outside(
    worlds: list[World], kind: str, low: float, high: float
) -> None:
    world, entry = one(worlds, kind)
    assert low <= inside_part(world, entry["members"]) <= high


def test_rented_accounts_begin_at_a_date_and_are_paid(worlds: list[World]) -> None:
    world, entry = one(worlds, "rented")
    days = among(world, entry["holders"])["at"].dt.epoch("d")
    first = world.platform.calendar.start_us // 86_400_000_000
    spread = (days - first) / world.platform.calendar.days
    assert (spread < 0.34).mean() < 0.1
    assert (spread > 0.6).mean() > 0.5
    payer = set(entry["members"]) - set(entry["holders"])
    assert len(payer) == 1
    paid = world.transfers.filter(pl.col("src").is_in(payer))
    assert paid.filter(pl.col("dst").is_in(entry["holders"]))["dst"].n_unique() > 0.8 * len(
        entry["holders"]
    )


def test_two_cells_meet_through_one_courier(worlds: list[World]) -> None:
    world, entry = one(worlds, "two_cells")
    courier = next(iter(set(entry["members"]) - set(entry["holders"])))
    inside = among(world, entry["members"])
    counted = inside.group_by("src", "dst").len().filter(pl.col("len") >= 3)
    ties = nx.Graph(counted.select("src", "dst").iter_rows())
    ties.add_node(courier)
    ties.remove_node(courier)
    cells = sorted(nx.connected_components(ties), key=len)[-2:]
    held = shares(world)
    assert all(len(cell) > 0.25 * len(entry["holders"]) for cell in cells)
    assert all(sum(held[member] for member in cell) < LINE for cell in cells)
    met = [
        set(inside.filter((pl.col("src") == courier) & pl.col("dst").is_in(list(cell)))["dst"])
        for cell in cells
    ]
    assert all(met)


def test_mules_pass_on_what_they_get(worlds: list[World]) -> None:
    world, entry = one(worlds, "layered_mules")
    mules = sorted(set(entry["members"]) - set(entry["holders"]))
    inside = among(world, entry["members"])
    assert among(world, entry["holders"]).height < 0.05 * inside.height
    got = float(inside.filter(pl.col("dst").is_in(mules))["amount"].sum())
    sent = float(inside.filter(pl.col("src").is_in(mules))["amount"].sum())
    assert 0.8 < sent / got < 1.05
    held = shares(world)
    assert sum(held[mule] for mule in mules) < 0.003


def test_refunds_reach_others_through_few_shops(worlds: list[World]) -> None:
    world, entry = one(worlds, "refunds")
    members = entry["members"]
    bought = world.transfers.filter(pl.col("src").is_in(members) & (pl.col("kind") == "payment"))
    back = world.transfers.filter(pl.col("dst").is_in(members) & (pl.col("kind") == "payment"))
    assert back.height > 0.5 * bought.height > 5 * len(members)
    used = back.group_by("src").len().sort("len", descending=True)
    few = max(3, len(members) // 10)
    assert used["len"].head(few).sum() > 0.6 * back.height


def test_waves_reach_many_at_once_from_one_exchange(worlds: list[World]) -> None:
    world, entry = one(worlds, "waves")
    got = world.transfers.filter(pl.col("dst").is_in(entry["members"]))
    hub = got.group_by("src").len().sort("len", descending=True)["src"][0]
    assert hub in world.institutions("exchange") + world.institutions("small_exchanges")
    bins = (
        got.filter(pl.col("src") == hub)
        .group_by(pl.col("at").dt.truncate("12h"))
        .agg(pl.col("dst").n_unique().alias("n"))
    )
    assert bins.filter(pl.col("n") > 0.4 * len(entry["members"])).height >= 5


def test_a_ring_is_a_ring(worlds: list[World]) -> None:
    world, entry = one(worlds, "long_ring")
    inside = among(world, entry["members"])
    strongest = inside.group_by("src", "dst").len().sort("len", descending=True)
    ring = nx.DiGraph(strongest.head(len(entry["members"])).select("src", "dst").iter_rows())
    assert max(len(part) for part in nx.strongly_connected_components(ring)) > 0.8 * len(
        entry["members"]
    )


def test_the_hub_of_a_star_changes(worlds: list[World]) -> None:
    world, entry = one(worlds, "rotating_star")
    inside = among(world, entry["members"])
    ends = pl.concat([inside.select("at", account=end) for end in ("src", "dst")])
    weekly = ends.group_by(pl.col("at").dt.truncate("1w"), "account").len()
    top = weekly.sort("len", descending=True).group_by("at", maintain_order=True).first()
    busy = top.filter(pl.col("len") >= 5)
    assert busy["account"].n_unique() > 5


def test_devices_are_chained_and_never_crowded(worlds: list[World]) -> None:
    world, entry = one(worlds, "rotated_devices")
    devices = world.sightings.filter(
        pl.col("account").is_in(entry["members"]) & (pl.col("identifier_kind") == "device")
    ).unique(["account", "value"])
    shared = devices.filter(pl.len().over("value") > 1)
    assert shared.group_by("value").len()["len"].max() <= 3
    chain = nx.Graph(shared.select("account", "value").iter_rows())
    largest = max(nx.connected_components(chain), key=len)
    assert len(largest & set(entry["members"])) > 0.8 * len(entry["members"])


def test_under_cover_of_a_team_only_the_core_acts(worlds: list[World]) -> None:
    world, entry = one(worlds, "referral_cover")
    core, rest = entry["core"], sorted(set(entry["members"]) - set(entry["core"]))
    assert set(core) < set(entry["members"])
    recruited = world.referrals.filter(
        pl.col("referrer").is_in(entry["members"]) & pl.col("referred").is_in(entry["members"])
    )
    assert recruited.height == len(entry["members"]) - 1
    assert inside_part(world, core) > 2 * inside_part(world, rest)
    held = shares(world)
    assert sum(held[member] for member in core) > 1.5 * sum(held[member] for member in rest)


def test_feeders_fill_slowly(worlds: list[World]) -> None:
    world, entry = one(worlds, "slow_accumulation")
    feeders = sorted(set(entry["members"]) - set(entry["holders"]))
    fed = world.transfers.filter(
        pl.col("src").is_in(feeders) & pl.col("dst").is_in(entry["holders"])
    )
    assert fed["dst"].n_unique() > 0.9 * len(entry["holders"])
    assert (fed["at"].max() - fed["at"].min()).days > 130
    day = fed["at"].dt.epoch("d")
    months = np.histogram(day.to_numpy(), bins=5)[0]
    assert months.min() > 0.12 * fed.height
    assert fed.height > 4 * among(world, entry["holders"]).height


def test_ordinary_life_is_uneven_and_the_rich_trade_with_the_rich(empty: World) -> None:
    held = shares(empty)
    top = sorted(held, key=held.__getitem__)[-ACCOUNTS // 100 :]
    assert sum(held[account] for account in top) > 0.4
    ends = pl.concat([empty.transfers["src"], empty.transfers["dst"]])
    assert ends.is_in(top).mean() > 0.03
    rich = among(empty, top).height / empty.transfers.height
    assert rich > 2 * float(ends.is_in(top).mean()) ** 2
    degree = ends.value_counts(name="n")["n"]
    assert degree.max() > 50 * degree.median()
    hours = empty.transfers["at"].dt.hour()
    assert hours.is_between(2, 5).mean() < 0.5 * hours.is_between(10, 13).mean()
    daily = empty.transfers.group_by(pl.col("at").dt.date()).len()["len"]
    assert daily.max() > 1.4 * daily.median()


def test_referrals_have_a_root_over_two_fifths(empty: World) -> None:
    forest = nx.DiGraph(empty.referrals.select("referrer", "referred").iter_rows())
    assert nx.is_directed_acyclic_graph(forest)
    assert max(degree for _, degree in forest.in_degree()) == 1
    roots = [node for node in forest if forest.in_degree(node) == 0]
    assert max(len(nx.descendants(forest, root)) for root in roots) > 0.4 * ACCOUNTS


def test_lines_devices_and_cards_are_shared_by_innocents(empty: World) -> None:
    users = empty.sightings.group_by("identifier_kind", "value").agg(
        pl.col("account").n_unique().alias("n")
    )
    for kind, most, shared in (("ip", 60, 500), ("device", 3, 100), ("card", 2, 50)):
        of_kind = users.filter(pl.col("identifier_kind") == kind)["n"]
        assert of_kind.max() >= most, kind
        assert (of_kind > 1).sum() > shared, kind


LEAKS = (
    *("round", "whole", "night", "weekend", "hour", "place", "opened", "digits"),
    *("referred", "named"),
)


def habits(world: World) -> pl.DataFrame:
    """What each person's accounts and transfers look like, apart from whom they deal with."""
    ends = pl.concat(
        [world.transfers.select("amount", "at", account=end) for end in ("src", "dst")]
    ).with_columns(cents=(pl.col("amount") * 100).cast(pl.Int64))
    unit = pl.lit(10) ** (pl.col("cents").log10().floor() - 1).clip(0).cast(pl.Int64)
    institutions = [hub for name in world.casts for hub in world.institutions(name)]
    held = (pl.col("held") * 100).cast(pl.Int64)
    return (
        ends.group_by("account")
        .agg(
            pl.len().alias("count"),
            (pl.col("cents") % unit == 0).mean().alias("round"),
            (pl.col("cents") % 100 == 0).mean().alias("whole"),
            (pl.col("at").dt.hour() < 8).mean().alias("night"),
            (pl.col("at").dt.weekday() > 5).mean().alias("weekend"),
            pl.col("at").dt.hour().mean().alias("hour"),
        )
        .join(world.accounts.with_row_index("place"), on="account")
        .join(world.holdings.select("account", held="amount"), on="account")
        .filter(pl.col("role").is_null() | (pl.col("role") == "person"))
        .filter(~pl.col("account").is_in(institutions))
        .with_columns(
            opened=pl.col("opened_at").to_physical(),
            digits=held % 1000,
            referred=pl.col("account").is_in(world.referrals["referred"].implode()).cast(int),
            named=pl.col("role").is_null().cast(int),
            wealth=(1 + held).log10(),
            activity=pl.col("count").log10(),
        )
        .sort("account")
    )


def matched(world: World) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Holders of groups, and for each three innocents as busy and as rich."""
    table = habits(world)
    holders = pl.Series([member for entry in world.truth for member in entry["holders"]])
    mine = table.filter(pl.col("account").is_in(holders.implode()))
    others = table.filter(~pl.col("account").is_in(holders.implode()))
    size = np.array([3.0, 1.0])
    a, b = (part.select("activity", "wealth").to_numpy() * size for part in (mine, others))
    distance = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    nearest = np.argpartition(distance, 3, axis=1)[:, :3].ravel()
    return mine, others[nearest]


def kolmogorov(a: np.ndarray, b: np.ndarray) -> float:
    """The largest distance between two distributions."""
    grid = np.unique(np.concatenate([a, b]))
    below = [np.searchsorted(np.sort(part), grid, "right") / len(part) for part in (a, b)]
    return float(np.abs(below[0] - below[1]).max())


@pytest.fixture(scope="module")
def pairs() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Members and matched innocents of worlds of several seeds, with all kinds in rotation."""
    both = []
    kinds = list(KINDS)
    for seed in range(5):
        chosen = [kinds[(6 * seed + number) % len(kinds)] for number in range(6)]
        both.append(matched(adversary.make_world(12_000, seed=40 + seed, kinds=chosen)))
    return pl.concat([mine for mine, _ in both]), pl.concat([others for _, others in both])


@pytest.mark.parametrize("habit", LEAKS)
def test_habits_do_not_give_members_away(
    pairs: tuple[pl.DataFrame, pl.DataFrame], habit: str
) -> None:
    mine, others = pairs
    assert mine.height > 400
    assert kolmogorov(mine[habit].to_numpy(), others[habit].to_numpy()) < 0.12


def test_the_hours_of_inside_transfers_are_everybodys(worlds: list[World]) -> None:
    for world in worlds:
        everybody = hour_parts(world.transfers)
        inside = pl.concat(
            [among(world, e["members"]) for e in world.truth if e["kind"] != "waves"]
        )
        assert inside.height > 500
        assert np.abs(hour_parts(inside) - everybody).sum() < 0.25


def hour_parts(transfers: pl.DataFrame) -> np.ndarray:
    count = np.bincount(transfers["at"].dt.hour().to_numpy(), minlength=24)
    return count / count.sum()


def test_the_measure_of_leaks_sees_a_leak(pairs: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    mine, others = pairs
    leaking = np.minimum(1.0, mine["round"].to_numpy() * 1.25)
    assert kolmogorov(leaking, others["round"].to_numpy()) > 0.15


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"accounts": 1999}, "2000 to 1000000 accounts"),
        ({"accounts": 3000, "transfers": 5000}, "at least four transfers an account"),
        ({"accounts": 3000, "days": 20}, "30 to 1000 days"),
        ({"accounts": 3000, "kinds": ["jiter"]}, "jitter"),
        ({"accounts": 3000, "groups": 9}, "0 to 8 groups"),
        ({"accounts": 3000, "groups": 5, "held": 0.1}, "0 to 4 groups"),
        ({"accounts": 3000, "inside": 0.95}, "up to 0.85"),
        ({"accounts": 3000, "held": 0.3}, "0.005 to 0.2"),
        ({"accounts": 3000, "seed": -1}, "0 or more"),
    ],
)
def test_what_does_not_work_out_is_refused_with_a_sentence(
    arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError) as refused:
        adversary.make_world(**arguments)
    assert words in f"{refused.value.sentence} {refused.value.hint}"


SMALL = ["simulate", "--accounts", "2500", "--transfers", "30000"]


def test_the_command_writes_truth_and_innocents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "world"
    chosen = ["--world", "adversary", "--kinds", "waves", "--held", "0.047"]
    assert run([*SMALL, *chosen, "--out", str(folder), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"]["transfers.parquet"] == 30_000
    assert [group["kind"] for group in said["groups"]] == ["waves"]
    truth = json.loads((folder / "truth.json").read_text())
    assert truth[0]["share"] == pytest.approx(0.047, abs=1e-4)
    assert len(truth[0]["members"]) == said["groups"][0]["members"]
    innocents = json.loads((folder / "innocents.json").read_text())
    assert {entry["kind"] for entry in innocents} == set(CROWDS)
    known = set(pl.read_parquet(folder / "accounts.parquet")["account"])
    assert all(known.issuperset(entry["members"]) for entry in innocents)


def test_a_plain_world_names_its_innocents_too(tmp_path: Path) -> None:
    world = make_world(2000, 24_000, seed=4)
    write_world(world, tmp_path)
    innocents = json.loads((tmp_path / "innocents.json").read_text())
    assert {"payroll", "club", "rich_household"} <= {entry["kind"] for entry in innocents}
    club = next(entry for entry in innocents if entry["kind"] == "club")
    assert club["members"] == world.crowd("club")
    assert club["share"] == pytest.approx(0.06, abs=0.002)


@pytest.mark.parametrize("option", ["--held", "--inside"])
def test_what_belongs_to_the_adversary_is_not_for_the_plain_world(
    tmp_path: Path, option: str
) -> None:
    assert run([*SMALL, option, "0.2", "--out", str(tmp_path / "world")]) == 2
    assert not (tmp_path / "world").exists()
