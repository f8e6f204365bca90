"""What is particular to the store in a folder: its files, its damage, its dead loaders."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from graph.embedded import EmbeddedStore
from graph.errors import BusyError, DamagedError, UserError
from graph.schema import KINDS
from graph.store import FORMAT, Batch, Counts, init_store, open_store

Loader = Callable[..., Any]


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore.init(str(tmp_path / "store"))


def _sql(store: EmbeddedStore, statement: str) -> None:
    with sqlite3.connect(store.folder / "ledger.sqlite") as connection:
        connection.execute(statement)
    connection.close()


def _files(store: EmbeddedStore, part: str = "facts/transfers") -> list[Path]:
    return sorted((store.folder / part).glob("*.parquet"))


# -- making and opening -----------------------------------------------------------------


def test_init_makes_a_secret_key_and_nothing_else_that_matters(store: EmbeddedStore) -> None:
    key = store.folder / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() == store.key
    assert {path.name for path in store.folder.iterdir()} == {"key", "ledger.sqlite"}
    assert store.key not in (store.folder / "ledger.sqlite").read_bytes().decode("latin-1")


def test_init_refuses_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds something else \(notes.txt\)"):
        init_store(str(tmp_path))
    with pytest.raises(UserError, match="is a file"):
        init_store(str(tmp_path / "notes.txt"))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_init_takes_an_empty_folder_and_finishes_an_interrupted_init(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("ab" * 32)
    (tmp_path / "ledger.sqlite.new").write_text("half")
    assert init_store(str(tmp_path)).key == "ab" * 32
    assert open_store(str(tmp_path)).check().problems == []


def test_the_key_can_live_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "secret"
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(place))
    made = init_store(str(tmp_path / "one"))
    assert place.read_text().strip() == made.key
    assert not (tmp_path / "one" / "key").exists()
    assert init_store(str(tmp_path / "two")).key == made.key
    assert open_store(str(tmp_path / "one")).key_place == str(place)
    monkeypatch.delenv("INCONCERT_KEY_FILE")
    opened = open_store(str(tmp_path / "one"))
    with pytest.raises(UserError, match="key is missing"):
        _ = opened.key


def test_a_key_file_in_no_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(tmp_path / "absent" / "key"))
    with pytest.raises(UserError, match="there is no folder"):
        init_store(str(tmp_path / "store"))
    monkeypatch.delenv("INCONCERT_KEY_FILE")
    init_store(str(tmp_path / "store"))


def test_a_folder_name_that_delta_would_misread_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="with '%' in its path"):
        init_store(str(tmp_path / "50%20"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "ü#?&'x", "a:b", "[a]*"])
def test_any_other_folder_name_will_do(
    tmp_path: Path, load_transfers: Loader, seen: Loader, name: str
) -> None:
    store = init_store(str(tmp_path / name))
    for n in range(2):
        load_transfers(store, (f"t{n}", "ann", "bob", "1"))
    store.compact()
    load_transfers(store, ("t2", "ann", "cyd", "1"))
    assert len(seen(open_store(store.url))) == 3
    assert store.check().problems == []


def test_another_stores_key_is_refused(
    store: EmbeddedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text("cd" * 32)
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(other))
    with pytest.raises(UserError, match="is not the key of the store"):
        open_store(store.url)


def test_what_is_no_store_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no store at") as error:
        open_store(str(tmp_path / "absent"))
    assert "inconcert store init" in str(error.value.hint)
    with pytest.raises(UserError, match="is no store"):
        open_store(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_newer_format_is_refused(store: EmbeddedStore) -> None:
    _sql(store, f"UPDATE properties SET value = '{FORMAT + 1}' WHERE name = 'format'")
    with pytest.raises(UserError, match=f"is a store of format {FORMAT + 1}"):
        open_store(store.url)


@pytest.mark.parametrize("content", [b"", b"no database at all, just text" * 50])
def test_a_ledger_that_is_none_is_named(store: EmbeddedStore, content: bytes) -> None:
    (store.folder / "ledger.sqlite").write_bytes(content)
    with pytest.raises(DamagedError, match=r"ledger\.sqlite is damaged"):
        open_store(store.url)


def test_opening_is_quick_and_loads_no_frames(store: EmbeddedStore) -> None:
    script = (
        "import sys, time; from graph.store import open_store; begun = time.perf_counter();"
        f"store = open_store({store.url!r}); store.batches(); store.fact_counts();"
        "print(time.perf_counter() - begun, 'polars' in sys.modules, 'deltalake' in sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert float(out[0]) < 0.5
    assert out[1:] == ["False", "False"]


def test_reading_changes_no_file(
    store: EmbeddedStore, load_transfers: Loader, seen: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))

    def files() -> dict[str, tuple[int, int]]:
        # SQLite's shared memory (-shm) is how readers and writers do not wait
        found = [path for path in store.folder.rglob("*[!m]") if path.is_file()]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found}

    before = files()
    again = open_store(store.url)
    seen(again)
    again.check()
    again.batches()
    again.sizes()
    assert files() == before


@pytest.mark.parametrize("with_log", [True, False])
def test_a_store_that_nobody_can_write_is_read(load_transfers: Loader, with_log: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:  # one that others may enter
        Path(folder).chmod(0o755)
        store = EmbeddedStore.init(f"{folder}/store")
        load_transfers(store, ("t1", "ann", "bob", "1"))
        if not with_log:  # as after a copy or an orderly end of all writers
            _sql(store, "PRAGMA wal_checkpoint(TRUNCATE)")
            for path in store.folder.glob("ledger.sqlite-*"):
                path.unlink()
        for path in [store.folder, *store.folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        assert _exit_code_without_rights(lambda: _reads_one_fact(store.url)) == 0
        for path in [store.folder, *store.folder.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)


def _reads_one_fact(url: str) -> bool:
    store = open_store(url)
    return store.fact_counts() == {"transfers": 1} and len(store.batches()) == 1


def _exit_code_without_rights(succeeds: Callable[[], bool]) -> int:
    """Runs it in a child that is not root, which no file mode would stop."""
    child = os.fork()
    if child == 0:
        try:
            if os.getuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            os._exit(0 if succeeds() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


# -- reading only what is needed --------------------------------------------------------


def test_columns_and_conditions_reach_the_files(
    store: EmbeddedStore, load_transfers: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    load_transfers(store, ("t1", "ann", "bob", "2"), revision=2)
    plan = store.facts("transfers").select("amount", "at").filter(pl.col("amount") > 1).explain()
    assert "PROJECT 4/9 COLUMNS" in plan  # the two, and what tells revisions apart
    assert 'SELECTION: col("amount") > 1' in plan
    plan = store.facts("transfers", known_at=1).select("amount").explain()
    assert "PROJECT 1/9 COLUMNS" in plan
    assert "JOIN" not in plan
    assert "FILTER" not in plan


def test_files_of_hidden_batches_are_not_opened(
    store: EmbeddedStore, load_transfers: Loader, seen: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    load_transfers(store, ("t2", "ann", "bob", "1"))
    store.withdraw(1)
    _files(store)[0].unlink()
    assert {row[0] for row in seen(store)} == {"t2"}


def test_a_reader_between_ledger_and_table_sees_no_later_load(
    store: EmbeddedStore, load_transfers: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    visible = store.ledger.visible("transfers")
    load_transfers(store, ("t2", "ann", "bob", "1"))
    assert store.table("transfers").scan(visible).select("uid").collect().item() == "t1"
    store.compact()
    assert store.table("transfers").scan(visible).select("uid").collect().item() == "t1"


def test_small_appends_share_a_file_and_large_ones_are_split(
    store: EmbeddedStore, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.embedded.tables.ROWS_PER_FILE", 5)
    with store.loading("transfers", "test") as load:
        for n in range(12):
            write_transfers(load, [(f"t{n}", "ann", "bob", "1")])
        load.commit(Counts(read=12, loaded=12))
    assert [file.rows for file in store.table("transfers").files()] == [5, 5, 2]
    assert store.check().facts == {"transfers": 12}


def test_delta_readers_get_the_rows_and_the_statistics(
    store: EmbeddedStore, load_transfers: Loader
) -> None:
    for n in range(3):
        load_transfers(store, (f"t{n}", "ann", "bob", "1"))
    rows = pl.scan_delta(store.folder / "facts" / "transfers")
    assert rows.collect().height == 3
    assert rows.filter(pl.col("batch") == 2).select("uid").collect().item() == "t1"
    with sqlite3.connect(store.folder / "ledger.sqlite") as connection:
        store.withdraw(2)
        visible = connection.execute("SELECT batch FROM visible_batches").fetchall()
    connection.close()
    assert visible == [(1,), (3,)]


# -- dead loaders -----------------------------------------------------------------------


DIES = """
import os, sys
import polars as pl
from graph.embedded.load import EmbeddedLoad
from graph.embedded.ledger import Ledger
from graph.schema import KINDS
from graph.store import Counts, open_store
from pathlib import Path

