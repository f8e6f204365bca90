"""A platform's nights: what is taken in, found and done; what is held; what was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nights
import pytest
from nights import deliver, now, settle

from graph.store import open_store
from inconcert.settings import settings

Call = Callable[..., tuple[int, str, str]]
Night = Callable[..., dict[str, Any]]


@pytest.fixture
def night(home: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    """Delivers and refreshes; the refresh that came of it. `code`: the exit code awaited."""
    settle(tmp_path)
    settings.cache_clear()

    def night(number: int, code: int = 0, delivers: bool = True, **held: object) -> dict[str, Any]:
        if delivers:
            deliver(tmp_path, number, held)
        monkeypatch.setenv("INCONCERT_NOW", now(number))
        exit_code, _, said = call("refresh")
        assert exit_code == code, said
        return dict(json.loads(call("refresh", "list", "--most", 1, "--format", "json")[1])[0])

    return night


def cases(call: Call) -> list[dict[str, Any]]:
    return list(json.loads(call("review", "list", "--format", "json")[1]))


def test_nights_go_from_files_into_the_queue(night: Night, call: Call, home: str) -> None:
    first = night(1)
    assert first["state"] == "ended"
    assert list(nights.content(home)["facts"]["transfers"])
    [case] = [one for one in cases(call) if one["on"] == "group"]
    assert case["change"] == "born"
    second = night(2)
    store = open_store(home)
    assert second["stages"]["load"]["out"]["as_of"] == "2026-05-09T23:00:00Z"
    assert len(second["stages"]["load"]["out"]["batches"]) == 3
    assert store.current_run().id == second["stages"]["detect"]["out"]["run"]  # type: ignore[union-attr]
    assert [one["id"] for one in cases(call) if one["on"] == "group"] == [case["id"]]
    code, out, _ = call("refresh", "--increment")
    assert (code, out) == (0, "Nothing new.\n")
    assert len(json.loads(call("refresh", "list", "--format", "json")[1])) == 2
    assert "Refresh 2 (nightly): ended." in call("refresh", "show", 2)[1]
    assert call("review", "verify")[0] == 0


def test_the_run_is_the_one_that_detect_makes(night: Night, call: Call) -> None:
    done = night(1)["stages"]
    code, out, _ = call(
        *("detect", "--no-save", "--format", "json", "--as-of", done["load"]["out"]["as_of"]),
        *("--line", "3%", "--line", "4%", "--line", "5%"),
    )
    assert code == 0
    assert json.loads(out)["result_sha256"] == done["detect"]["out"]["result_sha256"]


def test_what_looks_like_a_fault_is_held_and_nothing_follows(
    night: Night, call: Call, home: str, tmp_path: Path
) -> None:
    good = night(1)["stages"]["detect"]["out"]["run"]
    before = cases(call)
    held = night(2, code=5, r0=300_000)
    assert {one["alarm"] for one in held["alarms"]} == {"supply", "large"}
    assert cases(call) == before
    assert open_store(home).current_run().id == good  # type: ignore[union-attr]
    assert "Alarm: The base is" in call("refresh", "show", held["number"])[1]
    again = night(2, code=5, delivers=False)
    assert {one["alarm"] for one in again["alarms"]} == {"supply", "large"}, "not acted on yet"
    assert call("refresh", "release", held["number"], "--reason", "x")[0] == 1, "it was dropped"
    code, out, said = call("refresh", "release", again["number"], "--reason", "A large customer.")
    assert code == 0, said
    assert "Released by" in out
    assert open_store(home).current_run().id != good  # type: ignore[union-attr]
    assert cases(call) != before


def test_what_is_withdrawn_is_no_cause_any_more(night: Night, call: Call, home: str) -> None:
    night(1)
    held = night(2, code=5, r0=300_000)
    wrong = [
        one["batch"]
        for one in open_store(home).log.views("delivery").values()
        if (one["refresh"], one["kind"]) == (held["number"], "holdings")
    ]
    assert call("refresh", "drop", held["number"], "--reason", "A wrong export.")[0] == 0
    assert call("store", "withdraw", *wrong)[0] == 0
    assert night(2, delivers=False)["state"] == "ended"


def test_a_statement_that_was_cut_off_is_held(night: Night, call: Call, tmp_path: Path) -> None:
    night(1)
    deliver(tmp_path, 2)
    file = tmp_path / "feed" / "2026-05-09" / "holdings.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:150]))
    (file.parent / "done").touch()
    held = night(2, code=5, delivers=False)
    assert "shrunk" in {one["alarm"] for one in held["alarms"]}


def test_only_who_may_releases(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(1)
    held = night(2, code=5, r0=300_000)
    text = (tmp_path / "inconcert.toml").read_text()
    (tmp_path / "inconcert.toml").write_text(text + '[review.roles]\ninvestigator = ["ann"]\n')
    settings.cache_clear()
    monkeypatch.setenv("INCONCERT_USER", "ann")
    code, _, said = call("refresh", "release", held["number"], "--reason", "It is fine.")
    assert code == 1
    assert "needs the role senior or operator" in said


def test_a_damaged_file_stops_it_and_nothing_is_lost(
    night: Night, call: Call, tmp_path: Path, home: str
) -> None:
    night(1)
    deliver(tmp_path, 2)
    file = tmp_path / "feed" / "2026-05-09" / "sightings.csv"
    whole = file.read_text()
    file.write_text("account\nr1\n")
    (file.parent / "done").touch()
    stopped = night(2, code=1, delivers=False)
    assert stopped["state"] == "running"
    file.write_text(whole)
    (file.parent / "done").touch()
    ended = night(2, delivers=False)
    assert (ended["number"], ended["state"]) == (stopped["number"], "ended")


def test_the_second_one_says_who_is_at_it(home: str, tmp_path: Path, call: Call) -> None:
    settle(tmp_path)
    settings.cache_clear()
    with open_store(home).refreshing("refreshing (nightly)"):
        code, _, said = call("refresh")
    assert code == 1
    assert "is refreshing (nightly) since" in said


def test_an_increment_that_meets_another_one_leaves_it_the_work(
    home: str, tmp_path: Path, call: Call
) -> None:
    """It is no failure, so no timer's alarm: what came is there ten minutes later."""
    settle(tmp_path)
    settings.cache_clear()
    deliver(tmp_path, 1)
    with open_store(home).refreshing("refreshing (increment)"):
        code, out, _ = call("refresh", "--increment")
        assert (code, "is refreshing (increment) since" in out) == (0, True)
        code, out, said = call("refresh", "--increment", "--format", "json")
        assert (code, json.loads(out), "is refreshing" in said) == (0, None, True)
    assert open_store(home).batches() == []
    code, out, _ = call("refresh", "--increment")
    assert (code, "(increment): ended" in out) == (0, True)


