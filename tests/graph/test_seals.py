"""Damage that reading does not find: every flipped bit is named, or changes nothing."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from faults_table import Survived, note
from long_form import LONG

from graph.embedded import EmbeddedStore
from graph.errors import DamagedError, InconcertError
from graph.log import Actor, Draft
from graph.store import RunRecord, init_store, open_store

ROWS = [
    (f"u{number}", f"a{number % 40}", f"b{number % 30}", f"{number}.5") for number in range(3000)
]
ME = Actor("ann", "ann", "operator")

IN_FACTS, IN_LEDGER = (40, 250) if LONG else (12, 60)
"""Bits that are flipped, each in a store of its own."""


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, write_transfers: Callable[..., int]) -> Path:
    """A store with facts, a supply, a run and a log."""
    from graph.clock import now
    from graph.store import Counts

    folder = tmp_path_factory.mktemp("town") / "store"
    store = init_store(str(folder))
    for part in (ROWS[:2000], ROWS[2000:]):
        with store.loading("transfers", "test") as load:
            count = write_transfers(load, part)
            load.commit(Counts(read=count, loaded=count))
    store.set_supply(Decimal(1000), now())
    store.save_run(RunRecord("r1", now(), {"groups": [], "text": "x" * 3000}, {"a": 1}))
    store.log.write(
        lambda desk: desk.record(ME, *(Draft("log", "seen", {"n": n}, "w") for n in range(20))),
        lambda event, views: None,
    )
    return folder


@pytest.fixture
def own(town: Path, tmp_path: Path) -> Path:
    """A copy, to damage."""
    return Path(shutil.copytree(town, tmp_path / "store"))


def flip(path: Path, place: int, bit: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1 << bit
    path.write_bytes(raw)


def data_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("facts/*/*.parquet"), *folder.glob("accounts/*.parquet")])


@pytest.mark.faults
def test_any_flipped_bit_of_any_file_of_facts_is_named(
    town: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dice = random.Random(7)
    for number in range(IN_FACTS):
        folder = Path(shutil.copytree(town, tmp_path / str(number)))
        path = dice.choice(data_files(folder))
        flip(path, dice.randrange(path.stat().st_size), dice.randrange(8))
        [problem] = open_store(str(folder)).check().problems
        assert str(path) in problem
        assert "damaged" in problem
        with pytest.raises(DamagedError, match=path.name):
            open_store(str(folder)).refuse_damaged()
        shutil.rmtree(folder)
    happened = "doctor --deep names the file, detection and refresh refuse it"
    note(request, "a bit that flips in a file of facts", IN_FACTS, Survived(happened))


def known(store: Any) -> Any:
    """All that a store says, log and runs included."""
    return (
        store.properties,
        store.batches(),
        store.supplies(),
        [store.run(run.id) for run in store.runs()],
        store.facts("transfers").sort("uid").collect().rows(),
        store.log.head(),
    )


@pytest.mark.faults
def test_any_flipped_bit_of_the_ledger_is_named_or_changes_nothing(
    town: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The log is not told by this: its chain is, see `review verify`."""
    whole, dice = known(open_store(str(town))), random.Random(11)
    named = 0
    size = (town / "ledger.sqlite").stat().st_size
    for number in range(IN_LEDGER):
        folder = Path(shutil.copytree(town, tmp_path / str(number)))
        flip(folder / "ledger.sqlite", dice.randrange(size), dice.randrange(8))
        try:
            store = open_store(str(folder))
            problems = store.check().problems
        except InconcertError:
            problems = ["it does not open"]
        named += bool(problems)
        if not problems:
            assert known(store)[:5] == whole[:5]
        shutil.rmtree(folder)
    assert named > IN_LEDGER // 12
    happened = "it is named, or changes nothing that is known"
    note(request, "a bit that flips in the SQLite file", IN_LEDGER, Survived(happened))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE batches SET user = 'eve' WHERE batch = 1",
        "UPDATE batches SET source = 'other' WHERE batch = 2",
        "UPDATE supplies SET amount = '2000'",
        "UPDATE runs SET result = replace(result, 'xxx', 'yyy')",
        "UPDATE properties SET value = '0' WHERE name = 'next_ix'",
        "DELETE FROM supplies",
        "UPDATE seals SET sha256 = 'x' WHERE name = 'batches/1'",
        "UPDATE seals SET name = 'batchet/1' WHERE name = 'batches/1'",
    ],
)
def test_a_row_that_was_changed_from_outside_is_named(own: Path, change: str) -> None:
    with sqlite3.connect(own / "ledger.sqlite") as connection:
        assert connection.execute(change).rowcount
    connection.close()
    try:
        problems = open_store(str(own)).check().problems
    except DamagedError as error:
        problems = [error.sentence]
    assert "ledger.sqlite is damaged: the row" in problems[0]


