"""`store archive` and `store unarchive` as their user meets them, on both homes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from town_files import write

Call = Callable[..., tuple[int, str, str]]

RING = [f"r{n}" for n in range(8)]
CROWD = [f"c{n:02}" for n in range(60)]


@pytest.fixture(params=["embedded", "neo4j"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a new store can be made, which the environment names."""
    place = str(tmp_path / "store")
    if request.param == "neo4j":
        place = str(request.getfixturevalue("neo4j_url"))
    monkeypatch.setenv("INCONCERT_STORE", place)
    return place


@pytest.fixture
def deals(tmp_path: Path) -> Path:
    """The ring passes points round in March and in May; strangers deal."""
    rows: list[tuple[object, ...]] = [
        (one, RING[(n + step) % 8], 40, f"2026-0{month}-{day:02}T0{step}:00:{n:02}Z")
        for month in (3, 5)
        for day in range(1, 7)
        for n, one in enumerate(RING)
        for step in (1, 2)
    ]
    rows += [
        (one, CROWD[(n * 7 + 1) % 60], 5, f"2026-0{month}-15")
        for month in (3, 5)
        for n, one in enumerate(CROWD)
        if (n * 7 + 1) % 60 != n
    ]
    return write(tmp_path / "transfers.csv", ("src", "dst", "amount", "at"), *rows)


@pytest.fixture
def loaded(place: str, deals: Path, call: Call, tmp_path: Path) -> str:
    holdings = write(
        tmp_path / "holdings.csv",
        ("account", "amount", "at"),
        *((one, 800, "2026-02-01") for one in RING),
        *((one, 1500, "2026-02-01") for one in CROWD),
    )
    assert call("store", "init", place, "--holdings", "rolled")[0] == 0
    assert call("load", "holdings", holdings)[0] == 0
    assert call("load", "transfers", deals)[0] == 0
    return place


def _detected(call: Call) -> dict:  # type: ignore[type-arg]
    code, said, complaint = call("detect", "--permutations", "9", "--format", "json", "--no-save")
    assert code == 0, complaint
    result: dict = json.loads(said)  # type: ignore[type-arg]
    return result


def test_a_month_goes_is_known_again_and_comes_back(
    loaded: str, deals: Path, call: Call, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    before = _detected(call)
    assert before["groups"]
    code, said, complaint = call(
        "store", "archive", "--before", "2026-05", "--to", archive, "--format", "json"
    )
    assert code == 0, complaint
    answer = json.loads(said)
    assert answer["horizon"] == "2026-04-01T00:00:00Z"
    assert [one["month"] for one in answer["months"]] == ["2026-03"]
    rows = answer["months"][0]["rows"]["transfers"]
    assert rows == 6 * 8 * 2 + 60

    info = json.loads(call("store", "info", "--format", "json")[1])
    assert info["archive"]["months"][0]["folder"] == str(archive / "2026-03")
    assert info["facts"]["transfers"] == rows
    after = _detected(call)
    assert after["run"]["horizon"] == "2026-04-01T00:00:00Z"
    assert after["supply"] == before["supply"]
    held = {m["account"]: m["holdings"] for g in after["groups"] for m in g["members"]}
    assert held
    assert held == {
        m["account"]: m["holdings"]
        for g in before["groups"]
        for m in g["members"]
        if m["account"] in held
    }

    again = json.loads(call("load", "transfers", deals, "--format", "json")[1])
    assert (again["loaded"], again["known"], again["conflicts"]) == (0, 2 * rows, 0)
    for asked in (("--as-of", "2026-03-30"), ("--known-at", "2")):
        code, _, complaint = call("detect", *asked, "--no-save")
        assert code == 1
        assert str(archive / "2026-03") in complaint
    code, _, complaint = call("store", "withdraw", "2")
    assert code == 1
    assert f"{rows} rows of batch 2 are archived" in complaint
    assert call("store", "check")[0] == 0

    code, said, complaint = call("store", "unarchive", archive / "2026-03")
    assert code == 0, complaint
    assert _detected(call)["result_sha256"] == before["result_sha256"]
    assert call("store", "check")[0] == 0
    assert call("review", "verify")[0] == 0


def test_an_archived_fact_is_not_corrected(place: str, call: Call, tmp_path: Path) -> None:
    first = write(
        tmp_path / "a.csv",
        ("id", "src", "dst", "amount", "at"),
        ("1", "ann", "bob", 5, "2026-03-01"),
        ("2", "bob", "ann", 5, "2026-05-01"),
    )
    other = write(
        tmp_path / "b.csv",
        ("id", "src", "dst", "amount", "at"),
        ("1", "ann", "bob", 6, "2026-03-01"),
        ("3", "ann", "cyd", 6, "2026-03-01"),
    )
    call("store", "init", place)
    call("load", "transfers", first)
    call("store", "archive", "--before", "2026-04", "--to", tmp_path / "archive")
    for words in ((), ("--correct",)):
        code, said, _ = call("load", "transfers", other, *words, "--format", "json")
        assert code == 3
        answer = json.loads(said)
        assert answer["conflicts"] == 1
        [refused] = [
            json.loads(line) for line in Path(answer["quarantine_file"]).read_text().splitlines()
        ]
        assert "archived with other content" in refused["reason"]
    known = json.loads(call("load", "transfers", first, "--correct", "--format", "json")[1])
    assert known["known"] == 2


def test_holdings_of_before_the_horizon_are_refused_where_they_are_rolled(
    loaded: str, call: Call, tmp_path: Path
) -> None:
    call("store", "archive", "--before", "2026-05", "--to", tmp_path / "archive")
    early = write(tmp_path / "h.csv", ("account", "amount", "at"), ("r0", 1, "2026-03-05"))
    code, _, complaint = call("load", "holdings", early)
    assert code == 1
    assert "transfers before 2026-04-01 are archived" in complaint


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--before", "2026-05-02"), "not the first of a month"),
        (("--before", "soon"), "is no month"),
        (("--before", "2026-07"), "is not over yet"),
    ],
)
def test_what_is_no_month_is_refused(
    call: Call, tmp_path: Path, words: tuple[str, str], said: str
) -> None:
    code, _, complaint = call("store", "archive", *words, "--to", tmp_path / "a")
    assert code == 1
    assert said in complaint
