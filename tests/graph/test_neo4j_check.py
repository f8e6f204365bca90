"""`store check` on a server: what was changed there by hand is told."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from neo4j_servers import asked

from graph.schema import KINDS
from graph.store import Batch, Counts, init_store

Loader = Callable[..., Batch]


@pytest.mark.parametrize("kind", ["purchases", "holdings", "accounts"])
def test_a_fact_that_lost_its_account_is_missing(neo4j_url: str, kind: str) -> None:
    store = init_store(neo4j_url)
    with store.loading(kind, "test") as load:
        bare = {
            "uid": ["f1", "f2"],
            "revision": [1, 1],
            "account": load.number(pl.Series(["a", "b"])),
        }
        columns = {**KINDS[kind].stored, "batch": pl.Int64()}
        facts = pl.DataFrame({n: bare.get(n, [None, None]) for n in columns}, columns)
        load.append(kind, facts)
        load.commit(Counts(read=2, loaded=2))
    assert store.check().problems == []
    asked(store.url, "MATCH ()-[end:BOUGHT|HELD|DESCRIBED]->({uid: 'f1'}) DELETE end")
    assert store.check().problems == [f"Batch 1 has 1 {kind} where its record says 2."]


@pytest.mark.parametrize("lost", ["id", "ix", "batch"])
def test_an_account_that_is_not_whole(neo4j_url: str, load_transfers: Loader, lost: str) -> None:
    store = init_store(neo4j_url)
    load_transfers(store, ("t1", "ann", "bob", "1"))
    asked(neo4j_url, f"MATCH (account:Account {{id: 'ann'}}) REMOVE account.{lost}")
    assert store.check().problems == ["1 accounts have no number, no id or no batch."]
