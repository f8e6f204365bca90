"""What a clumsy or unlucky user meets: odd ids, early dates, folders that cannot be."""

from __future__ import annotations

import json

import pytest
from town_files import write

from graph.store import init_store

LONG = "m_0123456789abcdef0123456789abcdef"


@pytest.fixture
def store(tmp_path, monkeypatch):
    """An empty store, named by INCONCERT_STORE."""
    monkeypatch.setenv("INCONCERT_STORE", str(tmp_path / "store"))
    return init_store(str(tmp_path / "store"), holdings_rule="replayed")


def test_what_if_is_json_too(call, platform):
    """With so many strangers that the strength does not do: a number of NumPy's said so."""
    group = json.loads(call("groups", "--format", "json")[1])[0]["id"]
    strangers = [word for number in range(10, 60) for word in ("--with", f"c{number:03}")]
    code, out, _ = call("show", group, *strangers, "--format", "json")
    assert code == 0
    changed = json.loads(out)["what_if"]
    assert (changed["accounts"], changed["over_line"], changed["reported"]) == (60, True, False)


def test_ids_are_printed_as_they_are_and_whole(call, store, tmp_path):
    path = write(
        tmp_path / "t.csv", ("src", "dst", "amount"), (LONG, ":smile:", "12345678901234567890.5")
    )
    assert call("load", "transfers", path)[0] == 0
    code, out, _ = call("trace", LONG)
    assert code == 0
    assert LONG in out
    assert ":smile:" in out
    assert "12345678901234567890.5" in out


def test_a_trace_as_json_says_what_the_limit_left_out(call, store, tmp_path):
    rows = [("src", "dst", "amount"), ("a", "b", 3), ("a", "c", 2), ("a", "d", 1)]
    call("load", "transfers", write(tmp_path / "t.csv", *rows))
    answer = json.loads(call("trace", "a", "--limit", "2", "--format", "json")[1])
    assert (len(answer["hops"]), answer["left_out"]) == (2, 1)


def test_a_day_before_all_facts_is_not_an_empty_store(call, platform):
    code, out, _ = call("detect", "--no-save", "--as-of", "1999-12-31")
    assert code == 0
    assert "load some" not in out
    assert "1999-12-31" in out


def test_all_negative_balances_are_counted(call, store, tmp_path):
    rows = [("src", "dst", "amount", "at"), *((f"n{i}", "z", 1, "2026-01-01") for i in range(8))]
    call("load", "transfers", write(tmp_path / "t.csv", *rows))
    _, _, err = call("detect", "--no-save")
    assert err.count("would hold less than nothing") == 5 + 1
    assert "3 more" in err


@pytest.mark.parametrize("command", [["store", "init"], ["simulate", "--accounts", 600, "--out"]])
@pytest.mark.parametrize("place", ["file/below", "x" * 300])
def test_a_folder_that_cannot_be_is_one_sentence(call, tmp_path, command, place):
    (tmp_path / "file").write_text("mine")
    code, out, err = call(*command, place)
    assert (code, out) == (1, "")
    assert err.startswith("inconcert: ")
    assert len(err.strip().splitlines()) == 1


def test_the_folder_one_is_in_is_no_file(call, store):
    code, _, err = call("load", "transfers", ".")
    assert code == 1
    assert "is a folder" in err


def test_the_hint_for_a_bare_line_means_the_same_line(call, platform):
    assert "write 3% or 0.03" in call("detect", "--line", "3")[2]
    assert "write 1.5% or 0.015" in call("detect", "--line", "1.5")[2]
