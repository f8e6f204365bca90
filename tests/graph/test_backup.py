"""Back-up and restore: whatever a store tells, the restored one tells, on either home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from backup_helpers import add, all_told, assert_goes_on, make_history

from graph.backup import Backup, Record, key_for, restore, windows
from graph.backup_folder import MANIFEST, FolderBackup, write_backup
from graph.digest import new_key
from graph.errors import BusyError, DamagedError, UserError
from graph.store import RunRecord, Store, init_store, open_store

Place = Callable[[str], str]
HOMES = ("embedded", "neo4j")

DIES = """
import os, signal, sys
from pathlib import Path
from graph.backup import restore
from graph.backup_folder import FolderBackup

def tell(done, note):
    if done >= 100:
        os.kill(os.getpid(), signal.SIGKILL)

folder, key, url = sys.argv[1:]
restore(FolderBackup.open(Path(folder)), key, url, tell)
"""


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A URL for a new store of a home; the second on the server has a prefix."""
    given: list[str] = []

    def place(home: str) -> str:
        given.append(home)
        if home == "embedded":
            return str(tmp_path / f"store{len(given)}")
        url = str(request.getfixturevalue("neo4j_url"))
        return f"{url}?prefix=Other" if given.count("neo4j") > 1 else url

    return place


@pytest.fixture
def history(tmp_path: Path) -> Store:
    store = init_store(str(tmp_path / "history"))
    make_history(store)
    return store


@pytest.fixture
def folder(history: Store, tmp_path: Path) -> Path:
    """A back-up of the store with a history."""
    write_backup(history.backup(), tmp_path / "backup")
    return tmp_path / "backup"


@pytest.mark.examples
@pytest.mark.parametrize("source", HOMES)
def test_a_restored_store_tells_what_its_source_told(
    source: str, place: Place, tmp_path: Path
) -> None:
    """On each home; what takes time is to make the source and to ask it everything."""
    store = init_store(place(source), masked=True, holdings_rule="rolled", issuers=['is"suer', ""])
    make_history(store)
    write_backup(store.backup(), tmp_path / "backup")
    told = all_told(store)
    backup = FolderBackup.open(tmp_path / "backup")
    for target in HOMES:
        url = place(target)
        restore(backup, store.key, url)
        restored = open_store(url)
        assert all_told(restored) == told
        assert restored.check().problems == []
        assert restored.unfinished() == []
        assert_goes_on(restored, told, backup.record.next_batch, backup.record.next_ix)
        with pytest.raises(UserError, match="is a store already"):
            restore(backup, store.key, url)


@pytest.mark.parametrize("home", HOMES)
def test_a_backup_is_of_the_moment_it_was_asked_for(
    home: str, place: Place, tmp_path: Path
) -> None:
    store = init_store(place(home))
    first = add(store, "transfers", "one", ("ann", "bob"))
    add(store, "purchases", "two", ("ann", "cyd"))
    before = all_told(store)
    with store.loading("transfers", "meanwhile") as load:
        load.number(pl.Series(["new"]))
        taken = store.backup()
    add(store, "transfers", "later", ("ann", "dan"))
    store.withdraw(first.batch)
    if home == "embedded":
        store.compact()
    store.save_run(RunRecord("later", first.committed_at, {}))
    write_backup(taken, tmp_path / "backup")
    restored = restore(FolderBackup.open(tmp_path / "backup"), store.key, str(tmp_path / "again"))
    assert all_told(restored) == before


def test_rows_that_compaction_mixed_come_by_batch(tmp_path: Path) -> None:
    store = init_store(str(tmp_path / "store"))
    for number in range(5):
        add(store, "transfers", f"t{number}", ("ann", "bob"))
        add(store, "links", f"l{number}", ("ann", f"a{number}"))
    store.compact()
    backup = store.backup()
    for kind in ("transfers", "links"):
        batches = pl.concat(backup.facts(kind))["batch"]
        assert batches.is_sorted()
        assert batches.n_unique() == 5
    loads = backup.record.loads()
    assert [len(window) for window in windows(loads, rows=8)] == [2] * 5
    assert [len(window) for window in windows(loads, rows=1)] == [1] * 10
    assert [load for window in windows(loads, rows=13) for load in window] == loads


# -- what is refused ------------------------------------------------------------------------


