"""Whatever text a fact has: it comes back as it was, and nothing else happens."""

from __future__ import annotations

import itertools
import os
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from long_form import examples
from neo4j_servers import asked
from polars.testing import assert_frame_equal

from graph.neo4j.store import Neo4jStore
from graph.schema import KINDS
from graph.store import Counts, Store, open_store

NASTY = [
    "'",
    '"',
    "`",
    "\\",
    "\\'",
    "'}) DETACH DELETE n //",
    "`}) MATCH (n) DETACH DELETE n //",
    "$uid",
    "{uid: 1}",
    "\u0000",
    "a\u0000b",
    "\n",
    "line\r\nbreak",
    "𝔘🂡",
    "\u202eright to left\u202c",
    "\ufeff",
    "\ufffd",
    " ",
    "NULL",
    "é",
    "e\u0301",
    "x" * 2000,
    "😀" * 500,
]

EXAMPLES = examples(
    int(os.environ.get("INCONCERT_FUZZ", "12")),
    few=4,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

hostile = st.one_of(
    st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
)


def _row(kind: str, draw: st.DataObject) -> dict[str, object]:
    """A fact whose every text is hostile."""
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    values = {
        pl.Int64(): 7,
        pl.Int32(): 1,
        pl.Datetime("us", "UTC"): moment,
        pl.Decimal(38, 18): Decimal("1.25"),
    }
    return {
        name: draw.draw(hostile) if dtype == pl.String() else values[dtype]
        for name, dtype in KINDS[kind].stored.items()
    }


@pytest.fixture
def bystander(store: Store) -> Store:
    """A store with facts and a run's worth of things that must stay as they are."""
    _load(store, "transfers", [_plain()], ["ann", "bob"])
    store.set_supply(Decimal(5), datetime(2026, 1, 1, tzinfo=UTC))
    return store


def _plain() -> dict[str, object]:
    return dict.fromkeys(KINDS["transfers"].stored) | {"uid": "plain", "revision": 1}


def _load(store: Store, kind: str, rows: list[dict[str, object]], accounts: list[str]) -> int:
    columns = KINDS[kind].accounts
    with store.loading(kind, accounts[0]) as load:
        ix = load.number(pl.Series(accounts)).to_list()
        ends = dict(zip(columns, itertools.cycle(ix)))
        frame = pl.DataFrame([row | ends for row in rows], schema=KINDS[kind].stored)
        load.append(kind, frame.drop("batch"))
        return load.commit(Counts(read=len(rows), loaded=len(rows))).batch


@EXAMPLES
@given(draw=st.data())
def test_every_text_comes_back_as_it_was(bystander: Store, draw: st.DataObject) -> None:
    known = bystander.facts("transfers").filter(pl.col("uid") == "plain").collect()
    kind = draw.draw(st.sampled_from(sorted(KINDS)))
    accounts = draw.draw(st.lists(hostile, min_size=2, max_size=2, unique=True))
    row = _row(kind, draw)
    row["uid"] = f"{len(bystander.batches())}{row['uid']}"
    batch = _load(bystander, kind, [row], accounts)
    again = open_store(bystander.url)
    numbers = dict(again.accounts().collect().iter_rows())
    assert {"ann", "bob", *accounts} <= set(numbers)
    ends = [numbers[account] for account in accounts]
    expected = row | {"batch": batch} | dict(zip(KINDS[kind].accounts, ends, strict=False))
    [found] = again.facts(kind).filter(pl.col("batch") == batch).collect().to_dicts()
    assert found == expected
    assert again.batches()[-1].source == accounts[0]
    assert_frame_equal(again.facts("transfers").filter(pl.col("uid") == "plain").collect(), known)
    with bystander.loading(kind, "look") as load:
        assert load.existing(kind, pl.Series([row["uid"]])).height == 1
        load.commit(Counts())


def test_nothing_but_the_facts_is_there(bystander: Store) -> None:
    """Each nasty text as every text of every kind: the graph has these nodes and no others."""
    for kind in KINDS:
        rows = [
            {
                name: f"{number}{text}" if name == "uid" else text
                for name, dtype in KINDS[kind].stored.items()
                if dtype == pl.String()
            }
            | {"revision": 1, "amount": Decimal(1)}
            for number, text in enumerate(NASTY)
        ]
        rows = [dict.fromkeys(KINDS[kind].stored) | row for row in rows]
        rows = [{name: row[name] for name in KINDS[kind].stored} for row in rows]
        _load(bystander, kind, rows, NASTY)
    again = open_store(bystander.url)
    assert again.check().problems == []
    assert again.fact_counts() == dict.fromkeys(KINDS, len(NASTY)) | {"transfers": len(NASTY) + 1}
    assert set(again.accounts().collect()["account"]) == {"ann", "bob", *NASTY}
    if isinstance(again, Neo4jStore):
        many = len(NASTY)
        rows = asked(again.url, "MATCH (n) RETURN labels(n)[0] AS label, count(*) AS many")
        assert {row["label"]: row["many"] for row in rows} == {
            "Account": many + 2,
            "Identifier": many,
            "Purchase": many,
            "Holding": many,
            "Attribute": many,
            "Batch": len(KINDS) + 2,
            "Supply": 1,
            "Store": 1,
            "Loader": 1,
        }
