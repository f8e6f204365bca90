"""`store backup|restore|export-bulk` and `load --bulk` as their user meets them."""

from __future__ import annotations

import json
import os
import resource
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from neo4j_servers import asked
from town_files import write

from graph.store import init_store, open_store
from inconcert.devserver import Server as DevServer
from inconcert.devserver.server import free_ports

Call = Callable[..., tuple[int, str, str]]


def test_back_up_and_restore(call: Call, platform: Path) -> None:
    code, out, err = call("store", "backup", "./copies/today")
    assert (code, err.count("\n")) == (0, 1)
    assert out.startswith("Backed up ")
    assert out.endswith(" 1 runs as of batch 5 to copies/today.\n")
    assert f"Keep a copy of {platform}/key apart" in err
    assert call("store", "backup", "./copies/today")[0] == 1
    code, _, err = call("store", "restore", "./copies/today", "--store", "./again")
    assert (code, err.count("\n")) == (1, 1)
    assert "--key FILE" in err
    words = ("store", "restore", "./copies/today", "--key", platform / "key")
    code, out, err = call(*words, "--store", "./again")
    assert code == 0
    assert out.endswith(" facts as of batch 5 to again.\n")
    assert err == "Its key is in again/key.\n"
    questions = (("groups", "--format", "json"), ("store", "info"), ("runs", "--format", "json"))
    for question in questions:
        here, there = call(*question), call(*question, "--store", "./again")
        assert here[0] == there[0] == 0
        if question[0] != "store":
            assert here[1] == there[1]
    assert call("store", "check", "--store", "./again")[0] == 0
    code, out, err = call(*words, "--store", "./again")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "again is a store already" in err


def test_a_backup_that_has_more_rows_than_facts_says_so(
    call: Call, platform: Path, own_platform: Path
) -> None:
    """Where some are superseded, `store check` counts fewer."""
    rows = [("src", "dst", "amount", "id"), ("a", "b", 1, "x"), ("b", "c", 2, "y")]
    assert call("load", "transfers", write(Path("t.csv"), *rows))[0] == 0
    assert "rows" not in call("store", "backup", "./plain")[1]
    rows[1] = ("a", "b", 5, "x")
    assert call("load", "transfers", write(Path("t.csv"), *rows), "--correct")[0] == 0
    checked = int(call("store", "check")[1].split()[4].replace(",", ""))
    code, out, _ = call("store", "backup", "./corrected")
    told = f"{checked + 1:,} rows of facts (superseded and withdrawn ones too)"
    assert (code, out.startswith(f"Backed up {told}, ")) == (0, True)
    words = ("store", "restore", "./corrected", "--key", own_platform / "key")
    assert call(*words, "--store", "./again")[1].startswith(f"Restored {told} as of batch ")