def _damage_each(folder: Path) -> Iterator[Path]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole = path.read_bytes()
        if not whole:
            continue
        changed = bytearray(whole)
        changed[len(whole) // 2] ^= 1
        for damaged in (bytes(changed), whole[:-1], whole + b" x"):
            path.write_bytes(damaged)
            yield path
        path.unlink()
        yield path
        path.write_bytes(whole)


def test_every_damage_is_found_before_anything_is_restored(folder: Path) -> None:
    told = json.loads((folder / MANIFEST).read_text())
    assert len(told["files"]) == 3 + 1 + 7
    damages = 0
    for path in _damage_each(folder):
        damages += 1
        try:
            opened = FolderBackup.open(folder)
        except UserError:
            continue
        # a changed character of a time or a count that nothing else depends on
        assert path.name == MANIFEST
        assert opened.manifest.files
    full = [file for file in told["files"] if file["bytes"]]  # the review log is empty
    assert damages == 4 * (len(full) + 1)
    FolderBackup.open(folder)


@pytest.mark.parametrize(
    ("change", "error", "reason"),
    [
        ({"format": 3}, UserError, "of format 3; this version of inconcert knows"),
        ({"files": []}, DamagedError, "lacks record.json"),
        (
            {"files": [{"path": "../key", "rows": 1, "bytes": 65, "sha256": "0"}]},
            DamagedError,
            "outside",
        ),
        ({"files": None}, DamagedError, "is damaged"),
    ],
)
def test_a_manifest_that_is_not_to_be_trusted(
    folder: Path, change: dict[str, object], error: type[UserError], reason: str
) -> None:
    path = folder / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(error, match=reason):
        FolderBackup.open(folder)


def test_what_is_no_backup_and_another_stores_key(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no back-up at"):
        FolderBackup.open(tmp_path)
    properties = FolderBackup.open(folder).record.properties
    other = tmp_path / "other.key"
    other.write_text(new_key())
    with pytest.raises(UserError, match="is not the key of this back-up's store"):
        key_for(properties, other)
    with pytest.raises(UserError, match="does not have the store's key"):
        key_for(properties, None)


def test_a_backup_overwrites_nothing_and_is_whole_or_not_there(
    history: Store, tmp_path: Path
) -> None:
    class CutOff:
        """A back-up whose reading fails half-way."""

        def __init__(self, whole: Backup) -> None:
            self.record: Record = whole.record
            self.runs, self.log, self.accounts = whole.runs, whole.log, whole.accounts
            self._whole = whole

        def facts(self, kind: str) -> Iterator[pl.DataFrame]:
            if kind == "purchases":
                raise KeyboardInterrupt
            return self._whole.facts(kind)

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        write_backup(CutOff(history.backup()), tmp_path / "backup")
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "backup").mkdir()
    write_backup(history.backup(), tmp_path / "backup")
    inside = sorted((tmp_path / "backup").rglob("*"))
    with pytest.raises(UserError, match="nothing is overwritten"):
        write_backup(history.backup(), tmp_path / "backup")
    assert sorted((tmp_path / "backup").rglob("*")) == inside
    assert {path.stat().st_mode & 0o077 for path in inside if path.is_file()} == {0}


# -- restores that end badly ------------------------------------------------------------------


@pytest.mark.parametrize("home", HOMES)
def test_a_killed_restore_leaves_no_store_and_can_be_run_again(
    home: str, place: Place, history: Store, folder: Path, tmp_path: Path
) -> None:
    url = place(home)
    words = [sys.executable, "-c", DIES, str(folder), history.key, url]
    assert subprocess.run(words, env=dict(os.environ)).returncode == -signal.SIGKILL
    for attempt in (open_store, init_store):
        with pytest.raises(UserError, match="a restore that was not finished"):
            attempt(url)
    restored = restore(FolderBackup.open(folder), history.key, url)
    assert all_told(restored) == all_told(history)
    assert restored.check().problems == []


@pytest.mark.parametrize("home", HOMES)
def test_two_restores_at_once(home: str, place: Place, history: Store, folder: Path) -> None:
    url = place(home)
    backup = FolderBackup.open(folder)
    refused: list[str] = []

    def meanwhile(done: int, note: str) -> None:
        if not refused:
            with pytest.raises(BusyError, match="is restoring since"):
                restore(backup, history.key, url)
            refused.append(note)

    restored = restore(backup, history.key, url, meanwhile)
    assert refused
    assert restored.fact_counts() == history.fact_counts()


def test_what_is_in_the_way_of_a_restore(history: Store, folder: Path, tmp_path: Path) -> None:
    backup = FolderBackup.open(folder)
    place = tmp_path / "place"
    place.mkdir()
    (place / "letters").mkdir()
    with pytest.raises(UserError, match=r"holds something else \(letters\)"):
        restore(backup, history.key, str(place))
    assert sorted(place.iterdir()) == [place / "letters"]
    (place / "letters").rmdir()
    (place / "key").write_text(new_key())
    with pytest.raises(UserError, match="Another store's key is in"):
        restore(backup, history.key, str(place))
