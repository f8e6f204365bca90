"""A platform's nights: what is taken in, found and done; what is held; what was stopped."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import nights
import pytest
from nights import deliver, mark_done, now, settle, write
from prometheus_client.parser import text_string_to_metric_families

from graph.errors import UserError
from graph.store import open_store
from inconcert.refresh.stages import DO
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


def stop(_: object) -> None:
    """In place of a stage."""
    raise UserError("The machine was switched off.")


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
    listed = json.loads(call("refresh", "list", "--format", "json")[1])
    assert [one["number"] for one in listed] == [2, 1]
    assert json.loads(call("refresh", "list", "--most", 1, "--format", "json")[1]) == listed[:1]
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


def test_an_increment_does_not_take_a_held_night_along(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a night did not bring is missing still, though an increment does not miss it."""
    for number in (1, 2, 3, 4):
        night(number)
    deliver(tmp_path, 5)
    day = tmp_path / "feed" / "2026-05-12"
    file = day / "transfers.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:20]))
    mark_done(day, date(2026, 5, 12))
    assert [one["alarm"] for one in night(5, code=5, delivers=False)["alarms"]] == ["shrunk"]
    more = [("late", "r1", "r2", 50, "2026-05-12T05:00:00Z")]
    write(tmp_path, date(2026, 5, 13), "transfers", ("id", "src", "dst", "amount", "at"), more)
    mark_done(tmp_path / "feed" / "2026-05-13", date(2026, 5, 13))
    monkeypatch.setenv("INCONCERT_NOW", now(5, 4))
    code, _, said = call("refresh", "--increment")
    assert (code, "transfers brought 20 rows" in said) == (5, True)
    number = json.loads(call("refresh", "list", "--format", "json")[1])[0]["number"]
    code, _, said = call("refresh", "release", number - 1, "--reason", "A holiday.")
    assert (code, f"Refresh {number} follows it" in said) == (1, True)
    earlier = call("refresh", "show", number - 1)[1].splitlines()[0]
    assert earlier.endswith(f"dropped. Refresh {number} follows it.")
    assert call("refresh", "release", number, "--reason", "A holiday.")[0] == 0
    assert call("refresh", "--increment")[0] == 0