def test_a_file_that_is_missing_cut_or_no_longer_listed_is_seen_at_a_glance(own: Path) -> None:
    first, *_ = own.glob("facts/transfers/*.parquet")
    whole = first.read_bytes()
    first.write_bytes(whole[:-1])
    assert "damaged" in open_store(str(own)).glance().problems[0]
    first.unlink()
    assert "missing" in open_store(str(own)).glance().problems[0]
    first.write_bytes(whole)
    assert not open_store(str(own)).glance().problems
    log = sorted(own.glob("facts/transfers/_delta_log/*.json"))[-1]
    log.unlink()
    [problem] = open_store(str(own)).glance().problems
    assert "does not list" in problem
    for use in (EmbeddedStore.refuse_damaged, EmbeddedStore.compact):
        with pytest.raises(DamagedError, match="does not list"):  # else its facts are just gone
            use(open_store(str(own)))  # type: ignore[arg-type]


def test_what_compaction_and_restore_write_is_sealed(own: Path, tmp_path: Path) -> None:
    from graph.backup import restore
    from graph.backup_folder import FolderBackup, write_backup

    store = open_store(str(own))
    assert store.compact()["transfers"] == (2, 1)
    assert store.check().notes == []
    write_backup(store.backup(), tmp_path / "backup", lambda *_: None)
    taken = FolderBackup.open(tmp_path / "backup", lambda *_: None)
    again = restore(taken, store.key, str(tmp_path / "again"), lambda *_: None, lambda *_: None)
    for one in (own, tmp_path / "again"):
        assert open_store(str(one)).check().problems == []
        path = next(file for file in data_files(one) if "facts" in str(file) and listed(one, file))
        flip(path, path.stat().st_size // 2, 3)
        assert str(path) in open_store(str(one)).check().problems[0]
    assert again.check().problems


def listed(folder: Path, file: Path) -> bool:
    store = open_store(str(folder))
    assert isinstance(store, EmbeddedStore)
    return any(one.path == file for table in store.tables().values() for one in table.files())


def test_compaction_does_not_take_over_damage(own: Path) -> None:
    path = next(iter(own.glob("facts/transfers/*.parquet")))
    flip(path, path.stat().st_size // 2, 0)
    with pytest.raises(DamagedError, match=path.name):
        open_store(str(own)).compact()
    assert path.name in open_store(str(own)).check().problems[0]


def test_a_store_of_before_is_sealed_by_its_next_write_and_by_compaction(
    own: Path, load_transfers: Callable[..., Any]
) -> None:
    with sqlite3.connect(own / "ledger.sqlite") as connection:
        connection.execute("DROP TABLE seals")
    connection.close()
    store = open_store(str(own))
    report = store.check()
    assert report.problems == []
    assert "3 files have no digest" in report.notes[0]
    load_transfers(store, ("new", "a", "b", "1"))
    with sqlite3.connect(own / "ledger.sqlite") as connection:
        connection.execute("UPDATE batches SET user = 'eve' WHERE batch = 1")
    connection.close()
    assert "the row batches/1" in store.check().problems[0]
    with sqlite3.connect(own / "ledger.sqlite") as connection:
        connection.execute("DROP TABLE seals")
    connection.close()
    store.compact()
    assert (store.check().problems, store.check().notes) == ([], [])


def test_most_flips_are_not_found_by_reading(town: Path) -> None:
    """Why there are digests."""
    path = max(data_files(town), key=lambda file: file.stat().st_size)
    raw, dice, silent = path.read_bytes(), random.Random(3), 0
    whole = pl.read_parquet(raw)
    for _ in range(40):
        changed = bytearray(raw)
        changed[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        try:
            silent += not pl.read_parquet(bytes(changed)).equals(whole)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            continue
    assert silent > 10
