"""What is SQLite's own: cells of any type, times as texts, a file that others write."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from graph.errors import UserError

Nights = Callable[..., Any]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "platform.db"


def feed(database: Path, *more: str) -> str:
    return (
        f'name = "ledger"\nkind = "transfers"\ndatabase = "sqlite:///{database}"\n'
        'table = "ledger"\nmap = "id=id"\n' + "".join(f"{line}\n" for line in more)
    )


def filled(database: Path, columns: str, *rows: tuple[Any, ...]) -> None:
    with sqlite3.connect(database) as file:
        file.execute(f"CREATE TABLE IF NOT EXISTS ledger ({columns})")
        marks = ", ".join("?" * (columns.count(",") + 1 - columns.count("(")))
        file.executemany(f"INSERT INTO ledger VALUES ({marks})", rows)
    file.close()


def test_integers_and_reals_in_one_column(database: Path, night: Nights) -> None:
    """A DECIMAL column of SQLite holds 5 as an integer and 5.5 as a real; many of the one
    before the first of the other."""
    rows = [(f"t{n}", "ann", "ben", 5 if n < 70_000 else 0.1 + n) for n in range(70_002)]
    filled(database, "id, src, dst, amount NUMERIC", *rows)
    night = night(feed(database))
    (result,) = night()
    assert result.counts.loaded == len(rows)
    total = night.store.facts("transfers").collect()["amount"].sum()
    assert total == 5 * 70_000 + Decimal("70000.1") + Decimal("70001.1")


def test_the_least_number_and_an_overlap_below_it(database: Path, night: Nights) -> None:
    columns = "id, src, dst, n INTEGER"
    filled(database, columns, ("t1", "ann", "ben", -(2**63)))
    night = night(feed(database, 'watermark = "n"', "overlap = 5"))
    assert [result.counts.loaded for result in night()] == [1]
    assert night() == []
    filled(database, columns, ("t2", "ann", "ben", 3 - 2**63))
    assert [result.counts.loaded for result in night()] == [1]


def test_times_written_in_several_ways(database: Path, night: Nights) -> None:
    columns = "id, src, dst, updated_at"
    filled(database, columns, ("t1", "ann", "ben", "2026-05-01T23:30:00+02:00"))
    night = night(feed(database, 'watermark = "updated_at"', 'overlap = "1h"'))
    night()
    assert night.marks[-1]["watermark"]["value"] == "2026-05-01T21:30:00Z"
    # each lies in the overlap, though as a text most come before the T of the first
    filled(database, columns, ("t2", "ann", "ben", "2026-05-01 20:45"))
    filled(database, columns, ("t3", "ann", "ben", "2026-05-01 21:00:00.5Z"))
    filled(database, columns, ("t4", "ann", "ben", "2026-05-01 10:00:00-11:00"))
    filled(database, columns, ("old", "ann", "ben", "2026-05-01 20:29:59"))
    (delivery,) = night.fetch()
    assert delivery.rows == 4
    night()
    stored = night.store.facts("transfers").collect()["uid"].sort().to_list()
    assert stored == [f"transfers:t{n}" for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("strange", ["yesterday", "01/06/2026", 1780000000, 2.5, b"\x00", ""])
def test_a_watermark_of_another_sort_is_refused_by_name(
    database: Path, night: Nights, strange: Any
) -> None:
    columns = "id, src, dst, updated_at"
    filled(database, columns, ("t1", "ann", "ben", "2026-05-01 20:00:00"))
    night = night(feed(database, 'watermark = "updated_at"', 'overlap = "1h"'))
    night()
    filled(database, columns, ("t2", "ann", "ben", strange))
    with pytest.raises(UserError, match="1 row has no watermark: 'updated_at' is empty or not a"):
        night.fetch()


def test_a_misspelt_watermark_is_no_text(database: Path, night: Nights) -> None:
    filled(database, "id, src, dst, updated_at", ("t1", "ann", "ben", "2026-05-01"))
    with pytest.raises(UserError, match="no column 'updatd_at'"):
        night(feed(database, 'watermark = "updatd_at"', 'overlap = "1h"')).fetch()


def test_a_missing_file_is_not_made(database: Path, night: Nights) -> None:
    with pytest.raises(UserError, match="There is no SQLite file"):
        night(feed(database)).fetch()
    assert not database.exists()


def test_what_is_no_database(database: Path, night: Nights) -> None:
    database.write_bytes(b"id,src,dst\n" * 200)
    with pytest.raises(UserError, match="file is not a database"):
        night(feed(database)).fetch()


def test_an_open_transaction_of_the_platform_is_not_seen(database: Path, night: Nights) -> None:
    filled(database, "id, src, dst", ("t1", "ann", "ben"))
    night = night(feed(database))
    writer = sqlite3.connect(database)
    writer.execute("INSERT INTO ledger VALUES ('t2', 'ann', 'ben')")
    (delivery,) = night.fetch()
    assert delivery.rows == 1
    writer.commit()
    (delivery,) = night.fetch()
    assert delivery.rows == 2
    writer.close()


def test_a_complete_list_comes_again_only_when_it_changed(
    database: Path, night: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(database) as file:
        file.execute("CREATE TABLE balances (account, amount)")
        file.execute("INSERT INTO balances VALUES ('ann', 3), ('ben', 4.25)")
    text = (
        f'name = "b"\nkind = "holdings"\ndatabase = "sqlite:///{database}"\n'
        'table = "balances"\ncomplete = true\n'
    )
    night = night(text)
    (result,) = night()
    assert (result.counts.loaded, len(result.complete_at)) == (2, 1)
    assert night() == []
    file.execute("UPDATE balances SET amount = 5 WHERE account = 'ann'")
    file.commit()
    file.close()
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-02T12:00:00Z")
    (result,) = night()
    assert (result.counts.loaded, len(result.complete_at)) == (2, 1)
