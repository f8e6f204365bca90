"""Who only looks needs no key: it is asked for where something is hashed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from town_files import write

from graph.digest import new_key

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(params=["folder", "server"])
def keyless(
    request: pytest.FixtureRequest, call: Call, own_platform: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """The platform's store, of either home, on a machine that has not its key."""
    url = str(own_platform)
    if request.param == "server":
        url = str(request.getfixturevalue("neo4j_url"))
        assert call("store", "backup", "copy")[0] == 0
        words = ("store", "restore", "copy", "--key", own_platform / "key", "--store", url)
        assert call(*words)[0] == 0
        monkeypatch.setenv("XDG_DATA_HOME", str(own_platform.parent / "another machine"))
    (own_platform / "key").unlink()
    monkeypatch.setenv("INCONCERT_STORE", url)
    return url


def test_looking_and_detecting_need_no_key(call: Call, keyless: str) -> None:
    group = json.loads(call("groups", "--format", "json")[1])[0]["id"]
    for words in (
        ["store", "info"],
        ["runs"],
        ["groups"],
        ["show", group],
        ["show", group, "--without", "r0"],
        ["why", "r0", "r1"],
        ["trace", "r0"],
        ["plot", group, "--out", "plots"],
        ["detect", "--permutations", "9"],
        ["supply", "show"],
        ["supply", "set", "100000", "--from", "2026-01-01"],
        ["store", "withdraw", "1"],
        ["store", "withdraw", "1", "--undo"],
    ):
        code, _, err = call(*words)
        assert code == 0, (words, err)


def test_a_check_and_a_backup_say_where_the_key_should_be(call: Call, keyless: str) -> None:
    code, out, err = call("store", "check")
    assert code == 0
    assert out.startswith("The store is sound: ")
    assert err.startswith("The store's key is not in ")
    [note] = json.loads(call("store", "check", "--format", "json")[1])["notes"]
    assert note == err.strip()
    code, _, err = call("store", "backup", "another copy")
    assert code == 0
    assert err.endswith(" is not in it.\n")  # and nothing of a key that is not there


def test_who_hashes_is_asked_for_the_key(call: Call, keyless: str, tmp_path: Path) -> None:
    deals = write(tmp_path / "deals.csv", ("src", "dst", "id"), ("a", "b", "t1"))
    before = json.loads(call("store", "info", "--format", "json")[1])["batches"]
    for words in (["load", "transfers", deals], ["store", "export-bulk", "files"]):
        code, out, err = call(*words)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "The key file" in err
        assert "is missing" in err
    assert not Path("files").exists()
    assert json.loads(call("store", "info", "--format", "json")[1])["batches"] == before


def test_a_key_that_is_named_or_there_must_be_the_right_one(
    call: Call, keyless: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(tmp_path / "lost"))
    assert "lost is missing" in call("store", "info")[2]
    (tmp_path / "lost").write_text(new_key())
    assert "is not the key of the store" in call("store", "info")[2]


def test_masked_ids_need_the_key_only_where_one_is_given(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_STORE", "masked")
    assert call("store", "init", "masked", "--mask")[0] == 0
    holdings = write(tmp_path / "holdings.csv", ("account", "amount"), ("ann", 9), ("ben", 1))
    assert call("load", "holdings", holdings)[0] == 0
    assert call("detect", "whale")[0] == 0
    Path("masked/key").unlink()
    group = json.loads(call("groups", "--format", "json")[1])[0]["id"]
    for words in (["store", "info"], ["runs"], ["show", group]):
        assert call(*words)[0] == 0, words
    for words in (["trace", "ann"], ["why", "ann", "ben"], ["show", group, "--with", "ben"]):
        code, out, err = call(*words)
        assert (code, out, "masked/key is missing" in err) == (1, "", True), words


def test_an_empty_name_of_a_key_file_is_none(
    call: Call, neo4j_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As compose files pass on a variable that nobody set."""
    monkeypatch.setenv("INCONCERT_KEY_FILE", "")
    assert call("store", "init", neo4j_url)[0] == 0
