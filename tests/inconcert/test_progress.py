"""What a user sees of long work, on a terminal and elsewhere."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from graph.store import init_store
from inconcert import progress
from inconcert.manners import Manners

TIMED = r" \(\d+\.\d s\)$"


def lines(text: str) -> list[str]:
    """Lines without the seconds at their ends."""
    assert all(re.search(TIMED, line) for line in text.splitlines())
    return [re.sub(TIMED, "", line) for line in text.splitlines()]


def until_said(capsys: pytest.CaptureFixture[str], words: str) -> str:
    """What stderr said until these words were there."""
    said, end = "", time.monotonic() + 20
    while words not in said:
        assert time.monotonic() < end, said
        time.sleep(0.01)
        said += capsys.readouterr().err
    return said


def test_a_note_is_a_line_and_one_that_comes_often_waits_its_turn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress.lines("Loading") as advance:
        advance(note="begun")
        for row in range(1000):
            advance(row, note=f"{row} [rows]", seldom=True)
        advance(1000, note="all")
    assert lines(capsys.readouterr().err) == ["Loading: begun", "Loading: all"]


def test_lines_go_on_while_nothing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    with progress.lines("Loading") as advance:
        assert set(lines(until_said(capsys, "Loading ("))) == {"Loading"}
        advance(note="999 [rows]", seldom=True)
        said = until_said(capsys, "999")
        said += until_said(capsys, "999")
        assert lines(said)[-1] == "Loading: 999 [rows]"
    capsys.readouterr()
    time.sleep(0.2)
    assert capsys.readouterr().err == ""


def test_a_bar_shows_itself_though_nothing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # taken for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "DELAY_SECONDS", 0.05)
    with progress.bar("Checking", None):
        until_said(capsys, "Checking")
    capsys.readouterr()
    monkeypatch.setattr(progress, "DELAY_SECONDS", 20)
    with progress.bar("Checking", None) as advance:
        advance(note="soon done")
    assert capsys.readouterr().err == ""


def test_what_a_store_tells_is_shown_with_the_command_that_waits_for_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.05)
    init_store("store")
    manners = Manners("store", verbose=True)
    store = manners.open()
    store.tell("nobody waits")
    with manners.progress("Checking"):
        store.tell("5 of 9 read")
        assert "nobody" not in until_said(capsys, "Checking: 5 of 9 read")
    store.tell("nobody waits")
    assert "nobody" not in capsys.readouterr().err


def test_without_v_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    init_store("store")
    manners = Manners("store")
    with manners.progress("Checking") as advance:
        manners.open().check()
        advance(note="half")
    assert capsys.readouterr() == ("", "")


def test_a_name_in_a_sentence_does_not_break_it(call) -> None:
    init_store("store")
    row = '{"src": "a", "dst": "b", "amo\\nunt\\u001b[2J": "x"}\n'
    Path("in.jsonl").write_text(row, encoding="utf-8")
    mapping = "amount=amo\nunt\x1b[2J"
    code, _, err = call("load", "transfers", "in.jsonl", "--map", mapping, "--store", "store")
    assert code == 3
    assert err.count("\n") == 1
    assert r"'amo\nunt\x1b[2J' is not a number (1)" in err
