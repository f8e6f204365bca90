"""What a simulated world promises: exact counts, a true truth, all the decoys, no leak."""

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import networkx as nx
import polars as pl
import pytest

from graph.errors import UserError
from inconcert.cli import run
from inconcert.simulate import KINDS, World, make_world, write_world
from inconcert.simulate import world as world_module
from inconcert.simulate.world import FILES

LINE = Decimal("0.05")
END = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def full() -> World:
    """A small world with one group of each kind."""
    return make_world(8000, 100_000, seed=3, groups=len(KINDS))


def shares(world: World) -> dict[str, Decimal]:
    holdings = world.holdings
    supply = sum(holdings["amount"], Decimal(0))
    pairs = holdings.select("account", "amount").iter_rows()
    return {account: amount / supply for account, amount in pairs}


def among(world: World, members: list[str]) -> pl.DataFrame:
    """The transfers from one of the members to another."""
    return world.transfers.filter(pl.col("src").is_in(members) & pl.col("dst").is_in(members))


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_the_same_arguments_give_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    write_world(make_world(1000, 15_000, seed=5), tmp_path / "one")
    arguments = ["--accounts", "1000", "--transfers", "15000", "--seed", "5"]
    subprocess.run(
        [
            sys.executable,
            "-c",
            "from inconcert.cli import main; main()",
            "simulate",
            *arguments,
            "--out",
            str(tmp_path / "two"),
        ],
        check=True,
        capture_output=True,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    write_world(make_world(1000, 15_000, seed=6), tmp_path / "three")
    other = digests(tmp_path / "three")
    assert all(other[name] != digest for name, digest in digests(tmp_path / "one").items())


def test_counts_are_exact_and_ids_are_unique(full: World) -> None:
    transfers, accounts = full.transfers, full.accounts
    assert transfers.height == 100_000
    assert transfers["id"].n_unique() == 100_000
    assert accounts["account"].n_unique() == 8000 == full.holdings["account"].n_unique()
    assert full.purchases["receipt"].n_unique() == full.purchases.height
    known = accounts["account"].implode()
    ends = pl.concat([transfers["src"], transfers["dst"], full.sightings["account"]])
    assert ends.is_in(known).all()
    assert (transfers["src"] != transfers["dst"]).all()


def test_every_time_lies_inside_the_world_and_after_the_opening(full: World) -> None:
    begin = datetime(2026, 5, 2, tzinfo=UTC)
    for frame in (full.transfers, full.sightings, full.purchases, full.holdings):
        at = frame["at"]
        assert at.min() >= begin
        assert at.max() < END
    assert full.transfers["at"].is_sorted()
    opened = full.accounts["opened_at"]
    assert opened.max() < begin
    when = dict(full.accounts.select("account", "opened_at").iter_rows())
    assert all(when[a] < when[b] == at for a, b, at in full.referrals.iter_rows())


def test_amounts_are_exact_positive_and_add_up_to_the_supply(full: World) -> None:
    amounts = full.transfers["amount"]
    assert amounts.dtype == pl.Decimal(18, 2)
    assert amounts.min() > 0
    assert sum(full.holdings["amount"], Decimal(0)) == Decimal(8000 * 10_000)
    assert full.holdings["amount"].min() == 0


@pytest.mark.parametrize(("accounts", "seed"), [(600, 0), (2000, 1), (8000, 2)])
def test_groups_are_over_the_line_and_members_are_below_it(accounts: int, seed: int) -> None:
    world = make_world(accounts, 15 * accounts, seed=seed, groups=len(KINDS))
    held = shares(world)
    assert {entry["kind"] for entry in world.truth} == set(KINDS)
    everybody = [member for entry in world.truth for member in entry["members"]]
    assert len(everybody) == len(set(everybody))
    for entry in world.truth:
        together = sum(held[member] for member in entry["members"])
        largest = max(held[member] for member in entry["members"])
        assert float(together) == pytest.approx(entry["share"], abs=1e-12)
        assert LINE < together <= Decimal("0.081")
        assert largest < Decimal("0.01" if len(entry["holders"]) >= 30 else "0.03")
        assert all(held[mule] == 0 for mule in set(entry["members"]) - set(entry["holders"]))
    assert max(held.values()) < LINE


def test_mules_pass_on_and_hold_nothing(full: World) -> None:
    group = next(entry for entry in full.truth if entry["kind"] == "mules")
    mules = set(group["members"]) - set(group["holders"])
    assert len(mules) >= 4
    inside = among(full, group["members"])
    direct = among(full, group["holders"])
    received = inside.filter(pl.col("dst").is_in(mules))["amount"].sum()
    sent = inside.filter(pl.col("src").is_in(mules))["amount"].sum()
    assert direct.height < 0.05 * inside.height
    assert 0.7 < float(sent / received) < 1.3


def inside_part(world: World, kind: str) -> float:
    """The part of a group's transfer ends that lie inside it."""
    members = next(entry["members"] for entry in world.truth if entry["kind"] == kind)
    ends = pl.concat([world.transfers["src"], world.transfers["dst"]])
    return 2 * among(world, members).height / int(ends.is_in(members).sum())


def test_each_kind_acts_as_its_name_says(full: World) -> None:
    part = {kind: inside_part(full, kind) for kind in KINDS}
    assert part["lockstep"] < 0.02
    assert 0.15 < part["camouflaged"] < 0.45
    assert all(part[kind] > 0.35 for kind in ("funnel", "chain", "wash", "mesh", "mules", "sixty"))
    members = {entry["kind"]: set(entry["members"]) for entry in full.truth}
    referred = full.referrals.filter(
        pl.col("referrer").is_in(members["farm"]) & pl.col("referred").is_in(members["farm"])
    )
    assert referred.height == len(members["farm"]) - 1
    shared = devices_of(full, members["device"])
    assert shared.height == len(members["device"])
    assert len(members["sixty"]) == 60


def devices_of(world: World, members: set[str]) -> pl.DataFrame:
    """Members who are seen with a device that another member is seen with."""
    seen = world.sightings.filter(
        (pl.col("identifier_kind") == "device") & pl.col("account").is_in(members)
    ).unique(["account", "value"])
    return seen.filter(pl.len().over("value") > 1).select("account").unique()


def test_every_decoy_is_there(full: World) -> None:
    held = shares(full)
    for crowd in ("payroll", "club"):
        members = full.crowd(crowd)
        assert len(members) >= 20
        assert sum(held[member] for member in members) > LINE
        assert max(held[member] for member in members) < Decimal("0.03")
    household = sorted(held[member] for member in full.crowd("rich_household"))
    assert household[-1] == pytest.approx(Decimal("0.045"), abs=Decimal("0.0000001"))
    assert sum(household) > LINE
    assert all(Decimal("0.028") < held[whale] < Decimal("0.031") for whale in full.crowd("otc"))
    salaries = full.transfers.filter(pl.col("kind") == "salary")
    assert set(salaries["dst"]) == set(full.crowd("payroll"))
    assert among(full, full.crowd("club")).height > 5 * len(full.crowd("club"))
    assert among(full, full.crowd("otc"))["amount"].max() > 100_000


def test_a_referral_root_stands_over_two_fifths_of_all_accounts(full: World) -> None:
    tree = nx.DiGraph(full.referrals.select("referrer", "referred").iter_rows())
    roots = [node for node in tree if tree.in_degree(node) == 0]
    assert max(len(nx.descendants(tree, root)) for root in roots) > 0.4 * 8000
    assert nx.is_directed_acyclic_graph(tree)
    assert max(degree for _, degree in tree.in_degree()) == 1


def test_hubs_and_public_lines_are_there(full: World) -> None:
    roles = dict(full.accounts.select("account", "role").iter_rows())
    assert {roles[hub] for hub in full.institutions("exchange")} == {"exchange"}
    assert {roles[hub] for hub in full.institutions("treasury")} == {"treasury"}
    assert {roles[hub] for hub in full.institutions("payroll")} == {"payroll"}
    assert {roles[shop] for shop in full.institutions("merchants")} == {"merchant"}
    unknown = full.institutions("small_exchanges") + full.institutions("small_employers")
    assert {roles[hub] for hub in unknown} == {None}
    customers = full.transfers.filter(pl.col("dst").is_in(full.institutions("exchange")))
    assert customers["src"].n_unique() > 150
    lines = full.sightings.filter(pl.col("identifier_kind") == "ip")
    crowd = lines.group_by("value").agg(pl.col("account").n_unique().alias("people"))
    assert crowd.filter(pl.col("people") >= 60).height >= 2
    assert crowd.filter(pl.col("people").is_between(2, 5)).height > 50
    drops = full.transfers.filter(pl.col("kind") == "airdrop")
    assert drops["dst"].n_unique() > 500


def area(score: pl.Series, positive: pl.Series) -> float:
    """Area under the ROC curve: 0.5 where the score says nothing."""
    rank = score.rank().to_numpy()
    chosen = positive.to_numpy()
    count = chosen.sum()
    return float((rank[chosen].sum() - count * (count + 1) / 2) / (count * (~chosen).sum()))


def habits(world: World, transfers: pl.DataFrame) -> pl.DataFrame:
    """For each person: part of round amounts, mean hour, part at night, weekday; in a group?"""
    ends = pl.concat(
        [transfers.select("amount", "at", account=end) for end in ("src", "dst")]
    ).with_columns(cents=(pl.col("amount").cast(pl.Float64) * 100).round().cast(pl.Int64))
    unit = pl.lit(10) ** (pl.col("cents").log10().floor() - 1).cast(pl.Int64)
    people = world.accounts.filter(pl.col("role").is_null() | (pl.col("role") == "person"))
    members = [member for entry in world.truth for member in entry["members"]]
    return (
        ends.filter(pl.col("cents") >= 1000)
        .group_by("account")
        .agg(
            pl.len().alias("count"),
            (pl.col("cents") % unit == 0).mean().alias("round"),
            pl.col("at").dt.hour().mean().alias("hour"),
            (pl.col("at").dt.hour() < 8).mean().alias("night"),
            (pl.col("at").dt.weekday() > 5).mean().alias("weekend"),
        )
        .filter(pl.col("count") >= 5)
        .join(people, on="account")
        .with_columns(member=pl.col("account").is_in(members))
    )


@pytest.mark.parametrize("habit", ["round", "hour", "night", "weekend"])
def test_round_amounts_and_hours_do_not_give_members_away(full: World, habit: str) -> None:
    table = habits(full, full.transfers)
    assert table["member"].sum() > 100
    assert 0.4 < area(table[habit], table["member"]) < 0.6


def test_the_measure_of_leaks_sees_a_leak(full: World) -> None:
    members = [member for entry in full.truth for member in entry["members"]]
    leaking = full.transfers.with_columns(
        at=pl.when(pl.col("src").is_in(members) & pl.col("dst").is_in(members))
        .then(pl.col("at").dt.replace(hour=3))
        .otherwise(pl.col("at"))
    )
    table = habits(full, leaking)
    assert area(table["night"], table["member"]) > 0.7


def test_names_and_order_do_not_give_members_away(full: World) -> None:
    members = [member for entry in full.truth for member in entry["members"]]
    table = full.accounts.with_row_index().with_columns(member=pl.col("account").is_in(members))
    assert 0.4 < area(table["index"], table["member"]) < 0.6
    assert 0.4 < area(table["opened_at"].to_physical(), table["member"]) < 0.6


def test_an_empty_world_has_no_truth_and_the_same_innocents(tmp_path: Path) -> None:
    empty = make_world(2000, 24_000, seed=4, groups=0)
    write_world(empty, tmp_path)
    assert json.loads((tmp_path / "truth.json").read_text()) == []
    other = make_world(2000, 24_000, seed=4, groups=3)
    assert [empty.crowd(name) for name in empty.casts] == [
        other.crowd(name) for name in other.casts
    ]


def test_kinds_can_be_chosen() -> None:
    world = make_world(2000, 24_000, kinds=["mesh", "farm"], groups=3)
    assert [entry["kind"] for entry in world.truth] == ["mesh", "farm", "mesh"]


def test_a_world_in_pieces_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(world_module, "ROWS_A_PIECE", 7000)
    world = make_world(2000, 24_000, seed=4)
    sizes = [piece.height for piece in world.pieces()]
    assert len(sizes) == 4
    assert max(sizes) < 2 * 7000
    write_world(world, tmp_path)
    written = pl.read_parquet(tmp_path / "transfers.parquet")
    assert written.equals(world.transfers)
    assert written.height == 24_000 == written["id"].n_unique()
    assert written["at"].is_sorted()


def test_a_large_world_keeps_its_counts() -> None:
    world = make_world(200_000, 1_000_000, seed=1)
    assert sum(piece.height for piece in world.pieces()) == 1_000_000
    assert sum(len(entry["members"]) for entry in world.truth) < 2000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"accounts": 499, "transfers": 10_000}, "at least 500"),
        ({"accounts": 10_000_001, "transfers": 20_000_000}, "at most 10000000"),
        ({"accounts": 2000, "transfers": 100}, "at least one transfer an account"),
        ({"accounts": 2000, "transfers": 24_000, "groups": 12}, "0 to 11 groups"),
        ({"accounts": 2000, "transfers": 24_000, "groups": -1}, "0 to 11 groups"),
        ({"accounts": 2000, "transfers": 24_000, "days": 3}, "7 to 3650 days"),
        ({"accounts": 2000, "transfers": 24_000, "kinds": ["mash"]}, "mesh"),
        ({"accounts": 500, "transfers": 10_000, "groups": 11, "kinds": ["sixty"]}, "do not fit"),
        ({"accounts": 600, "transfers": 600, "groups": 11}, "too few for this world"),
    ],
)
def test_what_does_not_work_out_is_refused_with_a_sentence(
    arguments: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError) as refused:
        make_world(**arguments)  # type: ignore[arg-type]
    assert words in f"{refused.value.sentence} {refused.value.hint}"


