"""Every statement: its header, its plan on a real server, and that it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import neo4j
import polars as pl
import pytest
from neo4j_servers import wipe

import cypher
from graph.neo4j.server import credentials
from graph.neo4j.store import Neo4jStore
from graph.schema import KINDS
from graph.store import Counts, RunRecord

FOLDERS = ("schema", "store", "explore", "bench")
NAMES = [name for folder in FOLDERS for name in cypher.names(folder)]

OWN_TRANSACTIONS = {
    "store/schema_wait",
    "store/schema_state",
    "store/version",
    "bench/clear",
    "bench/drop_constraint",
    "bench/drop_index",
}
"""Procedures, SHOW, DROP and what is cut into transactions: nothing of them is planned, and
they run by themselves."""

PLANNED = [n for n in NAMES if not n.startswith("schema/") and n not in OWN_TRANSACTIONS]

SMALL = {"Store", "Loader", "Batch", "Supply", "Run", "Archive"}
"""Labels of which there are so few nodes that reading all of them is no fault."""

SCANS = re.compile("AllNodesScan|NodeByLabelScan|RelationshipTypeScan|AllRelationshipsScan")


def test_every_statement_is_known_and_a_file_of_its_own() -> None:
    files = {path.stem for path in Path(cypher.FOLDER).rglob("*.cypher")}
    assert files == {name.split("/")[1] for name in NAMES}
    assert len([name for name in NAMES if name.startswith("explore/")]) >= 15


@pytest.mark.parametrize("name", NAMES)
def test_its_header_names_just_its_parameters(name: str) -> None:
    found = cypher.statement(name)
    body = re.sub(r"//.*", "", found.text)
    used = set(re.findall(r"\$(\w+)", body))
    named = set(re.findall(r"\w+", found.parameters))
    assert used <= named, f"{used - named} not in the header"
    assert bool(used) == (found.parameters != "none")
    assert found.about.rstrip(".")
    assert ";" not in body


@pytest.fixture(scope="module")
def store(neo4j_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jStore]:
    """A store with a fact of every kind, a load that is open, and a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        wipe(neo4j_server.url)
        store = Neo4jStore.init(neo4j_server.url)
        for kind in KINDS:
            _load_one(store, kind)
        store.set_supply(Decimal(100), datetime(2026, 1, 1, tzinfo=UTC))
        store.save_run(RunRecord("r1", datetime(2026, 3, 1, tzinfo=UTC), {"groups": []}))
        yield store
        store.server.close()


def _load_one(store: Neo4jStore, kind: str) -> None:
    with store.loading(kind, "test") as load:
        ix = load.number(pl.Series(["ann"]))[0]
        row = dict.fromkeys(KINDS[kind].columns) | dict.fromkeys(KINDS[kind].accounts, ix)
        named = {"identifier_kind": "device", "digest": "d1"} if kind == "sightings" else {}
        frame = pl.DataFrame(
            [{"uid": "u1", "revision": 1, **row, **named}],
            schema={name: t for name, t in KINDS[kind].stored.items() if name != "batch"},
        )
        load.append(kind, frame)
        load.commit(Counts(read=1, loaded=1))


@pytest.fixture(scope="module")
def driver(store: Neo4jStore) -> Iterator[neo4j.Driver]:
    """Beside the product's own, for what it never asks: plans and notifications."""
    with neo4j.GraphDatabase.driver(
        store.server.address.server, auth=credentials(), notifications_min_severity="INFORMATION"
    ) as driver:
        driver.execute_query("CALL db.clearQueryCaches()")  # plans of what earlier tests held
        yield driver


def _operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("children", ()):
        yield from _operators(child)


def _one_by_one(product: dict[str, Any]) -> bool:
    """Whether each side finds one node by a unique key: then the product is one row."""
    sides = [
        {operator["operatorType"].split("(")[0].split("@")[0] for operator in _operators(child)}
        for child in product["children"]
    ]
    of_one_row = {"NodeUniqueIndexSeek", "Filter", "CacheProperties"}
    return all({"NodeUniqueIndexSeek"} <= side <= of_one_row for side in sides)


