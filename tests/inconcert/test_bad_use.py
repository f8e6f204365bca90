"""Bad use: one clear sentence on stderr, the right exit code, no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from town_files import write

from graph.store import init_store, open_store

INCONCERT = str(Path(sys.executable).with_name("inconcert"))


def refused(answer, code, *words):
    """One sentence, nothing on stdout; a usage error has its usage above."""
    exit_code, out, err = answer
    assert exit_code == code, err
    assert out == ""
    assert "Traceback" not in err
    said = err.strip().splitlines()
    if code == 1:
        assert len(said) == 1, err
        assert said[0].startswith("inconcert: ")
    for word in words:
        assert word in said[-1]


@pytest.fixture
def empty_store(tmp_path, monkeypatch):
    """A store without facts, named by INCONCERT_STORE."""
    monkeypatch.setenv("INCONCERT_STORE", str(tmp_path / "store"))
    return init_store(str(tmp_path / "store"))


@pytest.mark.parametrize(
    "command", [["detect"], ["groups"], ["runs"], ["show", "x"], ["why", "a", "b"], ["trace", "a"]]
)
def test_no_store_and_a_folder_that_is_none(call, tmp_path, command):
    refused(call(*command), 1, "inconcert store init")
    refused(call(*command, "--store", tmp_path / "nowhere"), 1, "nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "diary.txt").write_text("mine")
    refused(call(*command, "--store", tmp_path / "folder"), 1, "folder")
    (tmp_path / "file").write_text("mine")
    refused(call(*command, "--store", tmp_path / "file"), 1, "file")
    assert (tmp_path / "folder" / "diary.txt").read_text() == "mine"


def test_a_store_of_a_newer_format(call, empty_store, tmp_path):
    with sqlite3.connect(tmp_path / "store" / "ledger.sqlite") as ledger:
        tables = [name for (name,) in ledger.execute("select name from sqlite_master")]
        assert "properties" in tables
        ledger.execute("update properties set value = '999' where name = 'format'")
    for command in (["detect"], ["store", "info"], ["load", "transfers", "x.csv"]):
        refused(call(*command), 1, "newer")


def test_files_that_are_missing_or_empty(call, empty_store, tmp_path):
    refused(call("load", "transfers", "nothing.csv"), 1, "nothing.csv")
    (tmp_path / "empty.csv").write_text("")
    refused(call("load", "transfers", "empty.csv"), 1, "empty.csv")
    (tmp_path / "empty.parquet").write_bytes(b"")
    refused(call("load", "transfers", "empty.parquet"), 1, "empty.parquet")
    assert empty_store.batches() == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0", "above 0 and below 100 %"),
        ("0%", "above 0 and below 100 %"),
        ("120%", "above 0 and below 100 %"),
        ("100%", "above 0 and below 100 %"),
        ("-5%", "above 0 and below 100 %"),
        ("5", "write 5% or 0.05"),
        ("five", "write 5% or 0.05"),
    ],
)
def test_a_line_that_is_none(call, platform, line, words):
    refused(call("detect", f"--line={line}"), 2, words)


def test_the_nearest_name_is_suggested(call, platform):
    refused(call("detect", "flwo"), 2, "no detector 'flwo'", "Did you mean 'flow'?")
    refused(call("detect", "flow", "qqq"), 2, "clique, flow, funding", "relay, whale")
    refused(call("detcet"), 2, "no command 'detcet'", "Did you mean 'detect'?")
    refused(call("zzz"), 2, "no command 'zzz'")
    refused(call("detect", "--engine", "spark"), 2, "--engine local")
    refused(call("detect", "--permutations", "-1"), 2, "-1")


def test_times_and_batches_that_are_none(call, platform):
    refused(call("detect", "--as-of", "tomorrow"), 1, "'tomorrow' is not a time")
    refused(call("detect", "--known-at", "99"), 1, "no batch 99", "last one is 5")
    refused(call("detect", "--known-at", "0"), 1, "no batch 0")
    refused(call("trace", "r0", "--from", "then"), 1, "'then' is not a time")


def test_a_clock_that_is_none(call, platform, monkeypatch):
    monkeypatch.setenv("INCONCERT_NOW", "noon-ish")
    refused(call("detect"), 1, "'noon-ish' is not a time")
    assert len(open_store(str(platform)).runs()) == 1


def test_accounts_groups_and_runs_that_are_unknown(call, platform):
    run = open_store(str(platform)).run("r")
    group = run.result["groups"][0]["id"]
    refused(call("why", "r0", "nobody"), 1, "no account 'nobody'")
    refused(call("why", "r0", "r0"), 1, "the same account")
    refused(call("why", "r0", "r1", "--run", "r1999"), 1, "r1999")
    refused(call("trace", "nobody"), 1, "no account and no group 'nobody'")
    refused(call("show", "beef00"), 1, "no group 'beef00'")
    refused(call("show", group, "--without", "nobody"), 1, "no account 'nobody'")
    refused(call("show", group, "--without", "c001"), 1, "c001 is no member")
    everyone = [word for number in range(10) for word in ("--without", f"r{number}")]
    refused(call("show", group, *everyone), 1, "without members")
    refused(call("groups", "--run", "r1999"), 1, "r1999")
    refused(call("show", group, "--run", "r1999"), 1, "r1999")


def test_a_store_without_facts_is_said_and_is_no_failure(call, empty_store):
    code, out, err = call("detect")
    assert (code, err) == (0, "")
    assert out == "The store holds no facts: load some first.\n"
    assert call("runs")[0] == 0
    refused(call("why", "a", "b"), 1, "no account 'a'")


def test_nobody_holds_anything(call, empty_store, tmp_path):
    deals = write(tmp_path / "t.csv", ("src", "dst"), ("a", "b"), ("b", "c"))
    assert call("load", "transfers", deals)[0] == 0
    code, out, err = call("detect", "--no-save")
    assert (code, err) == (0, "")
    assert out == "Nobody holds anything, so there is no share to measure: load holdings first.\n"
    zeros = write(tmp_path / "h.csv", ("account", "amount"), ("a", "0"), ("b", "0.00"))
    assert call("load", "holdings", zeros)[0] == 0
    zero = "All holdings that count are 0: there is no base to take shares of.\n"
    assert call("detect", "--no-save")[1] == zero
    assert call("detect", "whale", "--no-save")[0] == 0
    assert call("why", "a", "b")[0] == 0


def test_a_store_of_one_account(call, empty_store, tmp_path):
    one = write(tmp_path / "h.csv", ("account", "amount"), ("a", "5"))
    assert call("load", "holdings", one)[0] == 0
    code, out, err = call("detect", "--no-save")
    assert (code, err) == (0, "")
    assert out.startswith("No group was found")
    result = json.loads(call("detect", "whale", "--no-save", "--format", "json")[1])
    assert [group["share"] for group in result["groups"]] == [1.0]


def test_nobody_deals_with_anybody(call, empty_store, tmp_path):
    held = write(tmp_path / "h.csv", ("account", "amount"), *((f"a{n}", n) for n in range(40)))
    assert call("load", "holdings", held)[0] == 0
    code, out, err = call("detect", "--no-save")
    assert (code, err) == (0, "")
    assert out.startswith("No group was found")


def test_the_key_of_another_store_or_none(call, platform, tmp_path, monkeypatch):
    other = init_store(str(tmp_path / "other"))
    monkeypatch.setenv("INCONCERT_KEY_FILE", other.key_place)
    refused(call("detect"), 1, "key")
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(tmp_path / "lost"))
    refused(call("detect"), 1, "lost", "missing")
    (tmp_path / "junk").write_text("not a key\n")
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(tmp_path / "junk"))
    refused(call("detect"), 1, "holds no key")
    monkeypatch.delenv("INCONCERT_KEY_FILE")
    assert call("runs")[0] == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[detection]\nmargin_bit = 30\n", ["detection.margin_bit"]),
        ("[detection]\nmargin_bits = -1\n", ["detection.margin_bits"]),
        ("[detection]\nmargin_bits = 'much'\n", ["detection.margin_bits"]),
        ("stroe = 'x'\n", ["stroe"]),
        ("store = \n", ["not valid TOML"]),
        ("[detectoin]\n", ["detectoin"]),
    ],
)
def test_settings_that_are_misspelt(call, platform, tmp_path, text, words):
    (tmp_path / "inconcert.toml").write_text(text)
    refused(call("detect", "--no-save"), 1, "inconcert.toml", *words)


def test_settings_that_are_no_utf_8(call, platform, tmp_path):
    (tmp_path / "inconcert.toml").write_bytes('store = "café"'.encode("latin-1"))
    refused(call("detect", "--no-save"), 1, "inconcert.toml", "UTF-8")


def test_settings_that_are_right_are_used(call, platform_folder, tmp_path):
    store = platform_folder / "store"
    (tmp_path / "inconcert.toml").write_text(
        f"store = '{store}'\n[detection]\nmargin_bits = 5000\n"
    )
    code, out, _ = call("detect", "--no-save")
    assert code == 0
    assert out.startswith("No group was found")


def process(store, *words, **more):
    return subprocess.Popen(
        [INCONCERT, *words, "--store", str(store)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        **more,
    )


@pytest.mark.parametrize("stage", ["reading", "doubting"])
def test_ctrl_c_in_the_middle_of_a_detection(own_platform, stage):
    running = process(own_platform, "detect", "-v", "--permutations", "100000")
    for line in running.stderr:
        if stage in line:
            running.send_signal(signal.SIGINT)
            break
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.count("inconcert: Interrupted") == 1
    store = open_store(str(own_platform))
    assert len(store.runs()) == 1
    assert store.check().problems == []


def test_a_reader_that_stops_listening(platform):
    """`inconcert detect --format csv | head -1`"""
    running = process(platform, "detect", "--no-save", "--format", "csv")
    head = subprocess.run(["head", "-1"], stdin=running.stdout, capture_output=True, text=True)
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert head.stdout.startswith("group,line,")
    assert err == ""
    assert running.wait(timeout=60) in (0, 141)


def test_a_reader_that_never_listened(platform):
    running = process(platform, "store", "info")
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert err == ""
    assert running.wait(timeout=60) == 141
