"""A simulated week: the story in exact shares, statements that fit, a folder a day, no leak."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.errors import UserError
from inconcert.cli import run
from inconcert.simulate import Week, make_week, write_week

FIRST = date(2026, 6, 24)
DATES = [(FIRST + timedelta(days=day)).isoformat() for day in range(7)]
FACTS = ("transfers", "sightings", "purchases")
ACCOUNTS, TRANSFERS = 1500, 18_000


@cache
def week(seed: int = 1, accounts: int = ACCOUNTS) -> Week:
    return make_week(accounts, 12 * accounts, seed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week by whole days, as files."""
    place = tmp_path_factory.mktemp("week")
    write_week(week(), place)
    return place


def held(statement: pl.DataFrame, members: list[str] | None = None) -> Decimal:
    if members is not None:
        statement = statement.filter(pl.col("account").is_in(members))
    return sum(statement["amount"], Decimal(0))


def digests(place: Path) -> dict[str, str]:
    files = (file for file in place.rglob("*") if file.is_file())
    return {
        str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


@pytest.mark.parametrize(
    ("accounts", "seed"), [(1000, 0), (1000, 1), (1000, 2), (1500, 1), (3000, 4), (20_000, 5)]
)
def test_the_group_passes_the_lines_on_the_days_of_the_story(accounts: int, seed: int) -> None:
    (truth,) = week(seed, accounts).truth
    members = truth["members"]
    assert 12 <= len(members) <= 20
    passed = []
    for day in range(1, 8):
        statement = week(seed, accounts).holdings(day)
        supply, together = held(statement), held(statement, members)
        told = truth["days"][day - 1]
        assert told["date"] == DATES[day - 1]
        assert (Decimal(told["supply"]), Decimal(told["holdings"])) == (supply, together)
        assert told["share"] == pytest.approx(float(together / supply), abs=1e-15)
        passed.append(int(100 * together // supply))
        alone = statement.filter(pl.col("account").is_in(members))["amount"].max()
        assert alone < supply / 100
    assert passed == [2, 2, 3, 4, 5, 4, 4]
    assert truth["share"] == truth["days"][-1]["share"]


def test_nobody_acts_before_day_3_all_until_day_5_and_then_two_halves() -> None:
    (truth,) = week().truth
    parts = [[part["members"] for part in day["parts"]] for day in truth["days"]]
    assert parts[:2] == [[], []]
    assert parts[2:5] == [[truth["members"]]] * 3
    for day, (one, other) in zip(truth["days"][5:], parts[5:], strict=True):
        assert sorted(one + other) == truth["members"]
        assert abs(len(one) - len(other)) <= 1
        assert sum(Decimal(part["holdings"]) for part in day["parts"]) == Decimal(day["holdings"])
        assert all(part["share"] < 0.03 for part in day["parts"])


def test_statements_fit_what_was_moved_and_bought(folder: Path) -> None:
    before = pl.read_parquet(folder / "history" / "holdings.parquet")
    assert before["at"].unique().to_list() == [datetime(2026, 6, 23, 23, 59, 59, 999999, UTC)]
    supply = held(before)
    assert supply == ACCOUNTS * 10_000
    for name in DATES:
        day = {kind: pl.read_parquet(folder / name / f"{kind}.parquet") for kind in FACTS}
        after = pl.read_parquet(folder / name / "holdings.parquet")
        changes = pl.concat(
            [
                before.select("account", "amount"),
                day["transfers"].select(account="dst", amount="amount"),
                day["transfers"].select(account="src", amount=-pl.col("amount")),
                day["purchases"].select("account", "amount"),
            ],
            how="vertical_relaxed",
        )
        expected = changes.group_by("account").agg(pl.col("amount").sum()).sort("account")
        assert expected.rows() == after.select("account", "amount").sort("account").rows()
        bought = held(after) - held(before)
        assert Decimal(0) < bought < supply / 500
        before = after


def test_nobody_ever_sends_what_it_does_not_have(folder: Path) -> None:
    start = pl.read_parquet(folder / "history" / "holdings.parquet")
    steps = [start.select("account", "at", amount=pl.col("amount").cast(pl.Decimal(38, 2)))]
    for name in DATES:
        sent = pl.read_parquet(folder / name / "transfers.parquet")
        bought = pl.read_parquet(folder / name / "purchases.parquet")
        steps += [
            sent.select(account="dst", at="at", amount=pl.col("amount").cast(pl.Decimal(38, 2))),
            bought.select("account", "at", amount=pl.col("amount").cast(pl.Decimal(38, 2))),
            sent.select(account="src", at="at", amount=-pl.col("amount").cast(pl.Decimal(38, 2))),
        ]
    running = pl.concat(steps).sort("at", maintain_order=True)
    running = running.with_columns(left=pl.col("amount").cum_sum().over("account"))
    assert running.filter(pl.col("left") < 0).is_empty()


def test_each_day_has_its_folder_and_a_marker_written_last(folder: Path) -> None:
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(
        [*DATES, "history", "innocents.json", "truth.json"]
    )
    for name in (*DATES, "history"):
        extra = {"accounts", "referrals"} if name == "history" else set()
        files = {f"{kind}.parquet" for kind in {*FACTS, "holdings", *extra}}
        assert {file.name for file in (folder / name).iterdir()} == files | {"done"}
        written = {f.name: f.stat().st_mtime_ns for f in (folder / name).iterdir()}
        assert written["done"] == max(written.values())
        assert (folder / name / "done").stat().st_size == 0


def test_facts_lie_in_the_folder_of_their_day(folder: Path) -> None:
    for kind in FACTS:
        total = 0
        for name in DATES:
            frame = pl.read_parquet(folder / name / f"{kind}.parquet")
            assert frame["at"].dt.date().unique().to_list() == [date.fromisoformat(name)]
            assert frame["at"].is_sorted()
            total += frame.height
        history = pl.read_parquet(folder / "history" / f"{kind}.parquet")
        assert history["at"].min() >= datetime(2026, 4, 25, tzinfo=UTC)
        assert history["at"].max() < datetime(2026, 6, 24, tzinfo=UTC)
        assert total + history.height == getattr(week().world, kind).height
    everything = pl.concat(
        pl.read_parquet(folder / name / "transfers.parquet") for name in (*DATES, "history")
    )
    assert everything.height == TRANSFERS == everything["id"].n_unique()


def test_parts_of_a_day_are_together_the_whole_day(folder: Path, tmp_path: Path) -> None:
    counts = write_week(week(), tmp_path, every=10)
    assert min(counts.values()) > 0
    for name in DATES:
        for kind in FACTS:
            parts = sorted((tmp_path / name).glob(f"{kind}-*.parquet"))
            assert len(parts) > 5
            frames = [pl.read_parquet(part) for part in parts]
            for part, frame in zip(parts, frames, strict=True):
                hour, minute = int(part.stem[-4:-2]), int(part.stem[-2:])
                begin = datetime.fromisoformat(f"{name}T{hour:02d}:{minute:02d}:00+00:00")
                assert begin <= frame["at"].min() <= frame["at"].max() < begin + timedelta(0, 600)
            assert pl.concat(frames).equals(pl.read_parquet(folder / name / f"{kind}.parquet"))
        assert not (tmp_path / name / "transfers.parquet").exists()
        same = [(place / name / "holdings.parquet").read_bytes() for place in (folder, tmp_path)]
        assert same[0] == same[1]


def test_the_same_numbers_give_the_same_files(folder: Path, tmp_path: Path) -> None:
    write_week(make_week(ACCOUNTS, TRANSFERS, 1), tmp_path / "again")
    assert digests(tmp_path / "again") == digests(folder)
    write_week(make_week(ACCOUNTS, TRANSFERS, 2), tmp_path / "other")
    other = digests(tmp_path / "other")
    same = {name for name, digest in digests(folder).items() if other.get(name) == digest}
    assert all(name.endswith("done") for name in same)


def devices(world: Week, members: list[str], first: int, last: int) -> pl.DataFrame:
    """Devices with which more than one of the members is seen on these days (1 to 7)."""
    seen = world.world.sightings.filter(
        (pl.col("identifier_kind") == "device")
        & pl.col("account").is_in(members)
        & pl.col("at").dt.date().is_between(*_dates(first, last))
    )
    return seen.unique(["account", "value"]).filter(pl.len().over("value") > 1)


def _dates(first: int, last: int) -> tuple[date, date]:
    return FIRST + timedelta(first - 1), FIRST + timedelta(last - 1)


def between(world: Week, one: list[str], other: list[str], first: int, last: int) -> int:
    """Transfers from one part to the other or back on these days."""
    moved = world.world.transfers.filter(pl.col("at").dt.date().is_between(*_dates(first, last)))
    there = pl.col("src").is_in(one) & pl.col("dst").is_in(other)
    back = pl.col("src").is_in(other) & pl.col("dst").is_in(one)
    return moved.filter(there | back).height


@pytest.mark.parametrize("seed", range(4))
def test_before_the_onset_members_are_strangers_and_after_the_split_halves_are(seed: int) -> None:
    one_week = week(seed)
    (truth,) = one_week.truth
    members = truth["members"]
    one, other = (part["members"] for part in truth["days"][-1]["parts"])
    assert between(one_week, members, members, -59, 2) < 10
    assert devices(one_week, members, -59, 2).is_empty()
    assert between(one_week, one, other, 3, 5) > 20
    assert devices(one_week, members, 3, 5)["account"].n_unique() > 0.8 * len(members)
    assert between(one_week, one, other, 6, 7) <= 1
    assert between(one_week, one, one, 6, 7) > 10
    assert between(one_week, other, other, 6, 7) > 10
    values = [set(devices(one_week, part, 6, 7)["value"]) for part in (one, other)]
    assert values[0]
    assert values[1]
    assert not set.intersection(*values)


def test_innocent_crowds_are_there_all_the_time(folder: Path) -> None:
    crowds = {one["crowd"]: one for one in json.loads((folder / "innocents.json").read_text())}
    for name in ("history", *DATES):
        statement = pl.read_parquet(folder / name / "holdings.parquet")
        for crowd in ("payroll", "club"):
            assert held(statement, crowds[crowd]["members"]) > held(statement) / 20
    last = pl.read_parquet(folder / DATES[-1] / "holdings.parquet")
    club = float(held(last, crowds["club"]["members"]) / held(last))
    assert crowds["club"]["share"] == pytest.approx(club, abs=1e-15)


def habits(seeds: range) -> pl.DataFrame:
    """The transfers of the days on which groups act, in several weeks: round? hour? a member's?"""
    told = []
    for seed in seeds:
        members = week(seed).truth[0]["members"]
        moved = week(seed).world.transfers.filter(
            pl.col("at").dt.date().is_between(*_dates(3, 7)), pl.col("kind") == "transfer"
        )
        told.append(
            moved.with_columns(
                member=pl.col("src").is_in(members) | pl.col("dst").is_in(members),
                cents=(pl.col("amount") * 100).cast(pl.Int64),
                hour=(pl.col("at") - pl.col("at").dt.truncate("1d")).dt.total_seconds() / 3600,
            )
        )
    unit = 10 ** (pl.col("cents").log10().floor() - 1).cast(pl.Int64)
    return (
        pl.concat(told)
        .filter(pl.col("cents") >= 1000)
        .with_columns(round=pl.col("cents") % unit == 0)
    )


def distance(table: pl.DataFrame) -> float:
    """The largest difference of two distributions of hours (Kolmogorov and Smirnov)."""
    points = np.linspace(0, 24, 289)
    hours = [table.filter(pl.col("member") == side)["hour"].to_numpy() for side in (True, False)]
    parts = [np.searchsorted(np.sort(one), points) / len(one) for one in hours]
    return float(np.abs(parts[0] - parts[1]).max())


def test_round_amounts_and_hours_do_not_give_members_away() -> None:
    table = habits(range(6))
    assert table["member"].sum() > 1500
    members, others = table.filter(pl.col("member")), table.filter(~pl.col("member"))
    assert members["round"].mean() == pytest.approx(others["round"].mean(), abs=0.05)
    assert distance(table) < 0.07
    shifted = table.with_columns(hour=pl.when("member").then(pl.col("hour") % 12).otherwise("hour"))
    assert distance(shifted) > 0.2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--days", "6"], "7 to 60 days, not 6"),
        (["--accounts", "999"], "1000 to 200000 accounts, not 999"),
        (["--accounts", "1000", "--transfers", "999"], "at least one transfer an account"),
        (["--groups", "2"], "leave out --groups"),
        (["--kinds", "mesh"], "leave out --groups"),
        (["--empty"], "leave out --groups"),
        (["--held", "0.06"], "--world adversary"),
    ],
)
def test_what_does_not_fit_a_week_is_refused_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    out = tmp_path / "week"
    assert run(["simulate", "--world", "week", *arguments, "--out", str(out)]) in (1, 2)
    answer = capsys.readouterr()
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert not out.exists()


def test_every_belongs_to_a_week(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulate", "--every", "10", "--out", str(tmp_path / "world")]) == 2
    assert "--every belongs to --world week" in capsys.readouterr().err


def test_the_command_tells_the_story_and_replaces_an_earlier_week(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ["simulate", "--world", "week", "--accounts", "1000", "--out", str(tmp_path / "week")]
    assert run([*small, "--every", "60"]) == 0
    answer = capsys.readouterr()
    assert answer.err == ""
    assert "5   2026-06-28" in answer.out
    assert run([*small, "--days", "8", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["groups"][0]["kind"] == "campaign"
    assert len(said["groups"][0]["days"]) == 8
    assert said["rows"]["2026-06-23/holdings.parquet"] == 1000
    names = {entry.name for entry in (tmp_path / "week").iterdir()}
    assert len(names) == 11
    assert not list((tmp_path / "week").glob("*/transfers-*.parquet"))


def test_foreign_files_are_never_touched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="other origin"):
        write_week(week(), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]