url, place = sys.argv[1:]
last_breath = lambda *_, **__: os._exit(9)
store = open_store(url)
with store.loading("transfers", "test") as load:
    Path(store.quarantine_path(load.batch)).write_text("{}")
    row = dict.fromkeys(KINDS["transfers"].stored) | {"uid": "t2", "revision": 1}
    row |= dict(zip(("src", "dst"), load.number(pl.Series(["ann", "cyd"]))), amount=1)
    load.append("transfers", pl.DataFrame([row], schema=KINDS["transfers"].stored))
    if place == "before any file":
        load._accounts.finish = last_breath
    elif place == "between the tables":
        load._facts.finish = last_breath
    elif place == "before the ledger":
        Ledger.commit = last_breath
    load.commit(Counts(read=1, loaded=1))
    os._exit(9)
"""
PLACES = ["before any file", "between the tables", "before the ledger"]


def _die(store: EmbeddedStore, place: str) -> None:
    """A loader of t2 (ann to cyd) that dies at a certain place."""
    command = [sys.executable, "-c", DIES, store.url, place]
    assert subprocess.run(command, check=False).returncode == 9


@pytest.mark.parametrize("place", PLACES)
def test_what_a_dead_loader_left_is_not_seen_and_the_next_clears_it(
    store: EmbeddedStore, load_transfers: Loader, seen: Loader, place: str
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    _die(store, place)
    assert {row[0] for row in seen(store)} == {"t1"}
    assert set(store.accounts().collect()["account"]) == {"ann", "bob"}
    report = store.check()
    assert report.problems == []
    assert len(report.notes) == 1
    assert "Load 2 is not committed" in report.notes[0]
    reader = store.facts("transfers")
    load_transfers(store, ("t2", "ann", "cyd", "1"))
    assert pl.scan_delta(store.folder / "facts" / "transfers").collect().height == 2
    assert pl.scan_delta(store.folder / "accounts").collect().height == 3
    assert reader.collect().height == 1
    assert {row[0] for row in seen(store)} == {"t1", "t2"}
    assert not Path(store.quarantine_path(2)).exists()
    assert store.check().notes == []


def test_a_loader_that_died_after_the_ledger_is_done(
    store: EmbeddedStore, load_transfers: Loader, seen: Loader
) -> None:
    _die(store, "after the ledger")
    load_transfers(store, ("t1", "ann", "bob", "1"))
    assert {row[0] for row in seen(store)} == {"t1", "t2"}
    assert store.check().problems == []


def test_files_cut_off_in_mid_writing_are_removed(
    store: EmbeddedStore, load_transfers: Loader
) -> None:
    _die(store, "before any file")
    stray = store.folder / "facts" / "transfers" / "batch-0000000001-000007.parquet"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"cut off in mid-wri")
    load_transfers(store, ("t1", "ann", "bob", "1"))
    assert not stray.exists()


def test_a_load_that_fails_cleans_up_after_itself(
    store: EmbeddedStore, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.embedded.tables.ROWS_PER_FILE", 1)
    with store.loading("transfers", "test") as load:
        write_transfers(load, [("t1", "ann", "bob", "1")])
        assert len(_files(store)) == 1
    assert _files(store) == []
    assert store.unfinished() == []


def test_a_loader_that_died_making_the_table_leaves_a_store_that_works(
    store: EmbeddedStore, load_transfers: Loader, seen: Loader
) -> None:
    log = store.folder / "facts" / "transfers" / "_delta_log"
    log.mkdir(parents=True)
    assert seen(store) == set()
    load_transfers(store, ("t1", "ann", "bob", "1"))
    assert len(seen(store)) == 1


def test_the_lock_dies_with_its_holder(store: EmbeddedStore, load_transfers: Loader) -> None:
    script = (
        "import os; from graph.store import open_store\n"
        f"with open_store({store.url!r}).loading('transfers', 'x'): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 9
    assert json.loads((store.folder / "loader.lock").read_text())["doing"] == "loading transfers"
    load_transfers(store, ("t1", "ann", "bob", "1"))


# -- damage -----------------------------------------------------------------------------


@pytest.fixture
def loaded(store: EmbeddedStore, load_transfers: Loader) -> EmbeddedStore:
    load_transfers(store, *((f"t{n}", f"a{n}", "bob", "1") for n in range(200)))
    return store


def test_check_names_a_cut_file(loaded: EmbeddedStore) -> None:
    file = _files(loaded)[0]
    file.write_bytes(file.read_bytes()[:-10])
    problems = loaded.check().problems
    assert len(problems) == 1
    assert file.name in problems[0]
    assert "damaged" in problems[0]


def test_check_names_a_file_with_spoilt_bytes(loaded: EmbeddedStore) -> None:
    file = _files(loaded)[0]
    content = bytearray(file.read_bytes())
    content[4:60] = bytes(56)
    file.write_bytes(content)
    assert any(file.name in problem for problem in loaded.check().problems)


@pytest.mark.parametrize("part", ["facts/transfers", "accounts"])
def test_check_names_a_missing_file_and_a_missing_table(loaded: EmbeddedStore, part: str) -> None:
    file = _files(loaded, part)[0]
    file.unlink()
    assert [p for p in loaded.check().problems if f"{file} is missing" in p]
    shutil.rmtree(loaded.folder / part)
    assert loaded.check().problems


def test_check_counts_each_batch(loaded: EmbeddedStore) -> None:
    _sql(loaded, "DROP TABLE seals")  # a ledger of before there were digests of its rows
    _sql(loaded, "UPDATE batches SET loaded = 199")
    assert loaded.check().problems == ["Batch 1 has 200 transfers where its record says 199."]


def test_check_finds_a_damaged_ledger(loaded: EmbeddedStore) -> None:
    _sql(loaded, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = loaded.folder / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    with sqlite3.connect(path) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_batches_1'"
        ).fetchone()[0]
    connection.close()
    content[(page - 1) * 4096 : (page - 1) * 4096 + 100] = bytes(100)
    path.write_bytes(content)
    problems = open_store(loaded.url).check().problems
    assert len(problems) == 1
    assert "ledger.sqlite is damaged" in problems[0]


def _insert(store: EmbeddedStore, uid: str, **values: Any) -> Batch:
    with store.loading("transfers", "test") as load:
        row = {**dict.fromkeys(KINDS["transfers"].stored), "uid": uid, "revision": 1, **values}
        load.append("transfers", pl.DataFrame([row], schema=KINDS["transfers"].stored))
        return load.commit(Counts(read=1, loaded=1))


def test_check_finds_what_no_loader_should_write(loaded: EmbeddedStore) -> None:
    one = {"src": 0, "dst": 1, "amount": Decimal(1)}
    _insert(loaded, "t0", **one)
    _insert(loaded, "negative", **{**one, "amount": Decimal(-1)})
    _insert(loaded, "lost", **{**one, "src": 12345})
    _insert(loaded, "nobody", **{**one, "dst": None})
    assert loaded.check().problems == [
        "1 transfers have the same uid and revision.",
        "1 transfers have a negative amount.",
        "1 transfers have a src that is no numbered account.",
        "1 transfers have a dst that is no numbered account.",
    ]


def test_withdrawn_facts_are_checked_too(loaded: EmbeddedStore) -> None:
    loaded.withdraw(1)
    assert loaded.check().facts == {"transfers": 0}
    _files(loaded)[0].unlink()
    assert loaded.check().problems


def test_sizes_tell_the_parts(loaded: EmbeddedStore) -> None:
    sizes = loaded.sizes()
    assert set(sizes) == {"facts/transfers", "accounts", "ledger", "quarantine"}
    assert sizes["facts/transfers"] > sizes["quarantine"] == 0


def test_times_survive_as_delta_statistics(store: EmbeddedStore, load_transfers: Loader) -> None:
    late = datetime(2026, 3, 1, 0, 0, 0, 999999, tzinfo=UTC)
    load_transfers(store, ("t1", "ann", "bob", "1"), at=late)
    rows = pl.scan_delta(store.folder / "facts" / "transfers")
    assert rows.filter(pl.col("at") >= late).collect().height == 1
    assert rows.filter(pl.col("at") > late).collect().height == 0


# -- compaction -------------------------------------------------------------------------


def test_compaction_changes_no_content_and_hurts_no_reader(
    store: EmbeddedStore, load_transfers: Loader, seen: Loader
) -> None:
    for n in range(4):
        load_transfers(store, (f"t{n}", f"a{n}", "bob", f"{n + 1}"))
    load_transfers(store, ("t1", "a1", "bob", "50"), revision=2)
    store.withdraw(3)
    pasts = {number: seen(store, number) for number in range(7)}
    begun_before = store.facts("transfers")
    files = store.compact()
    assert files["transfers"] == (5, 1)
    assert {number: seen(store, number) for number in range(7)} == pasts
    assert begun_before.collect().height == 3
    assert store.check().problems == []
    load_transfers(store, ("t9", "a1", "new", "9"))
    assert len(seen(store)) == 4
    assert store.compact()["transfers"] == (2, 1)
    assert len(seen(store)) == 4


def test_compaction_waits_for_no_loader(store: EmbeddedStore) -> None:
    with (
        store.loading("transfers", "test"),
        pytest.raises(BusyError, match="is loading transfers since"),
    ):
        store.compact()