@pytest.mark.parametrize("command", [["store", "backup"], ["store", "export-bulk"]])
def test_a_folder_that_cannot_be_is_one_sentence(
    call: Call, platform: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    Path("file").write_text("mine")
    Path("full").mkdir()
    Path("full/file").write_text("mine")
    for place, words in (
        ("file", "is there already, and nothing is overwritten"),
        ("full", "is there already, and nothing is overwritten"),
        ("file/below", "cannot be made: Not a directory"),
        ("file/far/below", "cannot be made: Not a directory"),
        ("x" * 300, "cannot be made: File name too long"),
    ):
        code, out, err = call(*command, place)
        assert (code, out, err.count("\n")) == (1, "", 1), err
        assert err.startswith("inconcert: ")
        assert words in err
    assert not Path("data-home").exists()  # no key for what is not there
    Path("empty").mkdir()
    for place in ("empty", "new/deep"):
        assert call(*command, place)[0] == 0
    assert sorted(path.name for path in Path().iterdir() if path.name.startswith(".")) == []


def test_what_is_no_server_is_named(call: Call, platform: Path) -> None:
    for to in ("/tmp/files", "localhost:7687"):
        code, out, err = call("store", "export-bulk", "files", "--to", to)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert f"'{to}' is no server's URL" in err
        assert "neo4j://localhost:7687" in err
    assert not Path("files").exists()


def test_an_export_that_fails_leaves_nothing(
    call: Call, platform: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(platform / "key"))
    script = "from inconcert.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "store", "export-bulk", "./files"],
        preexec_fn=_tiny_files,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "files cannot be written: File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_damaged_backup_is_one_sentence(call: Call, platform: Path) -> None:
    call("store", "backup", "./copy")
    Path("copy/record.json").write_text("{}")
    words = ("store", "restore", "./copy", "--key", platform / "key", "--store", "./again")
    code, out, err = call(*words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "copy is damaged: record.json is not as it was written" in err
    assert not Path("again").exists()


def test_the_files_of_an_import_and_its_command(
    call: Call, platform: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    to = "neo4j://graph.example:7687?prefix=Team"
    code, out, err = call("store", "export-bulk", "./import files", "--to", to)
    assert code == 0
    assert out.startswith(
        "cd 'import files' && neo4j-admin database import full neo4j --overwrite-destination "
    )
    assert "--relationships=TeamTRANSFERRED=transfers-header.csv,transfers.csv" in out
    assert f"inconcert store init '{to}'" in err
    script = Path("import files/import.sh")
    assert os.access(script, os.X_OK)
    assert out.count("\n") == 1
    named = [word for word in out.split() if ".csv" in word]
    assert {path.name for path in Path("import files").glob("*.csv")} == {
        name for word in named for name in word.split("=")[-1].split(",")
    }
    [key] = (tmp_path / "data-home").rglob("key")
    assert key.read_text() == (platform / "key").read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    code, _, err = call("store", "export-bulk", "./import files")
    assert (code, err.count("\n")) == (1, 1)


def test_bulk_is_for_a_server(call: Call, platform: Path) -> None:
    write(Path("transfers.csv"), ("src", "dst"), ("a", "b"))
    code, out, err = call("load", "transfers", "transfers.csv", "--bulk")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "--bulk is for a first load into a Neo4j server" in err
    assert not Path("inconcert-bulk").exists()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two kinds to load."""
    write(tmp_path / "transfers.csv", ("src", "dst", "amount"), ("a", "b", "1.5"), ("b", "c", 2))
    write(tmp_path / "holdings.csv", ("account", "amount"), ("a", 10), ("d", 20))
    return tmp_path


def test_a_first_load_is_staged_and_imported(
    call: Call, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(files / "data-home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("NEO4J_HOME", raising=False)
    ports = free_ports()
    server = DevServer(files / "neo4j", next(ports), next(ports))
    server.configure({})
    monkeypatch.setenv("INCONCERT_STORE", server.url)
    code, out, err = call("load", "transfers", "transfers.csv", "--bulk")
    assert code == 0
    assert out.startswith("Batch 1: 2 transfers read")
    assert "holdings stated, ids as written" in err
    assert "Next: stop the server; as the user that it runs as, run inconcert-bulk/files/" in err
    monkeypatch.setenv("INCONCERT_NEO4J_ADMIN", str(server.admin_script(files / "neo4j-admin")))
    code, out, err = call("load", "holdings", "holdings.csv", "--bulk", "--format", "json")
    assert (code, json.loads(out)["batch"]) == (0, 2)
    assert f"Imported. Next: start the server, then `inconcert store init {server.url}`." in err
    server.start()
    with server:
        assert call("store", "info")[0] == 1
        assert call("store", "init", server.url)[0] == 0
        code, out, _ = call("store", "check")
        assert (code, out[:32]) == (0, "The store is sound: 4 facts, eac")
        again = call("load", "transfers", "transfers.csv", "--format", "json")
        assert (json.loads(again[1])["batch"], json.loads(again[1])["known"]) == (3, 2)
        code, _, err = call("load", "transfers", "transfers.csv", "--bulk")
        assert (code, "has facts already" in err) == (1, True)
    code, _, err = call("load", "transfers", "transfers.csv", "--bulk")
    assert code == 1
    assert "was imported" in err


def test_an_import_replaces_nothing_by_itself(
    call: Call, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """neo4j-admin refuses a database that is there; what it says is passed on."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    admin = tmp_path / "neo4j-admin"
    admin.write_text('#!/bin/sh\necho "$@" > words\necho "Database already exist." >&2\nexit 1\n')
    admin.chmod(0o755)
    monkeypatch.setenv("INCONCERT_NEO4J_ADMIN", str(admin))
    monkeypatch.setenv("INCONCERT_STORE", f"neo4j://127.0.0.1:{next(free_ports())}")
    code, _, err = call("load", "transfers", "transfers.csv", "--bulk")
    assert code == 1
    assert "neo4j-admin failed: Database already exist" in err
    assert "--overwrite-destination" not in Path("inconcert-bulk/files/words").read_text()
    assert "--overwrite-destination" in Path("inconcert-bulk/files/import.sh").read_text()


def test_a_stage_takes_over_the_empty_store_at_the_server(
    call: Call, files: Path, neo4j_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_STORE", neo4j_url)
    there = init_store(neo4j_url, masked=True, holdings_rule="replayed", issuers=["mint"])
    code, _, err = call("load", "transfers", "transfers.csv", "--bulk", "--bulk-folder", "./stage")
    assert code == 0
    assert "Next: stop the server" in err
    stage = open_store("stage/store")
    assert (stage.properties, stage.key) == (there.properties, there.key)
    assert "the key" not in err
    monkeypatch.setenv("INCONCERT_STORE", f"neo4j://127.0.0.1:{next(free_ports())}")
    code, _, err = call("load", "transfers", "transfers.csv", "--bulk", "--bulk-folder", "./stage")
    assert code == 1
    assert "stage is a stage for another store" in err
    monkeypatch.setenv("INCONCERT_STORE", neo4j_url)
    assert call("load", "holdings", "holdings.csv")[0] == 0
    code, _, err = call("load", "transfers", "transfers.csv", "--bulk", "--bulk-folder", "./stage")
    assert (code, err.count("\n")) == (1, 1)
    assert "has facts already" in err


def test_an_import_into_a_shared_database_is_refused(
    call: Call, files: Path, neo4j_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A prefix keeps a store apart from others; an import would replace them all."""
    asked(neo4j_url, "CREATE (:Invoice)-[:PAID_BY]->(:Customer)")
    url = f"{neo4j_url}?prefix=Our"
    monkeypatch.setenv("INCONCERT_STORE", url)
    for _ in ("no store there", "an empty one"):
        code, _, err = call("load", "transfers", "transfers.csv", "--bulk")
        assert (code, err.count("\n")) == (1, 1), err
        assert "holds other nodes too: Customer, Invoice" in err
        assert "without --bulk" in err
        assert not Path("inconcert-bulk").exists()
        call("store", "init", url)
    assert call("load", "transfers", "transfers.csv")[0] == 0


def _tiny_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))


def _small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))


def test_out_of_room_is_one_sentence_and_leaves_nothing_half_done(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_STORE", "./store")
    rows = [(secrets.token_hex(8), secrets.token_hex(8), place) for place in range(10_000)]
    write(tmp_path / "transfers.csv", ("src", "dst", "amount"), *rows)
    call("store", "init", "./store")
    assert call("load", "transfers", "transfers.csv")[0] == 0
    assert call("store", "backup", "./whole")[0] == 0
    restore = ("store", "restore", "./whole", "--key", "store/key", "--store", "./again")
    for words in (("store", "backup", "./copy"), restore):
        before = {path.name for path in tmp_path.iterdir()}
        done = subprocess.run(
            [sys.executable, "-c", "from inconcert.cli import main; main()", *words],
            preexec_fn=_small_files,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert "cannot be written: File too large" in done.stderr
        assert {path.name for path in tmp_path.iterdir()} - before <= {"again"}
    assert call("store", "check", "--store", "./again")[0] == 1
    assert call(*restore)[0] == 0
    assert call("store", "check", "--store", "./again")[0] == 0
