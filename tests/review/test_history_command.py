"""`inconcert history`: its words, its forms, its pictures; the same from both homes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from facts_by_hand import load
from queue_helpers import SUPPLY, group, members

from graph.keys import as_stored
from graph.store import Store, init_store
from inconcert.cli import run
from review.intake import Filled

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday

Take = Callable[..., Filled]


def told(capsys: pytest.CaptureFixture[str], store: Store, *words: str, code: int = 0) -> str:
    assert run(["history", *words, "--store", store.url]) == code
    said = capsys.readouterr()
    return said.out if code == 0 else said.err


def state(store: Store, held: Mapping[str, str], after: int) -> None:
    key = store.key if store.properties.masked else None
    rows = [
        {"account": account, "amount": Decimal(amount), "at": BEGIN + timedelta(days=after)}
        for account, amount in zip(as_stored(held, key), held.values(), strict=True)
    ]
    load(store, "holdings", rows)


@pytest.fixture
def moving(store: Store) -> Store:
    """`a` holds 2 %, 4 %, then 6 %; from the 9th on the base is three times as large."""
    for after, amount in ((0, 2), (1, 4), (3, 6)):
        state(store, {"a": str(amount), "b": "2.5", "crowd": f"{97.5 - amount}"}, after)
    store.set_supply(Decimal(300), BEGIN + timedelta(days=7))
    return store


def test_the_steps_of_a_share(moving: Store, capsys: pytest.CaptureFixture[str]) -> None:
    answer = json.loads(told(capsys, moving, "--account", "a", "--format", "json"))
    steps = [
        (
            one["day"],
            one["amount"],
            one["base"],
            one["base_is"],
            one["share"],
            one["crossed"],
            one["fell"],
        )
        for one in answer["steps"]
    ]
    assert steps == [
        ("2026-03-02", "2", "100", "counted", 0.02, [], []),
        ("2026-03-03", "4", "100", "counted", 0.04, [0.03, 0.04], []),
        ("2026-03-05", "6", "100", "counted", 0.06, [0.05], []),
        ("2026-03-09", "6", "300", "set", 0.02, [], [0.03, 0.04, 0.05]),
    ]
    assert (answer["rule"], answer["by"], answer["accounts"]) == ("stated", "day", 1)
    printed = told(capsys, moving, "--account", "a", "--by", "week")
    assert "over 3 % and 4 % and 5 %" in printed
    assert "below 3 % and 4 % and 5 %" in printed
    rows = list(
        csv.DictReader(io.StringIO(told(capsys, moving, "--account", "a", "--format", "csv")))
    )
    assert [row["crossed"] for row in rows] == ["", "0.03 0.04", "0.05", ""]


def test_a_share_just_below_a_line_does_not_read_as_the_line(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    state(store, {"a": "5", "crowd": "95"}, 0)
    state(store, {"a": "4.9999", "crowd": "95.0001"}, 1)
    rows = told(capsys, store, "--account", "a").splitlines()
    assert ["5.00 %" in row for row in rows if row.strip().startswith("2026")] == [True, False]
    assert "4.9999 %" in rows[-2]


def test_the_lines_by_week(moving: Store, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--by", "week", "--line", "5%", "--on", "accounts", "--format", "json")
    rows = json.loads(told(capsys, moving, *words))["rows"]
    said = [(row["period"], row["over"], row["crossed"], row["fell"]) for row in rows]
    assert said == [("2026-W10", 2, 2, 0), ("2026-W11", 1, 0, 1)]
    table = told(capsys, moving, "--by", "week", "--line", "5%")
    assert "2026-W11" in table
    text = told(capsys, moving, *words[:-1], "csv")
    assert [row["over"] for row in csv.DictReader(io.StringIO(text))] == ["2", "1"]
    early = json.loads(told(capsys, moving, *words, "--to", "2026-03-04", "--known-at", "2"))
    assert [row["over"] for row in early["rows"]] == [1]
    assert early["to"] == "2026-03-04"


def test_a_case_has_what_runs_said_of_it(
    store: Store, take: Take, capsys: pytest.CaptureFixture[str]
) -> None:
    take(group("g1" * 5, members((0, 12))))
    take(group("g2" * 5, members((0, 14))), as_of="2026-07-01T00:00:00Z")
    [key] = store.log.views("case")
    answer = json.loads(told(capsys, store, "--case", key[:4], "--format", "json"))
    found = [(one["run"], one["share"], one["accounts"], one["change"]) for one in answer["found"]]
    assert found == [("r1", 0.06, 12, "born"), ("r2", 0.07, 14, "grew")]
    [step] = answer["steps"]
    assert (step["share"], step["amount"], step["base"]) == (0.07, "7000", str(SUPPLY))
    assert [event.action for event in store.log.events("log")][-1] == "looked"
    assert "What runs said" in told(capsys, store, "--case", key)
    alone = json.loads(told(capsys, store, "--group", "g1g1", "--format", "json"))
    assert (alone["accounts"], alone["steps"][0]["share"], alone["run"]) == (12, 0.06, "r1")
    store.prune_runs(1)
    assert "was pruned" in told(capsys, store, "--group", "g1g1", code=1)


def test_pictures_are_written_as_png_and_svg(
    store: Store, take: Take, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take(group("g1" * 5, members((0, 12))))
    [key] = store.log.views("case")
    folder = tmp_path / "plots"
    drawn = told(capsys, store, "--case", key, "--plot", str(folder)).splitlines()[-2:]
    assert drawn == [str(folder / f"history-{key}.{ending}") for ending in ("png", "svg")]
    told(capsys, store, "--by", "week", "--line", "0.5%", "--plot", str(folder), "--format", "csv")
    names = sorted(path.name for path in folder.iterdir())
    assert "history-accounts-by-week.png" in names
    for path in folder.iterdir():
        begins = path.read_bytes()[:5]
        assert begins == (b"\x89PNG\r" if path.suffix == ".png" else b"<?xml")
    first = (folder / f"history-{key}.svg").read_bytes()
    told(capsys, store, "--case", key, "--plot", str(folder))
    assert (folder / f"history-{key}.svg").read_bytes() == first
    (tmp_path / "file").touch()
    words = ("--case", key, "--plot", str(tmp_path / "file" / "x"))
    assert "a file is in its way" in told(capsys, store, *words, code=1)


def test_a_masked_store_takes_the_account_as_it_is_written(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = init_store(url, masked=True)
    state(store, {"ann": "5", "bob": "95"}, 0)
    answer = json.loads(told(capsys, store, "--account", "ann", "--format", "json"))
    assert answer["account"].startswith("m_")
    assert answer["steps"][0]["share"] == 0.05
    assert answer["steps"][0]["crossed"] == [0.03, 0.04, 0.05]
    again = json.loads(told(capsys, store, "--account", answer["account"], "--format", "json"))
    assert again == answer


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--account", "nobody"), 1, "There is no account 'nobody'"),
        (("--from", "soon"), 1, "'soon' is not a day"),
        (("--known-at", "99"), 1, "There is no batch 99"),
        (("--account", "a", "--case", "g1"), 2, "Name one"),
        (("--run", "last"), 2, "--group"),
        (("--to", "2020-01-01", "--on", "accounts"), 1, "there is no history"),
    ],
)
def test_what_cannot_be_is_one_clear_sentence(
    tmp_path: Any, words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = init_store(str(tmp_path / "store"))
    state(store, {"a": "5", "b": "95"}, 0)
    assert said in told(capsys, store, *words, code=code)


def test_days_that_end_before_they_begin_are_refused(
    moving: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    said = told(capsys, moving, "--from", "2026-03-05", "--to", "2026-03-04", code=2)
    assert "--from is later than --to." in said


def test_an_archive_leaves_the_days_from_its_horizon_on(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = init_store(url, holdings_rule="replayed")
    days = (0, "60"), (20, "30"), (40, "15")
    rows = [
        {"src": "mint", "dst": "a", "amount": Decimal(amount), "at": BEGIN + timedelta(days=after)}
        for after, amount in days
    ]
    load(store, "transfers", rows)
    words = "--account", "a", "--line", "50%", "--format", "json"
    before = json.loads(told(capsys, store, *words))["steps"]
    store.archive(datetime(2026, 4, 1, tzinfo=UTC), tmp_path / "archive", lambda month: None)
    assert run(["history", *words, "--store", store.url]) == 0
    out, said = capsys.readouterr()
    assert "from 2026-04-01 on" in said
    answer = json.loads(out)
    assert answer["horizon"] == "2026-04-01"
    assert [(one["day"], one["amount"]) for one in answer["steps"]] == [
        ("2026-04-01", "90"),
        ("2026-04-11", "105"),
    ]
    assert answer["steps"][-1] == before[-1]
    assert "2026-04-01" in told(capsys, store, *words, "--from", "2026-03-31", code=1)
    assert told(capsys, store, *words, "--from", "2026-04-01")
