"""A table that grows: every row comes once into the store, whenever it was committed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from graph.errors import UserError

SINCE = ('watermark = "updated_at"', 'overlap = "1h"')
Nights = Callable[..., Any]


def ids(store: Any) -> list[str]:
    return sorted(store.facts("transfers").collect()["uid"].to_list())


def named(*names: str) -> list[str]:
    return sorted(f"transfers:{name}" for name in names)


def test_the_first_fetch_takes_all_and_the_next_what_is_new(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 08:00:00Z")
    platform.put("t2", "2026-05-02 08:00:00Z")
    night = night(platform.feed(*SINCE))
    (delivery,) = night.fetch()
    assert delivery.rows == 2
    assert delivery.mark["watermark"] == {"unit": "time", "value": "2026-05-02T08:00:00Z"}
    assert [result.counts.loaded for result in night()] == [2]
    assert night() == []
    assert night.told[-1] == "Feed 'ledger': there is nothing new."
    platform.put("t3", "2026-05-03 08:00:00Z")
    (delivery,) = night.fetch()
    assert delivery.rows == 2, "t2 lies in the overlap, t1 before it"
    (result,) = night()
    assert (result.counts.loaded, result.counts.known) == (1, 1)
    assert ids(night.store) == named("t1", "t2", "t3")


def test_a_row_committed_late_is_found_by_the_overlap_and_none_is_doubled(
    platform: Any, night: Nights
) -> None:
    platform.create()
    platform.put("seen", "2026-05-01 10:03:00Z")
    night = night(platform.feed(*SINCE))
    night()
    platform.put("late", "2026-05-01 09:10:00Z")
    (result,) = night()
    assert (result.counts.loaded, result.counts.known) == (1, 1)
    assert ids(night.store) == named("seen", "late")


def test_a_row_later_than_the_overlap_is_not_found(platform: Any, night: Nights) -> None:
    """What the overlap is for, and why it has to be longer than any transaction."""
    platform.create()
    platform.put("seen", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    night()
    platform.put("too late", "2026-05-01 08:59:59Z")
    platform.put("in time", "2026-05-01 09:00:00Z")
    night()
    assert ids(night.store) == named("seen", "in time")


def test_rows_with_the_last_watermark_are_found_even_without_overlap(
    platform: Any, night: Nights
) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed('watermark = "updated_at"', 'overlap = "0s"'))
    night()
    platform.put("t2", "2026-05-01 10:00:00Z")
    night()
    assert ids(night.store) == named("t1", "t2")


def test_a_changed_row_is_a_conflict_and_with_correct_a_revision(
    platform: Any, night: Nights
) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    plain = night(platform.feed(*SINCE))
    plain()
    platform.execute("UPDATE ledger SET amount = '2', updated_at = '2026-05-01 11:00:00Z'")
    (result,) = plain()
    assert result.counts.conflicts == 1


@pytest.mark.parametrize("night_after", [False, True])
def test_a_row_without_a_watermark_is_refused_by_name(
    platform: Any, night: Nights, night_after: bool
) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    if night_after:
        night()
    platform.put("t2", None)
    with pytest.raises(UserError, match=r"Feed 'ledger': 1 row has no watermark: 'updated_at'"):
        night.fetch()
    assert list(night.staging.glob(".*")) == []
    platform.execute("UPDATE ledger SET updated_at = '2026-05-02 10:00:00Z' WHERE id = 't2'")
    night()
    assert ids(night.store) == named("t1", "t2")


def test_numbers_as_watermark(platform: Any, night: Nights) -> None:
    platform.create("integer")
    for number in range(1, 6):
        platform.put(f"t{number}", number)
    night = night(platform.feed('watermark = "updated_at"', "overlap = 2"))
    night()
    assert night.marks[-1]["watermark"] == {"unit": "number", "value": 5}
    platform.put("t6", 6)
    (delivery,) = night.fetch()
    assert delivery.rows == 4, "3, 4, 5 and 6"
    night()
    assert ids(night.store) == named(*(f"t{number}" for number in range(1, 7)))


def test_an_overlap_of_another_unit_is_refused(platform: Any, night: Nights) -> None:
    platform.create("integer")
    platform.put("t1", 7)
    with pytest.raises(UserError, match="holds whole numbers") as caught:
        night(platform.feed(*SINCE)).fetch()
    assert caught.value.hint == "Say the overlap in their own unit: overlap = 7200."


def test_a_wrong_year_does_not_have_later_rows_passed_over(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("wrong", "2096-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    night()
    assert night.marks[-1]["watermark"]["value"] == "2026-06-01T12:00:00Z"
    platform.put("right", "2026-06-01 11:30:00Z")
    night()
    assert ids(night.store) == named("wrong", "right")


def test_without_a_watermark_all_is_read_and_delivered_when_it_changed(
    platform: Any, night: Nights
) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    platform.put("t2", None)
    night = night(platform.feed())
    assert [result.counts.loaded for result in night()] == [2]
    assert night() == []
    platform.put("t3", None)
    assert [(result.counts.known, result.counts.loaded) for result in night()] == [(2, 1)]
    platform.execute("DELETE FROM ledger WHERE id = 't1'")
    night()
    assert ids(night.store) == named("t1", "t2", "t3"), "what is gone there stays here"


def test_another_query_begins_anew(platform: Any, night: Nights, feed_of: Nights) -> None:
    platform.create()
    platform.put("small", "2026-05-01 10:00:00Z", "1")
    platform.put("large", "2026-05-09 10:00:00Z", "100")
    some = "query = \"SELECT * FROM ledger WHERE amount = '100' -- the large ones\""
    night = night(platform.feed(*SINCE, asked=some))
    night()
    assert ids(night.store) == named("large")
    night.feed = feed_of(platform.feed(*SINCE, asked='query = "SELECT * FROM ledger;"'))
    night()
    assert ids(night.store) == named("small", "large")


def test_an_empty_table_is_nothing(platform: Any, night: Nights) -> None:
    platform.create()
    night = night(platform.feed(*SINCE))
    assert night.fetch() == []
    platform.put("t1", "2026-05-01 10:00:00Z")
    assert len(night()) == 1


def test_amounts_are_exact(platform: Any, night: Nights) -> None:
    amounts = ["12345678901234567890.123456789012345678", "0.1", "0.000000000000000001", "5"]
    platform.create()
    for number, amount in enumerate(amounts):
        platform.put(f"t{number}", "2026-05-01 10:00:00Z", amount)
    night = night(platform.feed(*SINCE))
    night()
    stored = night.store.facts("transfers").sort("uid").collect()["amount"]
    assert [f"{value:f}".rstrip("0").rstrip(".") for value in stored] == amounts


def test_only_its_owner_may_read_what_is_staged(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    (delivery,) = night.fetch()
    path = Path(delivery.paths[0])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in night.staging.iterdir()] == ["ledger.parquet"]


def test_a_crash_before_the_mark_costs_nothing(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    (delivery,) = night.fetch()
    night.load(delivery)  # and its mark is lost
    assert [again.mark for again in night.fetch()] == [delivery.mark]
    platform.put("t2", "2026-05-01 11:00:00Z")
    (result,) = night()
    assert (result.counts.known, result.counts.loaded) == (1, 1)


def test_a_fetch_that_fails_half_way_leaves_what_is_there(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    night()
    before = {path: path.read_bytes() for path in night.staging.iterdir()}
    platform.execute("ALTER TABLE ledger RENAME TO gone")
    with pytest.raises(UserError, match=r"Feed 'ledger': .*ledger"):
        night.fetch()
    assert {path: path.read_bytes() for path in night.staging.iterdir()} == before
    platform.execute("ALTER TABLE gone RENAME TO ledger")
    platform.put("t2", "2026-05-01 11:00:00Z")
    night()
    assert ids(night.store) == named("t1", "t2")


MANY = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
    "SELECT 'm' || i AS id, 'ann' AS src, 'ben' AS dst, updated_at, {last} AS amount "
    "FROM n CROSS JOIN ledger"
)


def test_a_query_that_fails_after_many_rows_delivers_none_of_them(
    platform: Any, night: Nights, feed_of: Nights
) -> None:
    """Both databases stream: most rows were read and written when the last one fails."""
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    night()
    before = {path: path.read_bytes() for path in night.staging.iterdir()}
    fails = "abs(CASE WHEN i < 200000 THEN 1 ELSE -9223372036854775807 + (i - 200001) END)"
    whole = night.feed
    night.feed = feed_of(platform.feed(*SINCE, asked=f'query = "{MANY.format(last=fails)}"'))
    with pytest.raises(UserError, match=r"overflow|out of range"):
        night.fetch()
    assert {path: path.read_bytes() for path in night.staging.iterdir()} == before
    assert len(night.marks) == 1
    night.feed = whole
    assert night() == []


def test_what_a_killed_fetch_left_is_written_over(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    night = night(platform.feed(*SINCE))
    night.staging.mkdir()
    (night.staging / ".ledger.part").write_bytes(b"PAR1 and then nothing" * 1000)
    assert [result.counts.loaded for result in night()] == [1]
    assert [file.name for file in night.staging.iterdir()] == ["ledger.parquet"]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ('query = "SELECT * FRM ledger"', "FRM|syntax"),
        ('query = "SELECT nope FROM ledger"', "nope"),
        ('table = "leger"', "leger"),
        ('query = "DELETE FROM ledger RETURNING *"', "syntax|near"),
        ('query = "SELECT id FROM ledger"', "no column 'updated_at' for the watermark"),
    ],
)
def test_what_the_database_says_is_one_sentence(
    platform: Any, night: Nights, asked: str, words: str
) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z")
    with pytest.raises(UserError, match=words) as caught:
        night(platform.feed(*SINCE, asked=asked)).fetch()
    assert "\n" not in caught.value.sentence
    assert "Query was" not in caught.value.sentence
    assert caught.value.sentence.startswith("Feed 'ledger': ")
    assert caught.value.sentence.endswith(".")


def test_what_is_read_is_in_the_store_as_it_was(platform: Any, night: Nights) -> None:
    platform.create()
    platform.put("t1", "2026-05-01 10:00:00Z", "2.50")
    night = night(platform.feed(*SINCE).replace("id=id", "id=id,at=updated_at"))
    night()
    row = night.store.facts("transfers").collect().row(0, named=True)
    assert row["uid"] == "transfers:t1"
    assert row["amount"] == Decimal("2.5")
    assert row["at"].isoformat() == "2026-05-01T10:00:00+00:00"
    assert night.store.accounts().collect()["account"].sort().to_list() == ["ann", "ben"]