def test_an_increment_that_finds_a_load_at_work_fails(
    home: str, tmp_path: Path, call: Call
) -> None:
    """Whoever loads by hand is no other refresh."""
    settle(tmp_path)
    settings.cache_clear()
    deliver(tmp_path, 1)
    with open_store(home).loading("links", "by hand"):
        code, _, said = call("refresh", "--increment")
    assert (code, "is loading links since" in said) == (1, True)


def test_old_months_go_to_the_archive_but_for_what_an_open_case_needs(
    night: Night, call: Call, home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (tmp_path / "inconcert.toml").read_text()
    words = f'[refresh]\narchive = "{tmp_path / "archive"}"\narchive_after_months = 1\n'
    (tmp_path / "inconcert.toml").write_text(text.replace("[refresh]\n", words))
    settings.cache_clear()
    night(1)
    late = 60  # nights later all of the ring's deals are of two months ago
    out = night(late, delivers=False, code=0)["stages"]["retention"]["out"]
    assert out["archived"] == []
    assert "is open and rests on its facts" in out["kept_back"]
    [case] = [one["id"] for one in cases(call)]
    monkeypatch.setenv("INCONCERT_USER", "ann")
    assert call("review", "claim", case)[0] == 0
    assert call("review", "move", case, "in_review")[0] == 0
    code, _, said = call("review", "decide", case, "refuted", "--reason", "data")
    assert code == 0, said
    after = night(late + 1, delivers=False)["stages"]["retention"]["out"]
    assert after["archived"] == ["2026-05"]
    assert open_store(home).facts("transfers").collect().is_empty()
    assert (tmp_path / "archive" / "2026-05" / "transfers.parquet").exists()