SMALL = ["simulate", "--accounts", "600", "--transfers", "9000"]


def test_the_command_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "world"
    assert run([*SMALL, "--kinds", "mesh", "--out", str(folder)]) == 0
    answer = capsys.readouterr()
    assert "transfers.parquet" in answer.out
    assert "9,000 rows" in answer.out
    assert "mesh" in answer.out
    assert answer.err == ""
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)
    assert run([*SMALL, "--empty", "--out", str(folder), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["groups"] == []
    assert said["rows"]["transfers.parquet"] == 9000


@pytest.mark.parametrize(("days", "hint"), [("7", True), ("8", False)])
def test_who_asks_for_seven_days_is_told_of_the_week(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: str, hint: bool
) -> None:
    assert run([*SMALL, "--days", days, "--out", str(tmp_path / "world")]) == 0
    assert ("--world week" in capsys.readouterr().out) == hint


@pytest.mark.parametrize("foreign", ["notes.txt", "transfers.parquet"])
def test_foreign_files_are_never_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], foreign: str
) -> None:
    (tmp_path / foreign).write_text("mine")
    assert run([*SMALL, "--out", str(tmp_path)]) == 1
    assert foreign in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == [foreign]
    assert (tmp_path / foreign).read_text() == "mine"


def test_an_interrupted_write_leaves_the_earlier_world(tmp_path: Path) -> None:
    write_world(make_world(600, 9000, seed=1), tmp_path)
    before = digests(tmp_path)

    def interrupt(done: float | None = None, note: str | None = None) -> None:
        if note == "holdings":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_world(make_world(600, 9000, seed=2), tmp_path, interrupt)
    assert digests(tmp_path) == before


def test_empty_and_groups_exclude_each_other(tmp_path: Path) -> None:
    assert run([*SMALL, "--empty", "--groups", "2", "--out", str(tmp_path / "world")]) == 2
    assert not (tmp_path / "world").exists()
