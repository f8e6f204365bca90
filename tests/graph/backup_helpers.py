"""A store with a history, and all that it tells."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from long_form import LONG

from graph.schema import KINDS
from graph.store import Batch, Counts, RunRecord, Store

DAY = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

HOSTILE = (
    'quo"te',
    'two "" quotes, and a comma',
    "line\nbreak",
    "carriage\r\nreturn",
    "back\\slash\\",
    "'}) DETACH DELETE n //",
    "`tick`;semi|bar\ttab",
    "日本 😀 𠮷",
    "nul\x00byte",
    "007",
    "1e5",
    "-",
    "null",
    '"',
)
AMOUNTS = (
    "0.000000000000000001",
    "99999999999999999999.999999999999999999",
    "0.1",
    "12.34",
    "0",
    "123456789012345678",
    "33.333333333333333333",
)

_EXAMPLES: dict[pl.DataType, Any] = {
    pl.Int64(): 7,
    pl.String(): 'a "text", 日本 😀\nof two lines',
    pl.Int32(): 1,
    pl.Datetime("us", "UTC"): DAY,
    pl.Decimal(38, 18): Decimal("1.25"),
}


def rows_of(kind: str, name: str, ix: list[int], revision: int = 1) -> pl.DataFrame:
    """Rows of a kind: one for each account with all columns, one for each without."""
    accounts = KINDS[kind].accounts
    rows: list[dict[str, Any]] = []
    for place, number in enumerate(ix):
        ends = dict(zip(accounts, (number, ix[place - 1]), strict=False))
        full = {column: _EXAMPLES[dtype] for column, dtype in KINDS[kind].stored.items()}
        if "amount" in full:
            full["amount"] = Decimal(AMOUNTS[place % len(AMOUNTS)])
        if "at" in full:
            full["at"] = DAY + timedelta(microseconds=place, days=place)
        if "digest" in full:
            full["digest"] = f"{place % 3:032x}"
        bare: dict[str, Any] = dict.fromkeys(full)
        rows += [
            {**one, "uid": f"{name} {word} {HOSTILE[place % len(HOSTILE)]}{place}", **ends}
            for one, word in ((full, "full"), (bare, "bare"))
        ]
    frame = pl.DataFrame(rows, schema=KINDS[kind].stored).drop("batch")
    return frame.with_columns(revision=pl.lit(revision, pl.Int32))


def add(
    store: Store, kind: str, name: str, accounts: tuple[str, ...], *, revision: int = 1
) -> Batch:
    """Load rows of a kind for some accounts."""
    with store.loading(kind, f"source of {name}") as load:
        rows = rows_of(kind, name, load.number(pl.Series(accounts)).to_list(), revision)
        load.append(kind, rows)
        known = 1 if revision > 1 else 0
        counts = Counts(rows.height + 2 + known, rows.height, known, 1, 1)
        return load.commit(counts, complete_at=[DAY] if kind == "holdings" else [])


def make_history(store: Store) -> None:
    """Every kind, corrections, withdrawals, one undone, a supply that overtakes a load, a
    load that was abandoned, runs."""
    first = add(store, "transfers", "one", HOSTILE)
    second = add(store, "transfers", "two", ("ann", *HOSTILE[:3]))
    with suppress(RuntimeError), store.loading("transfers", "abandoned") as load:
        load.append(
            "transfers", rows_of("transfers", "gone", load.number(pl.Series(["x"])).to_list())
        )
        raise RuntimeError
    for kind in KINDS:
        if kind != "transfers":
            add(store, kind, kind, (*HOSTILE[4:9], "bob"))
    add(store, "transfers", "one", HOSTILE[:4], revision=2)
    last = add(store, "transfers", "one", HOSTILE[:2], revision=3)
    store.set_supply(Decimal("12345678901234567890.123456789012345678"), DAY)
    with store.loading("links", "overtaken") as load:
        store.set_supply(Decimal(5), DAY - timedelta(days=400))
        load.commit(Counts(read=1, known=1))
    for batch in (first, second, last):
        store.withdraw(batch.batch)
    store.reinstate(first.batch)
    store.save_run(RunRecord("run one", DAY, _result("run one", HOSTILE[0]), {}))
    curve = [place / 7 for place in range(20_000)]  # long: it travels in pieces
    details = {"g1": {"ties": [[HOSTILE[0], HOSTILE[2], 12.5, ["flow"]]], "curve": curve}}
    store.save_run(RunRecord("run two", DAY + timedelta(1), _result("run two", "é"), details))


def _result(run: str, text: str) -> dict[str, Any]:
    member = {"account": HOSTILE[2], "share": 0.1 + 0.2, "share_without": 0.0, "holdings": "1"}
    group = {
        "id": "g1",
        "line": 0.05,
        "parent": None,
        "share": 1 / 3,
        "holdings": "1.5",
        "members": [member],
        "reasons": [{"text": text, "bits": 3.125}],
        "doubts": [],
    }
    about = {"id": run, "as_of": "2026-03-01T00:00:00Z", "known_at": 1, "seed": 2**70}
    return {"schema": 1, "run": about, "groups": [group], "lines": [0.05], "accounts": 3}


def all_told(store: Store) -> dict[str, Any]:
    """Whatever can be asked of a store; of transfers, which have all that can happen, and of
    links, for every past: one of three outside the long form."""
    told: dict[str, Any] = {
        "properties": store.properties,
        "key": store.key,
        "batches": store.batches(),
        "supplies": store.supplies(),
        "runs": [store.run(run.id) for run in store.runs()],
        "current run": store.current_run(),
        "counts": store.fact_counts(),
        "accounts": sorted(store.accounts().collect().rows()),
    }
    pasts = [batch.batch for batch in store.batches()][:: 1 if LONG else 3]
    for known_at in (None, 0, *pasts):
        told[f"supplies at {known_at}"] = store.supplies(known_at)
        for kind in KINDS if known_at is None else ("transfers", "links"):
            frame = store.facts(kind, known_at).collect()
            assert dict(frame.schema) == KINDS[kind].stored
            told[f"{kind} at {known_at}"] = sorted(frame.rows(), key=repr)
    return told


def assert_goes_on(store: Store, before: dict[str, Any], given: int, next_ix: int) -> None:
    """The next load gets new numbers, knows old uids again, and withdrawn ones."""
    with store.loading("transfers", "next") as load:
        assert load.batch >= given
        uids = [row[0] for row in before["transfers at None"]]
        assert set(load.existing("transfers", pl.Series(uids))["uid"]) == set(uids)
        numbers = load.number(pl.Series(["ann", "quite new", HOSTILE[2]])).to_list()
        known = dict(before["accounts"])
        assert (numbers[0], numbers[2]) == (known["ann"], known[HOSTILE[2]])
        assert numbers[1] >= next_ix
        rows = rows_of("transfers", "next", numbers)
        load.append("transfers", rows)
        batch = load.commit(Counts(read=rows.height, loaded=rows.height))
    assert store.batches()[-1] == batch
    assert store.fact_counts()["transfers"] == before["counts"]["transfers"] + rows.height
    assert store.check().problems == []
