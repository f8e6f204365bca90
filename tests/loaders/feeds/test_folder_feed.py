"""A folder that another system writes into: what is taken from it, when, and how often."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from load_helpers import facts

from graph.errors import DamagedError, UserError
from loaders.feeds import refuse_changed

HEAD = "src,dst,amount,id\n"
DROP = 'name = "drop"\nkind = "transfers"\nfolder = "{folder}"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "drop"
    place.mkdir()
    return place


def write(path: Path, *rows: str, age: float = 3600) -> Path:
    """A file that was last changed `age` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HEAD + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    aged(path, age)
    return path


def aged(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


def table(folder: Path, *more: str) -> str:
    return DROP.format(folder=folder) + "\n".join(more) + "\n"


def test_a_file_is_loaded_once(folder: Path, night: Callable[..., Any]) -> None:
    write(folder / "transfers-1.csv", "ann,ben,1,t1")
    night = night(table(folder))
    assert [result.counts.loaded for result in night()] == [1]
    assert night() == []
    write(folder / "transfers-2.csv", "ben,cleo,2,t2")
    assert [result.counts.loaded for result in night()] == [1]
    assert len(facts(night.store, "transfers")) == 2


def test_without_a_marker_a_file_waits_until_it_has_stood_still(
    folder: Path, night: Callable[..., Any]
) -> None:
    young = write(folder / "transfers.csv", "ann,ben,1,t1", age=5)
    night = night(table(folder, "settle = 60"))
    assert night.found() == []
    assert night.told == ["Feed 'drop': transfers.csv is left for later: it changed 5 s ago."]
    aged(young, 61)
    assert night.found() == [["transfers.csv"]]


def test_a_file_from_the_future_waits(folder: Path, night: Callable[..., Any]) -> None:
    write(folder / "transfers.csv", "ann,ben,1,t1", age=-500)
    night = night(table(folder))
    assert night.found() == []
    assert "ahead of this machine's clock" in night.told[0]


def test_a_marker_in_the_folder_completes_its_files(
    folder: Path, night: Callable[..., Any]
) -> None:
    write(folder / "1" / "transfers.csv", "ann,ben,1,t1", age=5)
    write(folder / "2" / "transfers.csv", "ann,ben,1,t2", age=5)
    (folder / "1" / "_SUCCESS").touch()
    night = night(table(folder, 'done = "_SUCCESS"'))
    (delivery,) = night.fetch()
    assert delivery.paths == (str(folder / "1" / "transfers.csv"),)
    assert night.told == ["Feed 'drop': 2/transfers.csv is left for later: there is no _SUCCESS."]


def test_a_marker_beside_each_file(folder: Path, night: Callable[..., Any]) -> None:
    write(folder / "transfers-1.csv", "ann,ben,1,t1", age=1)
    write(folder / "transfers-2.csv", "ann,ben,1,t2", age=1)
    (folder / "transfers-2.csv.done").touch()
    night = night(table(folder, 'done = "{name}.done"', 'pattern = "transfers*"'))
    assert night.found() == [["transfers-2.csv"]]


def test_a_marker_of_before_does_not_complete_a_file_that_is_written_anew(
    folder: Path, night: Callable[..., Any]
) -> None:
    path = write(folder / "transfers.csv", "ann,ben,1,t1")
    (folder / "done").touch()
    night = night(table(folder, 'done = "done"'))
    assert len(night()) == 1
    aged(folder / "done", 600)
    write(path, "ann,ben,1,t1", "ann,ben,2,t2", age=5)
    assert night() == []
    assert night.told[-1].endswith("it changed 5 s ago, after its marker.")
    aged(path, 90)
    assert [result.counts.loaded for result in night()] == [1]


def test_a_changed_file_comes_again_and_says_so(folder: Path, night: Callable[..., Any]) -> None:
    path = write(folder / "transfers.csv", "ann,ben,1,t1")
    night = night(table(folder))
    night()
    write(path, "ann,ben,1,t1", "ben,cleo,2,t2", age=1800)
    (result,) = night()
    assert (result.counts.known, result.counts.loaded) == (1, 1)
    assert [mark["files"][0]["changed"] for mark in night.marks] == [False, True]


def test_a_file_that_was_only_touched_does_not_come_again(
    folder: Path, night: Callable[..., Any]
) -> None:
    path = write(folder / "transfers.csv", "ann,ben,1,t1")
    night = night(table(folder))
    night()
    aged(path, 120)
    assert night() == []


def test_what_was_not_loaded_comes_again(folder: Path, night: Callable[..., Any]) -> None:
    write(folder / "transfers.csv", "ann,ben,1,t1")
    night = night(table(folder))
    assert night.found() == night.found() == [["transfers.csv"]]


def test_deliveries_come_oldest_first(folder: Path, night: Callable[..., Any]) -> None:
    write(folder / "transfers-a.csv", "ann,ben,1,t1", age=100)
    write(folder / "transfers-b.csv", "ann,ben,1,t2", age=300)
    write(folder / "transfers-c.csv", "ann,ben,1,t3", age=200)
    names = ["transfers-b.csv", "transfers-c.csv", "transfers-a.csv"]
    assert night(table(folder)).found() == [[name] for name in names]


def test_work_in_progress_other_kinds_and_other_formats_are_not_taken(
    folder: Path, night: Callable[..., Any]
) -> None:
    for name in (".transfers.csv.tmp", "_temporary/transfers.csv", "holdings.csv", "transfers.txt"):
        write(folder / name, "ann,ben,1,t1")
    night = night(table(folder))
    assert night.found() == []
    write(folder / "2026" / "05" / "transfers.csv", "ann,ben,1,t1")
    assert night.found() == [["transfers.csv"]]


def test_the_files_of_a_folder_are_one_batch(folder: Path, night: Callable[..., Any]) -> None:
    for day in ("05-01", "05-02"):
        for part in (1, 2):
            write(folder / day / f"transfers-{part}.csv", f"ann,ben,1,{day}-{part}")
    night = night(table(folder, 'batch = "folder"'))
    assert [len(delivery.paths) for delivery in night.fetch()] == [2, 2]
    assert [result.counts.loaded for result in night()] == [2, 2]
    young = write(folder / "05-02" / "transfers-3.csv", "ann,ben,1,05-02-3", age=1)
    assert night() == [], "a folder waits for its youngest file"
    aged(young, 100)
    (result,) = night()
    assert (result.counts.known, result.counts.loaded) == (2, 1)


def test_a_complete_list_in_parts_is_one_statement(folder: Path, night: Callable[..., Any]) -> None:
    for part, account in enumerate(("ann", "ben", "cleo")):
        path = folder / "05-01" / f"holdings-{part}.csv"
        write(path)
        path.write_text(f"account,balance,at\n{account},5,2026-05-01\n", encoding="utf-8")
        aged(path, 100)
    night = night(
        f'name = "drop"\nkind = "holdings"\nfolder = "{folder}"\n'
        'map = "amount=balance"\ncomplete = true\nbatch = "folder"\n'
    )
    (result,) = night()
    assert result.counts.loaded == 3
    assert len(result.complete_at) == 1


def test_a_damaged_file_is_refused_whole_and_taken_once_it_is_whole(
    folder: Path, night: Callable[..., Any]
) -> None:
    path = folder / "transfers.csv.gz"
    whole = gzip.compress((HEAD + "ann,ben,1,t1\n").encode())
    path.write_bytes(whole[:-9])
    aged(path, 100)
    night = night(table(folder))
    with pytest.raises(DamagedError):
        night()
    assert facts(night.store, "transfers") == []
    path.write_bytes(whole)
    aged(path, 90)
    assert [result.counts.loaded for result in night()] == [1]


def test_a_file_that_changed_after_it_was_found_is_not_loaded(
    folder: Path, night: Callable[..., Any]
) -> None:
    path = write(folder / "transfers.csv", "ann,ben,1,t1")
    night = night(table(folder))
    (delivery,) = night.fetch()
    refuse_changed(delivery)
    old = path.stat()
    path.write_text(HEAD + "ann,ben,2,t1\n", encoding="utf-8")
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))  # only its content tells
    with pytest.raises(UserError, match="changed since feed 'drop' found it"):
        night.load(delivery)
    assert facts(night.store, "transfers") == []
    path.unlink()
    with pytest.raises(UserError, match="changed since feed 'drop' found it"):
        refuse_changed(delivery)


def test_a_fetch_deletes_and_moves_nothing(folder: Path, night: Callable[..., Any]) -> None:
    write(folder / "transfers.csv", "ann,ben,1,t1")
    (folder / "done").touch()
    night = night(table(folder, 'done = "done"'))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    night()
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert not night.staging.exists()


def test_a_missing_folder_is_named(tmp_path: Path, night: Callable[..., Any]) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        night(table(tmp_path / "nowhere")).fetch()