@pytest.mark.parametrize("name", PLANNED)
def test_its_plan_uses_the_indexes(driver: neo4j.Driver, name: str) -> None:
    found = cypher.statement(name)
    summary = driver.execute_query("EXPLAIN " + found.text).summary  # type: ignore[arg-type]
    assert summary.plan is not None
    for operator in _operators(summary.plan):
        kind = operator["operatorType"].split("@")[0]
        about = str(operator.get("args", {}).get("Details", ""))
        assert kind != "CartesianProduct" or _one_by_one(operator), about
        if SCANS.search(kind):
            scanned = set(re.findall(r":\s*(\w+)", about))
            small = scanned and scanned <= SMALL
            assert small or "ooks at every" in found.about, f"{kind}: {about}"
    for note in summary.gql_status_objects:
        assert "DEPRECATION" not in str(note.raw_classification), note.status_description
        assert "cartesian" not in note.status_description.lower()


EXAMPLES: dict[str, Any] = {
    "account": ["ann"],
    "accounts": 1,
    "action": "withdraw",
    "amount": [1.5],
    "at": "2026-03-01T00:00:00Z",
    "at_s": [1_772_000_000],
    "at_us": [5],
    "batch": 1,
    "batches": [{"batch": 99, "state": "committed"}],
    "complete_at": [],
    "count": 3,
    "created": "2026-03-01T00:00:00Z",
    "created_at": datetime(2026, 3, 1, tzinfo=UTC),
    "digest": ["d1"],
    "doing": "loading",
    "exact": [None],
    "fence": 1,
    "file": "transfers.parquet",
    "right": 1,
    "first": 0,
    "format": 1,
    "groups": [{"key": "r1/g1", "id": "g1", "size": 1}],
    "has_revisions": False,
    "high": 1000,
    "host": "here",
    "id": "r1",
    "identifier_kind": ["device"],
    "issuers": [],
    "ix": [7],
    "key_fingerprint": "f",
    "kind": ["gift"],
    "limit": 10,
    "lines": [0.05],
    "low": 0,
    "masked": False,
    "members": [{"key": "r1/g1", "account": "ann", "share": 0.1}],
    "name": "2026-01-0f0f0f0f",
    "next_ix": 9,
    "next_seq": 99,
    "one": [0],
    "ours": [],
    "parents": [{"key": "r1/g1", "parent": "r1/g2"}],
    "part": 0,
    "pid": 1,
    "prefix": "",
    "pruned": False,
    "revision": [9],
    "run": "r1",
    "after": 0,
    "doc": "{}",
    "event": {"number": 1, "subject": "case/a", "version": 1},
    "key": "a",
    "most": 10,
    "number": 1,
    "numbers": [1],
    "said": [],
    "shown": {"state": "new"},
    "subject": "case/a",
    "words": [{"number": 1, "salt": "s", "text": "t"}],
    "seconds": 60,
    "seq": [98],
    "src": [0],
    "step": [None],
    "store": {"next_batch": 100},
    "supplies": [{"batch": 99, "amount": "5", "valid_from": "2026-03-01T00:00:00Z"}],
    "target": 1,
    "ties": [{"group": "g1", "one": "ann", "other": "ann", "bits": 1.0, "families": ["flow"]}],
    "uid": ["u1"],
}
"""A value for each parameter of the store's statements; for others null is one."""

OF_STATEMENT: dict[str, dict[str, Any]] = {
    "store/batch_begin": {"kind": "transfers"},
    "store/batch_supply": {"amount": "1.5", "valid_from": "2026-03-01T00:00:00Z"},
    "store/write_numbers": {"account": ["new"]},
    "store/run_create": {"id": "r2", "groups": 1},
    "store/case_put": {"groups": ["g1"]},
    **{f"store/view_{what}": {"kind": "case"} for what in ("get", "put", "drop", "all")},
}
OF_STATEMENT |= {
    f"store/write_{kind}": {name: [0] for name in KINDS[kind].accounts} for kind in KINDS
}
OF_STATEMENT["store/write_sightings_bare"] = {"account": [0], "digest": [None]}


@pytest.mark.parametrize("name", cypher.names("store"))
def test_it_runs(driver: neo4j.Driver, name: str) -> None:
    text = cypher.statement(name).text
    wanted = re.findall(r"\$(\w+)", re.sub(r"//.*", "", text))
    parameters = {used: EXAMPLES.get(used) for used in wanted} | OF_STATEMENT.get(name, {})
    with driver.session() as session:
        if name in OWN_TRANSACTIONS:
            session.run(text, parameters).consume()  # type: ignore[arg-type]
            return
        with session.begin_transaction() as transaction:
            if name in ("store/restore_store", "store/store_make"):  # where there is no store yet
                transaction.run("MATCH (n:Store|Loader) DETACH DELETE n").consume()
            transaction.run(text, parameters).consume()  # type: ignore[arg-type]
            transaction.rollback()