def test_what_creeps_in_through_increments_is_held_as_if_it_came_at_night(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base grows by 7 % twice; nobody looked at it in between."""
    night(1)

    def increment(hour: int, held: int) -> int:
        day = date(2026, 5, 9)
        at = f"2026-05-09T0{hour - 1}:00:00Z"
        place = tmp_path / "feed" / f"hour{hour}"
        place.mkdir()
        rows = [("account", "amount", "at"), *((a, held, at) for a in nights.RING)]
        rows += [(account, "313.3", at) for account in nights.CROWD]
        with (place / "holdings.csv").open("w", newline="") as out:
            csv.writer(out).writerows(rows)
        mark_done(place, day)
        monkeypatch.setenv("INCONCERT_NOW", now(1, hour))
        code, _, _ = call("refresh", "--increment")
        return code

    assert increment(4, 1300) == 0  # 7 % more
    assert increment(5, 2000) == 5  # 14 % more than in the night
    number = json.loads(call("refresh", "list", "--format", "json")[1])[0]["number"]
    assert call("refresh", "release", number, "--reason", "Issued.")[0] == 0
    assert increment(6, 2100) == 0  # measured by what a person has seen


def test_a_release_that_comes_after_a_later_run_ends_and_leaves_the_queue_as_it_is(
    night: Night, call: Call, home: str, tmp_path: Path
) -> None:
    night(1)
    held = night(2, code=5, r0=300_000)
    more = tmp_path / "more.csv"
    more.write_text("id,src,dst,amount,at\nx1,r1,r2,50,2026-05-10T01:00:00Z\n")
    assert call("load", "transfers", str(more))[0] == 0
    assert call("detect")[0] == call("review", "fill")[0] == 0
    before, current = cases(call), open_store(home).current_run()
    code, out, said = call("refresh", "release", held["number"], "--reason", "A large customer.")
    assert code == 0, said
    assert "is of before run" in out
    assert cases(call) == before
    assert open_store(home).current_run() == current
    code, out, _ = call("refresh", "--increment")  # of what was loaded by hand
    assert (code, "(increment): ended" in out) == (0, True)
    assert call("refresh", "--increment")[:2] == (0, "Nothing new.\n")


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


def test_what_is_withdrawn_while_it_is_held_cannot_be_released(
    night: Night, call: Call, home: str
) -> None:
    """It was found in facts that a person has taken back: no order may follow from it."""
    night(1)
    number = night(2, code=5, r0=300_000)["number"]
    [first, wrong] = [one["batch"] for one in deliveries(home) if one["kind"] == "holdings"]
    assert call("store", "withdraw", wrong)[0] == 0
    code, _, said = call("refresh", "release", number, "--reason", "It is right now.")
    assert (code, f"batch {wrong}" in said, "drop" in said) == (1, True, True), said
    assert call("store", "withdraw", wrong, "--undo")[0] == 0
    assert call("store", "withdraw", first)[0] == 0
    assert call("store", "withdraw", first, "--undo")[0] == 0
    assert call("refresh", "release", number, "--reason", "It was right.")[0] == 0


@pytest.mark.parametrize("what", ["release", "drop"])
def test_a_reason_has_words(night: Night, call: Call, what: str) -> None:
    night(1)
    number = night(2, code=5, r0=300_000)["number"]
    code, _, said = call("refresh", what, number, "--reason", " ")
    assert (code, "for which reason" in said) == (1, True), said
    assert json.loads(call("refresh", "show", number, "--format", "json")[1])["state"] == "held"


def test_a_statement_that_was_cut_off_is_held(night: Night, call: Call, tmp_path: Path) -> None:
    night(1)
    deliver(tmp_path, 2)
    file = tmp_path / "feed" / "2026-05-09" / "holdings.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:150]))
    (file.parent / "done").touch()
    held = night(2, code=5, delivers=False)
    assert "shrunk" in {one["alarm"] for one in held["alarms"]}


def test_figures_for_prometheus(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (tmp_path / "inconcert.toml").read_text()
    words = '[refresh]\nmetrics = "figures/inconcert.prom"\n'
    (tmp_path / "inconcert.toml").write_text(text.replace("[refresh]\n", words))
    settings.cache_clear()

    def figures() -> dict[str, float]:
        said = (tmp_path / "figures" / "inconcert.prom").read_text()
        return {
            " ".join((sample.name, *sample.labels.values())).removeprefix(
                "inconcert_"
            ): sample.value
            for family in text_string_to_metric_families(said)
            for sample in family.samples
        }

    first = night(1)
    found = figures()
    groups = first["stages"]["detect"]["out"]["groups"]
    for line in ("0.03", "0.04", "0.05"):
        count = sum(str(group["line"]) == line for group in groups)
        assert found[f"findings {line}"] == count > 0
    assert found["refresh_rows loaded holdings"] == 310
    assert found["refresh_stage_seconds detect"] > 0
    assert (found["refresh_held"], found["last_good_refresh_age_seconds"]) == (0, 0)
    night(2, code=5, r0=300_000)
    found = figures()
    assert (found["refresh_held"], found["last_good_refresh_age_seconds"]) == (1, 86_400)
    assert "refresh_stage_seconds publish" not in found
    assert found["findings 0.05"] > 0, "those of the last good one"
    assert found["cases_overdue"] == 0
    assert found["last_good_night_age_seconds"] == 86_400


def test_nights_that_do_not_run_are_told_of(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(1)
    for number in (2, 3):
        deliver(tmp_path, number)
        monkeypatch.setenv("INCONCERT_NOW", now(number))
        assert call("refresh", "--increment")[0] == 0
    said = call("doctor")[1]
    assert "No night has gone to its end for 2 days, only increments." in " ".join(said.split())


def test_a_receiver_of_orders_that_is_down_stops_no_night(
    night: Night, call: Call, tmp_path: Path
) -> None:
    """Orders wait, and are sent when it is up; what comes in is taken in all the same."""
    (tmp_path / "hook.key").write_text("0123456789abcdef0123456789abcdef")
    text = (tmp_path / "inconcert.toml").read_text()
    hook = (
        '[review]\nwebhook = "http://127.0.0.1:1/orders"\nwebhook_key_file = "hook.key"\n'
        "webhook_attempts = 1\n"
    )
    (tmp_path / "inconcert.toml").write_text(hook + text)
    settings.cache_clear()
    first = night(1, code=1, c000=6000)
    assert first["state"] == "ended"
    waiting = first["stages"]["orders"]["out"]
    assert waiting["failed"] == sum(waiting["waiting"].values()) > 0
    second = night(2, code=1, c000=6000)
    assert (second["number"], second["state"]) == (2, "ended")
    assert len(second["stages"]["load"]["out"]["batches"]) == 3
    code, _, said = call("refresh", "--increment")
    assert (code, "were not delivered" in said) == (1, True)


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


def deliver_damaged(folder: Path) -> Callable[[], None]:
    """Deliver night 2 with a file that lacks a column; what is returned mends it."""
    deliver(folder, 2)
    file = folder / "feed" / "2026-05-09" / "sightings.csv"
    whole = file.read_text()

    def put(text: str) -> None:
        file.write_text(text)
        (file.parent / "done").touch()

    put("account\nr1\n")
    return lambda: put(whole)


def test_a_damaged_file_stops_it_and_nothing_is_lost(
    night: Night, call: Call, tmp_path: Path, home: str
) -> None:
    night(1)
    mend = deliver_damaged(tmp_path)
    stopped = night(2, code=1, delivers=False)
    assert stopped["state"] == "running"
    mend()
    ended = night(2, delivers=False)
    assert (ended["number"], ended["state"]) == (stopped["number"], "ended")


def test_a_night_that_goes_on_with_an_increment_is_done_too(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(1)
    mend = deliver_damaged(tmp_path)
    monkeypatch.setenv("INCONCERT_NOW", now(1, 23))
    assert call("refresh", "--increment")[0] == 1
    mend()
    ended = night(2, delivers=False)
    assert (ended["sort"], ended["state"]) == ("nightly", "ended")
    stopped = json.loads(call("refresh", "show", 2, "--format", "json")[1])
    assert (stopped["sort"], stopped["state"]) == ("increment", "ended")
    assert night(3)["number"] == ended["number"] + 1


def test_a_night_that_goes_on_with_the_one_before_takes_in_its_own_day(
    night: Night, call: Call, tmp_path: Path, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Yesterday's was stopped after its load, and nothing of today would be in until tomorrow."""
    night(1)
    with monkeypatch.context() as patch:
        patch.setitem(DO, "detect", stop)
        stopped = night(2, code=1)
    assert stopped["state"] == "running"
    ended = night(3)
    assert (ended["number"], ended["state"]) == (stopped["number"] + 1, "ended")
    assert len(ended["stages"]["load"]["out"]["batches"]) == 3
    assert json.loads(call("refresh", "show", 2, "--format", "json")[1])["state"] == "ended"


def test_a_night_takes_the_place_of_a_stopped_increment_that_is_held(
    night: Night, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    night(1)
    deliver(tmp_path, 2, {"r0": 300_000})
    with monkeypatch.context() as patch:
        patch.setitem(DO, "detect", stop)
        patch.setenv("INCONCERT_NOW", now(1, 23))
        assert call("refresh", "--increment")[0] == 1
    held = night(2, code=5, delivers=False)
    assert (held["number"], held["sort"], held["state"]) == (3, "nightly", "held")
    before = json.loads(call("refresh", "show", 2, "--format", "json")[1])
    assert before["dropped"]["reason"] == "Refresh 3 follows it."


def test_a_failure_after_a_release_is_a_line_of_the_log_file(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(1)
    held = night(2, code=5, r0=300_000)
    monkeypatch.setenv("INCONCERT_NOW", now(1))  # behind the log: nothing can be recorded
    code, _, said = call("refresh", "release", held["number"], "--reason", "A large customer.")
    assert code == 1, said
    lines = (tmp_path / "refresh.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["event"], last["refresh"]) == ("failed", held["number"])


def test_figures_that_cannot_be_written_hide_nothing(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (tmp_path / "inconcert.toml").read_text()
    (tmp_path / "inconcert.toml").write_text(
        text.replace("[refresh]\n", '[refresh]\nmetrics = "feed"\n')
    )
    settings.cache_clear()
    deliver(tmp_path, 1)
    monkeypatch.setenv("INCONCERT_NOW", now(1))
    code, out, said = call("refresh")
    assert (code, "Refresh 1 (nightly): ended." in out) == (1, True)
    assert "The figures could not be written to feed" in said
    assert night(2, code=5, r0=300_000)["state"] == "held"


def test_a_name_that_is_no_text_is_taken_and_told(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File systems take any bytes for a name; the log and the journal only text."""
    night(1)
    deliver(tmp_path, 2)
    place = tmp_path / "feed" / "2026-05-09"
    odd = place / os.fsdecode(b"transfers-\xff.csv")
    odd.write_text("id,src,dst,amount,at\nodd,r0,r1,1,2026-05-09\n")
    mark_done(place, date(2026, 5, 9))
    assert night(2)["state"] == "ended"
    monkeypatch.setenv("INCONCERT_NOW", now(2, 3))
    assert call("refresh", "--increment")[1] == "Nothing new.\n"
    odd.write_text("no header of ours\n")
    (place / "done").touch()
    code, _, said = call("refresh", "--increment")
    assert (code, "has no column" in said) == (1, True), said
    last = json.loads((tmp_path / "refresh.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    assert "no column" in last["sentence"]


def test_a_good_refresh_prints_no_notes_but_keeps_them(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """cron mails what is printed, every ten minutes."""
    header, rows = (
        ("id", "src", "dst", "amount", "at", "memo"),
        [("1", "r0", "r1", 1, "2026-05-07", "")],
    )
    monkeypatch.setenv("INCONCERT_NOW", now(1))
    for number, words in enumerate(((), ("-v",))):
        write(tmp_path, date(2026, 5, 1 + number), "transfers", header, rows)
        mark_done(tmp_path / "feed" / f"2026-05-0{1 + number}", date(2026, 5, 7))
        code, _, said = call("refresh", "--increment", *words)
        assert (code, "Ignored column: memo." in said) == (0, bool(words))
    lines = [json.loads(line) for line in (tmp_path / "refresh.jsonl").read_text().splitlines()]
    notes = [one for one in lines if one["event"] == "note"]
    assert [one["sentence"] for one in notes] == ["Ignored column: memo."] * 2
    assert {(one["feed"], one["refresh"]) for one in notes} == {("transfers", 1), ("transfers", 2)}


@pytest.mark.parametrize("words", [("--increment",), ("--format", "json")])
def test_an_option_before_list_or_show_is_not_passed_over(
    home: str, call: Call, words: Sequence[str]
) -> None:
    code, out, said = call("refresh", *words, "list")
    assert (code, out, f"{words[0]} is not for" in said) == (2, "", True), said
    assert call("refresh", "--store", home, "list")[0] == 0


def deliveries(home: str) -> list[dict[str, Any]]:
    return list(open_store(home).log.views("delivery").values())


def test_an_increment_looks_again_where_facts_changed_without_a_feed(
    night: Night, call: Call, home: str
) -> None:
    """A withdrawal takes findings back, too, not only when a feed brings something."""
    first = night(1)["stages"]["detect"]["out"]["result_sha256"]
    [deals] = [one["batch"] for one in deliveries(home) if one["kind"] == "transfers"]
    assert call("store", "withdraw", deals)[0] == 0
    code, out, said = call("refresh", "--increment", "--format", "json")
    assert (code, json.loads(out)["state"]) == (0, "ended"), said
    assert json.loads(out)["stages"]["detect"]["out"]["result_sha256"] != first
    assert call("refresh", "--increment")[1] == "Nothing new.\n"


def test_without_any_feed_a_store_that_had_some_is_in_the_wrong_folder(
    night: Night, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings.cache_clear()
    for words in ((), ("--increment",)):
        code, _, said = call("refresh", *words)
        assert code == 1
        assert "no feed is set" in said.lower()
        assert "holdings, sightings, transfers" in said
    assert len(json.loads(call("refresh", "list", "--format", "json")[1])) == 1


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
    (tmp_path / "archive").rmdir()
    (tmp_path / "archive").touch()
    failed = night(59, code=1, delivers=False)
    assert (failed["state"], failed["stages"]["retention"]["out"]["archived"]) == ("ended", [])
    (tmp_path / "archive").unlink()
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
