"""`inconcert doctor`: what may be wrong, brought about for real, is named with advice."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from long_form import LONG
from town_files import write

from graph.store import is_server, open_store
from inconcert.settings import settings

Call = Callable[..., tuple[int, str, str]]
Ask = Callable[..., tuple[int, dict[str, list[dict[str, str]]]]]

IN_FACTS, IN_LEDGER = (12, 60) if LONG else (6, 15)
"""Bits that are flipped one after the other: the doctor looks at all of the store each time."""

HOMES = ["embedded", pytest.param("neo4j", marks=pytest.mark.long)]


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest, tmp_path: Path, call: Call, monkeypatch: Any) -> str:
    """A store with a few facts, which the environment names."""
    url = str(tmp_path / "store")
    if request.param == "neo4j":
        url = str(request.getfixturevalue("neo4j_url"))
    return filled(url, tmp_path, call, monkeypatch)


def filled(url: str, tmp_path: Path, call: Call, monkeypatch: Any) -> str:
    monkeypatch.setenv("INCONCERT_STORE", url)
    assert call("store", "init")[0] == 0
    rows = [(f"a{n % 50}", f"b{n % 41}", n, f"2026-05-0{n % 9 + 1}") for n in range(3000)]
    deals = write(tmp_path / "town.csv", ("src", "dst", "amount", "at"), *rows)
    assert call("load", "transfers", deals)[0] == 0
    return url


@pytest.fixture
def folder(tmp_path: Path, call: Call, monkeypatch: Any) -> Path:
    """The same in a folder."""
    return Path(filled(str(tmp_path / "store"), tmp_path, call, monkeypatch))


@pytest.fixture
def ask(call: Call) -> Ask:
    """Asks the doctor: the exit code, and what each check found."""

    def ask(*words: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
        settings.cache_clear()
        code, out, _ = call("doctor", "--format", "json", *words)
        return code, {one["check"]: one["findings"] for one in json.loads(out)["checks"]}

    return ask


def said(found: list[dict[str, str]], level: str) -> str:
    return " ".join(f"{one['text']} {one['hint'] or ''}" for one in found if one["level"] == level)


def test_a_sound_store_has_no_problem(home: str, ask: Ask, call: Call) -> None:
    for words in ((), ("--deep",)):
        code, found = ask(*words)
        assert code == 0, found
        assert [said(one, "problem") for one in found.values()] == [""] * len(found)
        assert all(found.values())
    assert "3,000 facts" in said(found["store"], "ok")
    assert "built-in policy" in said(found["policy"], "warning")
    assert "INCONCERT_NOW" in said(found["clock"], "warning")
    assert ("server" in said(found["clock"], "ok")) == is_server(home)
    code, out, _ = call("doctor")
    assert code == 0
    assert "No problems, " in out


def test_every_check_speaks_though_there_is_no_store(ask: Ask, monkeypatch: Any) -> None:
    monkeypatch.setenv("INCONCERT_STORE", "./nothing")
    code, found = ask()
    assert code == 1
    assert "no store at nothing" in said(found["store"], "problem").replace("./", "")
    assert {"store", "disk", "clock", "key", "policy", "versions", "settings"} <= set(found)
    assert "Python" in said(found["versions"], "ok")
    assert "free where the store is" in said(found["disk"], "ok")


def test_a_server_that_is_down(ask: Ask, monkeypatch: Any) -> None:
    monkeypatch.setenv("INCONCERT_STORE", "bolt://localhost:1")
    code, found = ask()
    assert code == 4
    assert "localhost:1" in said(found["store"], "problem")
    assert "Python" in said(found["versions"], "ok")


@pytest.mark.examples
def test_every_flip_in_a_file_of_facts_is_named_by_deep(folder: Path, ask: Ask) -> None:
    files = [*folder.glob("facts/*/*.parquet"), *folder.glob("accounts/*.parquet")]
    dice = random.Random(5)
    for _ in range(IN_FACTS):
        path = dice.choice(files)
        whole = path.read_bytes()
        changed = bytearray(whole)
        changed[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        code, found = ask("--deep")
        assert code == 1
        assert path.name in said(found["store"], "problem")
        path.write_bytes(whole)
    assert ask("--deep")[0] == 0


def test_a_file_that_is_cut_or_missing_is_named_at_once(folder: Path, ask: Ask) -> None:
    [path] = folder.glob("facts/transfers/*.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert path.name in said(ask()[1]["store"], "problem")
    path.unlink()
    code, found = ask()
    assert code == 1
    assert f"{path.name} is missing" in said(found["store"], "problem")
    assert "back-up" in said(found["store"], "problem")


def test_what_only_shows_says_that_a_file_may_be_damaged(folder: Path, call: Call) -> None:
    """It does not compare the files first; where a flipped bit makes nonsense, that is no bug."""
    [path] = folder.glob("facts/transfers/*.parquet")
    whole = path.read_bytes()
    schema = whole.index(b"ARROW:schema") + 60
    path.write_bytes(whole[:schema] + b"@" + whole[schema + 1 :])
    code, _, err = call("trace", "a1")
    assert (code, "store check" in err, len(err.splitlines())) == (1, True, 1), err
    path.write_bytes(whole)
    pl.read_parquet(path).with_columns(src=pl.lit(2**62, pl.Int64)).write_parquet(path)
    code, _, err = call("trace", "a1")
    assert (code, "store check" in err, len(err.splitlines())) == (1, True, 1), err


@pytest.mark.examples
def test_flips_in_the_ledger_are_named_or_change_nothing(folder: Path, ask: Ask) -> None:
    for _ in range(5):
        recorded(str(folder))
    path = folder / "ledger.sqlite"
    whole, dice = path.read_bytes(), random.Random(17)
    before = open_store(str(folder)).batches()
    named = 0
    for _ in range(IN_LEDGER):
        changed = bytearray(whole)
        changed[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        code, found = ask("--deep")
        assert all(found.values())
        named += code == 1
        if code == 0:
            assert open_store(str(folder)).batches() == before
    assert named


def test_the_key_its_mode_and_whose_it_is(
    folder: Path, ask: Ask, call: Call, tmp_path: Path
) -> None:
    key = folder / "key"
    key.chmod(0o644)
    code, found = ask()
    assert code == 1
    assert "mode 0644" in said(found["key"], "problem")
    assert f"chmod 600 {key}" in said(found["key"], "problem")
    key.chmod(0o440)
    assert "group" in said(ask()[1]["key"], "warning")
    key.chmod(0o600)
    assert call("store", "init", tmp_path / "other")[0] == 0
    own = key.read_text()
    key.write_text((tmp_path / "other" / "key").read_text())
    assert "is not the store's" in said(ask()[1]["key"], "problem")
    key.unlink()
    assert "not in" in said(ask()[1]["key"], "problem")
    key.write_text(own)
    key.chmod(0o600)
    assert ask()[0] == 0


def test_a_clock_that_was_set_back_and_facts_of_the_future(
    folder: Path, ask: Ask, call: Call, tmp_path: Path, monkeypatch: Any
) -> None:
    late = write(tmp_path / "late.csv", ("src", "dst", "amount", "at"), ("a", "b", 1, "2031-01-01"))
    today = os.environ["INCONCERT_NOW"]
    monkeypatch.setenv("INCONCERT_NOW", "2031-01-02T00:00:00Z")
    assert call("load", "transfers", late)[0] == 0
    monkeypatch.setenv("INCONCERT_NOW", today)
    assert "2031-01-01" in said(ask()[1]["clock"], "warning")
    recorded(str(folder))
    monkeypatch.setenv("INCONCERT_NOW", "2026-05-31T00:00:00Z")
    code, found = ask()
    assert code == 1
    assert "clock is behind the log" in said(found["clock"], "problem")


def recorded(url: str) -> None:
    from graph.log import Actor, Draft
    from review.log import project

    me = Actor("ann", "ann", "operator")
    open_store(url).log.write(lambda desk: desk.record(me, Draft("log", "seen")), project)


def test_the_last_events_of_the_log_are_recomputed(folder: Path, ask: Ask) -> None:
    for _ in range(3):
        recorded(str(folder))
    with sqlite3.connect(folder / "ledger.sqlite") as connection:
        connection.execute("UPDATE events SET user = 'eve' WHERE number = 2")
    connection.close()
    for words in ((), ("--deep",)):
        code, found = ask(*words)
        assert code == 1
        assert "Event 2" in said(found["queue"], "problem")


def test_a_view_that_is_no_json_any_more_is_told_in_a_sentence(
    folder: Path, ask: Ask, call: Call
) -> None:
    recorded(str(folder))
    with sqlite3.connect(folder / "ledger.sqlite") as connection:
        connection.execute("INSERT INTO views VALUES ('refresh', '000000001', '{\"a\": 1]')")
        connection.execute("INSERT INTO views VALUES ('refreshing', 'last', '{\"number\": 1}')")
    connection.close()
    for words in (("refresh", "list"), ("refresh", "--increment"), ("review", "verify")):
        code, _, err = call(*words)
        assert (code, "is no JSON" in err, "Traceback" in err) == (1, True, False), (words, err)
    assert "is no JSON" in str(ask("--deep")[1]["queue"])


def test_an_event_of_a_newer_version_is_told(home: str, ask: Ask) -> None:
    from graph.log import Actor, Draft

    me = Actor("ann", "ann", "operator")
    store = open_store(home)
    store.log.write(lambda desk: desk.record(me, Draft("moon", "risen")), lambda event, views: None)
    assert store.log.sorts() == ["moon/risen"]
    code, found = ask()
    assert code == 1
    assert "moon/risen" in said(found["versions"], "problem")


def test_settings_that_name_what_is_not_there(folder: Path, ask: Ask, tmp_path: Path) -> None:
    toml = tmp_path / "inconcert.toml"
    toml.write_text(
        '[refresh]\nlog = "logs"\n'
        '[review]\nwebhook = "https://platform.example/orders"\nwebhook_key_file = "hook.key"\n'
        '[review.roles]\nsenior = ["ann"]\n'
        '[[feed]]\nname = "deals"\nkind = "transfers"\nfolder = "nowhere"\n'
        '[[feed]]\nname = "roles"\nkind = "accounts"\ndatabase = "sqlite:///no.db"\ntable = "t"\n'
        '[[feed]]\nname = "buys"\nkind = "purchases"\ndatabase = "postgresql://ann@h/n"\n'
        'table = "t"\npassword_file = "no-password"\n'
    )
    (tmp_path / "logs").mkdir()
    code, found = ask()
    assert code == 1
    wrong = said(found["settings"], "problem")
    assert "no folder 'nowhere'" in wrong
    assert "Feed 'roles': there is no SQLite file 'no.db'" in wrong
    assert "Feed 'buys': the password file 'no-password' cannot be read" in wrong
    assert "logs is a folder, not a file" in wrong
    assert "hook.key cannot be read" in wrong
    assert "nobody is operator" in said(found["settings"], "warning")
    assert "no refresh of this store yet" in said(found["refresh"], "warning")
    toml.write_text("colour = 3\n")
    code, found = ask()
    assert code == 1
    assert "colour" in said(found["settings"], "problem")
    assert "3,000" not in said(found["store"], "problem")


def test_a_refresh_that_is_old_held_or_stopped(home: str, ask: Ask, monkeypatch: Any) -> None:
    from graph.log import Actor
    from review import refreshes
    from review.log import project

    me, store = Actor("ann", "ann", "operator"), open_store(home)

    def act(action: str, **facts: Any) -> None:
        def work(desk: Any) -> None:
            if action == "begun":
                refreshes.begin(desk, me, refreshes.NIGHTLY, facts)
            else:
                last = desk.get(refreshes.REFRESHING, refreshes.LAST)["number"]
                refreshes.record(desk, me, refreshes.refresh_of(desk.get, last), action, facts)

        store.log.write(work, project)

    act("begun", settings="x")
    assert "stands still" in said(ask()[1]["refresh"], "warning")
    with store.refreshing("refreshing (nightly)"):
        assert "is refreshing (nightly) since" in said(ask()[1]["refresh"], "ok")
    act("ended")
    code, found = ask()
    assert code == 0
    assert "went to its end" in said(found["refresh"], "ok")
    act("begun", settings="x")
    act("held", alarms=[{"alarm": "supply", "text": "The base is 9; it was 3.", "hint": "?"}])
    code, found = ask()
    assert code == 1
    assert "Refresh 2 is held" in said(found["refresh"], "problem")
    assert "refresh show 2" in said(found["refresh"], "problem")
    act("dropped", reason="wrong")
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-04T12:00:00Z")
    assert "3 days ago" in said(ask()[1]["refresh"], "problem")


def test_a_disk_that_is_nearly_full(folder: Path, tmp_path: Path) -> None:
    """On a real small file system, in a namespace of its own; the archive is on another one."""
    small, archive = tmp_path / "small", tmp_path / "archive"
    small.mkdir()
    archive.mkdir()
    (tmp_path / "inconcert.toml").write_text(f'[refresh]\narchive = "{archive}"\n')
    fill = (
        f"mount -t tmpfs -o size=9m tmpfs {archive} && "
        f"mount -t tmpfs -o size=8m tmpfs {small} && cp -a {folder} {small}/store && "
        f"head -c 4000000 /dev/zero > {small}/filler"
    )
    alone = ["unshare", "-rm", "sh", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*alone, fill]).returncode:
        pytest.skip("no file system of one's own can be mounted here")
    inconcert = f'{sys.executable} -c "from inconcert.cli import main; main()"'
    done = subprocess.run(
        [*alone, f"{fill} && {inconcert} doctor --store {small}/store"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "disk      PROBLEM" in done.stdout
    assert "of 8.0 MiB free where the store is" in done.stdout
    assert "9.0 MiB of 9.0 MiB free where the archive is" in done.stdout
    assert "Make room" in done.stdout
