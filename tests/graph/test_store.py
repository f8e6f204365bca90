"""What every store promises (DESIGN section 3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from graph.errors import BusyError, UserError
from graph.schema import KINDS
from graph.store import Counts, RunRecord, Store, init_store, open_store, visible_batches

Loader = Callable[..., Any]

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def test_facts_come_back_as_they_were_loaded(
    store: Store, load_transfers: Loader, seen: Loader
) -> None:
    load_transfers(
        store,
        ("t1", "ann", "bob", "0.000000000000000001"),
        ("t2", "ann", "ann", "99999999999999999999.999999999999999999"),
    )
    assert seen(open_store(store.url)) == {
        ("t1", 1, "ann", "bob", Decimal("0.000000000000000001")),
        ("t2", 1, "ann", "ann", Decimal("99999999999999999999.999999999999999999")),
    }


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_keeps_every_column_and_its_nulls(store: Store, kind: str) -> None:
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    examples = {
        pl.Int64(): 7,
        pl.String(): "日本 'x'",
        pl.Int32(): 1,
        pl.Datetime("us", "UTC"): moment,
        pl.Decimal(38, 18): Decimal("1.25"),
    }
    full = {name: examples[dtype] for name, dtype in KINDS[kind].stored.items()}
    with store.loading(kind, "test") as load:
        ix = load.number(pl.Series(["ann"]))[0]
        accounts = dict.fromkeys(KINDS[kind].accounts, ix)
        rows = pl.DataFrame(
            [
                {**full, "uid": "full", **accounts},
                {**dict.fromkeys(full), "uid": "bare", "revision": 1, **accounts},
            ],
            schema=KINDS[kind].stored,
        )
        load.append(kind, rows.drop("batch"))
        batch = load.commit(Counts(read=2, loaded=2)).batch
    expected = rows.with_columns(pl.lit(batch, pl.Int64).alias("batch"))
    assert_frame_equal(store.facts(kind).collect(), expected, check_row_order=False)


def test_kinds_never_loaded_are_empty_with_all_columns(store: Store) -> None:
    for kind in KINDS.values():
        frame = store.facts(kind.name).collect()
        assert frame.is_empty()
        assert dict(frame.schema) == kind.stored
    assert store.accounts().collect().schema == {"account": pl.String, "ix": pl.Int64}


def test_nothing_of_an_open_load_is_seen(
    store: Store, load_transfers: Loader, write_transfers: Loader, seen: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    before = seen(store), set(store.accounts().collect()["account"]), store.batches()
    with store.loading("transfers", "test") as load:
        write_transfers(load, [("t2", "ann", "cyd", "1")])
        assert (seen(store), set(store.accounts().collect()["account"]), store.batches()) == before
        load.commit(Counts(read=1, loaded=1))
    assert {row[0] for row in seen(store)} == {"t1", "t2"}


def test_a_load_left_without_commit_is_gone_and_its_number_with_it(
    store: Store, load_transfers: Loader, write_transfers: Loader, seen: Loader
) -> None:
    with store.loading("transfers", "test") as load:
        abandoned = load.batch
        numbers = set(load.number(pl.Series(["ann", "bob"])))
        write_transfers(load, [("t1", "ann", "bob", "1")])
    assert store.unfinished() == []
    batch = load_transfers(store, ("t1", "ann", "bob", "1"))
    assert batch.batch > abandoned
    assert seen(store) == {("t1", 1, "ann", "bob", Decimal(1))}
    assert numbers.isdisjoint(store.accounts().collect()["ix"])


def test_an_account_keeps_its_number(store: Store, load_transfers: Loader) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    before = dict(store.accounts().collect().iter_rows())
    with store.loading("transfers", "test") as load:
        numbers = load.number(pl.Series(["bob", "new", "bob", "ann", "new"])).to_list()
        again = load.number(pl.Series(["new", "newer"])).to_list()
        load.commit(Counts())
    assert numbers == [before["bob"], numbers[1], before["bob"], before["ann"], numbers[1]]
    assert again[0] == numbers[1]
    after = store.accounts().collect()
    assert set(after["account"]) == {"ann", "bob", "new", "newer"}
    assert after["ix"].n_unique() == 4


def test_existing_finds_committed_rows_withdrawn_ones_too(
    store: Store, load_transfers: Loader, write_transfers: Loader
) -> None:
    first = load_transfers(store, ("t1", "ann", "bob", "1"), ("t2", "ann", "bob", "2"))
    load_transfers(store, ("t3", "ann", "bob", "3"))
    store.withdraw(first.batch)
    with store.loading("transfers", "test") as load:
        write_transfers(load, [("t4", "ann", "bob", "4")])
        found = load.existing("transfers", pl.Series(["t1", "t3", "t4", "t9", "t1"]))
        assert load.existing("transfers", pl.Series([], dtype=pl.String)).is_empty()
        assert load.existing("transfers", pl.Series(["t9"])).columns == found.columns
    assert set(found.select("uid", "visible").rows()) == {("t1", False), ("t3", True)}
    assert found.columns == [*KINDS["transfers"].stored, "visible"]
    assert found.height == 2


def test_a_correction_supersedes_and_its_withdrawal_brings_the_first_back(
    store: Store, load_transfers: Loader, seen: Loader
) -> None:
    first = load_transfers(store, ("t1", "ann", "bob", "1"), ("t2", "ann", "bob", "2"))
    second = load_transfers(store, ("t1", "ann", "bob", "10"), revision=2)
    third = load_transfers(store, ("t1", "ann", "bob", "100"), revision=3)
    assert {(row[0], row[4]) for row in seen(store)} == {("t1", 100), ("t2", 2)}
    store.withdraw(third.batch)
    assert {(row[0], row[4]) for row in seen(store)} == {("t1", 10), ("t2", 2)}
    store.withdraw(second.batch)
    assert {(row[0], row[4]) for row in seen(store)} == {("t1", 1), ("t2", 2)}
    store.withdraw(first.batch)
    store.reinstate(third.batch)
    assert {(row[0], row[4]) for row in seen(store)} == {("t1", 100)}
    assert store.fact_counts() == {"transfers": 1}
    assert [batch.has_revisions for batch in store.batches()][:3] == [False, True, True]


def test_known_at_is_what_was_known_then(
    store: Store, load_transfers: Loader, seen: Loader
) -> None:
    first = load_transfers(store, ("t1", "ann", "bob", "1"))
    second = load_transfers(store, ("t2", "ann", "bob", "1"))
    withdrawal = store.withdraw(first.batch)
    undone = store.reinstate(first.batch)
    known = {
        number: {row[0] for row in seen(store, number)}
        for number in (0, first.batch, second.batch, withdrawal.batch, undone.batch)
    }
    assert list(known.values()) == [set(), {"t1"}, {"t1", "t2"}, {"t2"}, {"t1", "t2"}]
    for number in (-1, undone.batch + 1):
        with pytest.raises(UserError, match="no committed batch"):
            store.facts("transfers", number)


def test_a_supply_set_during_a_load_does_not_rewrite_the_past(
    store: Store, load_transfers: Loader, write_transfers: Loader, seen: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    with store.loading("transfers", "test") as load:
        write_transfers(load, [("t2", "ann", "bob", "1")])
        supply = store.set_supply(Decimal(100), DAY)
        assert {row[0] for row in seen(store, supply.batch)} == {"t1"}
        late = load.commit(Counts(read=1, loaded=1))
    assert {row[0] for row in seen(store, supply.batch)} == {"t1"}
    assert {row[0] for row in seen(store, late.batch)} == {"t1", "t2"}
    assert store.batches()[-1] == late
    assert [load.batch for load in visible_batches(store.batches(), supply.batch)] == [1]
    assert store.supplies(late.batch) == store.supplies() == [supply]
    assert store.supplies(1) == []


def test_only_a_visible_load_can_be_withdrawn(store: Store, load_transfers: Loader) -> None:
    load = load_transfers(store, ("t1", "ann", "bob", "1")).batch
    supply = store.set_supply(Decimal(5), DAY).batch
    for number, reason in ((supply, "no load"), (99, "no committed batch"), (0, "no committed")):
        with pytest.raises(UserError, match=reason):
            store.withdraw(number)
    with pytest.raises(UserError, match="not withdrawn"):
        store.reinstate(load)
    store.withdraw(load)
    with pytest.raises(UserError, match="withdrawn already"):
        store.withdraw(load)
    assert [batch.withdrawn for batch in store.batches()] == [True, False, False]


def test_a_batch_says_what_it_brought(
    store: Store, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_NOW", "2026-05-06T07:08:09Z")
    monkeypatch.setenv("INCONCERT_USER", "night job")
    with store.loading("transfers", "ledger export") as load:
        write_transfers(load, [("t1", "ann", "bob", "1")], at=DAY)
        write_transfers(load, [("t2", "ann", "bob", "1")], at=DAY - timedelta(days=1))
        batch = load.commit(Counts(7, 2, 3, 1, 1), complete_at=[DAY])
    assert batch == open_store(store.url).batches()[0]
    assert batch.counts == Counts(7, 2, 3, 1, 1)
    assert (batch.action, batch.kind, batch.source) == ("load", "transfers", "ledger export")
    assert batch.latest_at == DAY
    assert batch.complete_at == (DAY,)
    assert batch.committed_at == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert batch.user == "night job"


def test_a_load_of_nothing_new_is_a_batch_too(store: Store) -> None:
    with store.loading("links", "test") as load:
        load.append("links", pl.DataFrame(schema=KINDS["links"].stored).drop("batch"))
        load.commit(Counts(read=3, known=3))
    assert store.fact_counts() == {"links": 0}
    assert store.facts("links").collect().is_empty()


def test_a_count_that_is_not_what_was_written_is_not_committed(
    store: Store, write_transfers: Loader
) -> None:
    with store.loading("transfers", "test") as load:
        write_transfers(load, [("t1", "ann", "bob", "1")])
        with pytest.raises(ValueError, match="2 rows counted, 1 written"):
            load.commit(Counts(read=2, loaded=2))
        with pytest.raises(ValueError, match="not links"):
            load.append("links", pl.DataFrame({"uid": ["x"]}))
    assert store.batches() == []


def test_one_loader_at_a_time_and_the_second_hears_who(
    store: Store, load_transfers: Loader, seen: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_transfers(store, ("t1", "ann", "bob", "1"))
    monkeypatch.setenv("INCONCERT_USER", "night job")
    with store.loading("transfers", "test"):
        other = open_store(store.url)
        for attempt in (
            lambda: load_transfers(other, ("t2", "ann", "bob", "1")),
            lambda: other.withdraw(first.batch),
        ):
            with pytest.raises(BusyError, match=r"night job .* is loading transfers since"):
                attempt()
        # readers and reviewers go on
        assert len(seen(other)) == 1
        other.set_supply(Decimal(9), DAY)
        other.save_run(RunRecord("r1", DAY, {}))
    load_transfers(store, ("t2", "ann", "bob", "1"))


def test_supplies_keep_exact_amounts(store: Store) -> None:
    amount = Decimal("12345678901234567890.123456789012345678")
    entry = store.set_supply(amount, DAY)
    assert open_store(store.url).supplies() == [entry]
    assert open_store(store.url).supplies()[0].amount == amount


def test_a_sound_store_checks_clean(store: Store, load_transfers: Loader) -> None:
    assert store.check().problems == []
    load_transfers(store, ("t1", "ann", "bob", "1"))
    load_transfers(store, ("t1", "ann", "bob", "2"), revision=2)
    report = store.check()
    assert (report.problems, report.notes, report.facts) == ([], [], {"transfers": 1})


def test_properties_are_fixed_at_init(url: str) -> None:
    made = init_store(url, masked=True, holdings_rule="rolled", issuers=[" mint "])
    opened = open_store(url)
    assert opened.properties == made.properties
    assert opened.key == made.key
    assert opened.properties.masked
    assert opened.properties.holdings_rule == "rolled"
    issuer = opened.properties.issuers[0]
    assert issuer.startswith("m_")
    assert "mint" not in issuer
    with pytest.raises(UserError, match="store already"):
        init_store(url)


def test_an_unknown_holdings_rule_makes_no_store(url: str) -> None:
    with pytest.raises(UserError, match="There is no holdings rule 'guessed'") as error:
        init_store(url, holdings_rule="guessed")
    assert error.value.hint == "Choose one of stated, rolled, replayed."
    with pytest.raises(UserError):
        open_store(url)


def test_account_numbers_follow_the_order_of_first_sight(store: Store) -> None:
    with store.loading("transfers", "test") as load:
        first = load.number(pl.Series(["cyd", "ann", "cyd", "bob"]))
        again = load.number(pl.Series(["bob", "dan", "ann"]))
    assert first.to_list() == [first[0], first[0] + 1, first[0], first[0] + 2]
    assert again.to_list() == [first[3], first[0] + 3, first[1]]


def test_a_check_tells_of_every_kind_as_its_turn_comes(
    store: Store, load_transfers: Loader
) -> None:
    load_transfers(store, ("t1", "ann", "bob", "1"))
    told: list[str] = []
    store.tell = told.append
    assert store.check().problems == []
    turns = [next(place for place, note in enumerate(told) if kind in note) for kind in KINDS]
    assert turns == sorted(turns)
