"""Saved runs on every home: kept whole, listed by their summaries, pruned; drawn in Neo4j."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from neo4j_servers import asked

from graph.errors import UserError
from graph.neo4j import runs
from graph.neo4j.store import Neo4jStore
from graph.store import RunRecord, Store, init_store, open_store, pruned_of, summary_of

DAY = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

HOSTILE = (
    "x'}) DETACH DELETE n //",
    'back`tick "quoted" \\',
    "$run {id: $id}",
    "four bytes 😀 and é",
    "a line\nbreak and a null\0byte",
)

Loader = Callable[..., Any]


def member(account: str, share: float) -> dict[str, Any]:
    return {
        "account": account,
        "share": share,
        "share_without": 0.1 + 0.2,
        "holdings": "12345678901234567890.123456789012345678",
        "reasons": [f"{account} sends"],
    }


def group(name: str, share: float, accounts: tuple[str, ...], **other: Any) -> dict[str, Any]:
    return {
        "id": name,
        "line": 0.05,
        "parent": None,
        "share": share,
        "holdings": "1.5",
        "strength_bits": 214.237,
        "evidence_bits": 1e-9,
        "cost_bits": 0,
        "p_value": 0.01,
        "grade": "corroborated",
        "detectors": ["flow", "identifier"],
        "reasons": [{"family": "flow", "bits": 1 / 3, "text": HOSTILE[0], "facts": ["u1"]}],
        "doubts": [{"explanation": "club", "text": HOSTILE[3], "settles": "ask"}],
        "members": [member(account, share / (place + 1)) for place, account in enumerate(accounts)],
        **other,
    }


def record(name: str, days: int = 0, **other: Any) -> RunRecord:
    """A run with a group inside another, ties with and without the names of families."""
    result = {
        "schema": 1,
        "run": {
            "id": name,
            "as_of": "2026-03-01T00:00:00.000001Z",
            "known_at": 1,
            "settings_sha256": "5e" * 32,
            "seed": 2**63 - 1,
            "detectors": ["flow"],
            "exact_lines": ["1/20"],
            "seconds": {"total": 1.25},
        },
        "result_sha256": "ab" * 32,
        "supply": "99999999999999999999.999999999999999999",
        "excluded": [HOSTILE[4]],
        "accounts": 5,
        "lines": [0.05, 0.03],
        "message": None,
        "groups": [
            group("aaa111", 0.1 + 0.2, HOSTILE),
            group("bbb222", 1 / 7, HOSTILE[:2], parent="aaa111", grade="indication"),
        ],
        **other,
    }
    ties = [
        [HOSTILE[0], HOSTILE[1], 26.328, ["flow", "identifier"]],
        [HOSTILE[0], HOSTILE[3], 12.5, ["flow"]],
    ]
    details = {
        "aaa111": {"curve": [[26.328, 1e-9, 2], [0.1, 0.3, 5]], "ties": ties},
        "bbb222": {"ties": [[HOSTILE[0], HOSTILE[1], 26.328]]},
    }
    return RunRecord(name, DAY + timedelta(days=days), result, details)


def test_a_run_comes_back_as_it_was_saved(store: Store) -> None:
    saved = record("r1")
    store.save_run(saved)
    found = open_store(store.url).run("r1")
    assert found == saved
    assert found.created_at.tzinfo is not None
    assert isinstance(found.result["groups"][0]["cost_bits"], int)
    assert not found.pruned


def test_runs_are_listed_by_their_summaries_newest_first(store: Store) -> None:
    older, newer = record("abc1", days=9), record("abd2", message=HOSTILE[4], groups=[])
    store.save_run(older)
    store.save_run(newer)
    store = open_store(store.url)
    assert store.runs() == [summary_of(newer), summary_of(older)]
    assert store.runs("abc") == [summary_of(older)]
    assert store.runs("b") == []
    (_, listed) = store.runs()
    assert [one["size"] for one in listed.result["groups"]] == [5, 2]
    assert not {"members", "reasons", "doubts"} & set(listed.result["groups"][0])
    assert HOSTILE[4] not in str(listed)


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    older, newer = record("abc1"), record("abd2")
    store.save_run(older)
    store.save_run(newer)
    assert store.run("abc") == older
    with pytest.raises(UserError, match="Several runs begin with 'ab'"):
        store.run("ab")
    with pytest.raises(UserError, match="no run 'x%'"):
        store.run("x%")
    store.save_run(record("abc12"))
    assert store.run("abc1") == older


def test_an_id_is_saved_once(store: Store) -> None:
    saved = record("r1")
    store.save_run(saved)
    with pytest.raises(UserError, match=r"Run r1 is saved already\."):
        store.save_run(replace(saved, result={}))
    assert store.run("r1") == saved
    assert len(store.runs()) == 1


def test_a_result_that_says_little_is_kept_too(store: Store) -> None:
    store.save_run(RunRecord("r1", DAY, {}))
    assert store.run("r1") == RunRecord("r1", DAY, {})
    assert store.runs() == [summary_of(RunRecord("r1", DAY, {}))]


def test_the_run_saved_last_is_the_current_one(store: Store) -> None:
    assert store.current_run() is None
    first, second = record("r1", days=5), record("r0")
    store.save_run(first)
    assert store.current_run() == summary_of(first)
    store.save_run(second)
    assert open_store(store.url).current_run() == summary_of(second)
    with pytest.raises(UserError, match="saved already"):
        store.save_run(first)
    assert store.current_run() == summary_of(second)


def test_runs_saved_at_once_are_all_kept_in_one_order(store: Store, load_transfers: Loader) -> None:
    load_transfers(store, *_deals())
    failed: list[Exception] = []

    def save(place: int) -> None:
        try:
            own = open_store(store.url)
            for number in range(3):
                own.save_run(record(f"r{place}{number}"))
        except Exception as error:  # told below
            failed.append(error)

    threads = [threading.Thread(target=save, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    ids = [run.id for run in store.runs()]
    assert sorted(ids) == [f"r{place}{number}" for place in range(3) for number in range(3)]
    for place in "012":  # each thread's in the order in which it saved them
        assert [name for name in ids if name[1] == place] == [f"r{place}{n}" for n in (2, 1, 0)]
    assert store.current_run() == store.runs()[0]


def test_pruning_leaves_the_newest_whole_and_summaries_of_the_others(store: Store) -> None:
    saved = [record(f"r{number}") for number in range(4)]
    for one in saved:
        store.save_run(one)
    summaries = store.runs()
    assert store.prune_runs(2) == ["r1", "r0"]
    store = open_store(store.url)
    assert [run.pruned for run in store.runs()] == [False, False, True, True]
    assert store.run("r3") == saved[3]
    assert store.run("r2") == saved[2]
    left = store.run("r1")
    assert left == pruned_of(saved[1])
    assert left.pruned
    assert {**left.result, "pruned": None} == {**summaries[2].result, "pruned": None}
    for name in ("id", "line", "share", "holdings", "grade", "size"):
        assert left.result["groups"][0][name] == summary_of(saved[1]).result["groups"][0][name]
    for name in ("run", "result_sha256", "supply", "lines"):
        assert left.result[name] == saved[1].result[name]
    assert not any(account in str(left) for account in HOSTILE)


def test_pruning_again_takes_only_what_is_newly_old(store: Store) -> None:
    for number in range(3):
        store.save_run(record(f"r{number}"))
    assert store.prune_runs(5) == []
    assert store.prune_runs(2) == ["r0"]
    assert store.prune_runs(2) == []
    assert store.prune_runs(1) == ["r1"]
    assert store.current_run() == summary_of(record("r2"))
    for keep in (0, -1):
        with pytest.raises(UserError, match="current run is never pruned"):
            store.prune_runs(keep)
    assert store.run("r2") == record("r2")


def test_a_pruned_run_can_be_saved_in_another_store(store: Store) -> None:
    left = pruned_of(record("r1"))
    store.save_run(left)
    store.save_run(record("r2"))
    assert store.run("r1") == left
    assert [run.pruned for run in store.runs()] == [False, True]
    assert store.prune_runs(1) == []


# -- what is drawn of it in Neo4j ----------------------------------------------------------


@pytest.fixture
def graph(neo4j_url: str, load_transfers: Loader) -> Neo4jStore:
    """A store on a server that knows the hostile accounts."""
    store = init_store(neo4j_url)
    assert isinstance(store, Neo4jStore)
    load_transfers(store, *_deals())
    return store


@pytest.fixture(params=[runs.ROWS, 2], ids=["at once", "in parts"])
def _rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in one transaction, and one that is too large for that."""
    monkeypatch.setattr(runs, "ROWS", request.param)


def _deals() -> list[tuple[str, str, str, str]]:
    return [(f"t{place}", one, HOSTILE[0], "1") for place, one in enumerate(HOSTILE)]


def rows(graph: Neo4jStore, query: str, **parameters: Any) -> list[list[Any]]:
    return [record.values() for record in asked(graph.url, query, **parameters)]


@pytest.mark.usefixtures("_rows")
def test_a_run_is_drawn_from_the_pointer_to_the_accounts(graph: Neo4jStore) -> None:
    graph.save_run(record("r0"))
    graph.save_run(record("r1"))
    assert rows(
        graph,
        "MATCH (:Store)-[:CURRENT]->(run:Run)-[:FOUND]->(group:Group)-[has:INCLUDES]->(a:Account) "
        "RETURN run.id, run.number, group.id, a.id, has.share_without, has.holdings "
        "ORDER BY group.id, a.ix",
    ) == [
        ["r1", 2, name, account, 0.1 + 0.2, "12345678901234567890.123456789012345678"]
        for name, accounts in (("aaa111", HOSTILE), ("bbb222", HOSTILE[:2]))
        for account in accounts
    ]
    [[node]] = rows(graph, "MATCH (group:Group {key: 'r1/aaa111'}) RETURN group {.*}")
    assert node["share"] == 0.1 + 0.2
    assert (node["reasons"], node["doubts"]) == ([HOSTILE[0]], [HOSTILE[3]])
    assert (node["size"], node["run"], node["evidence_bits"]) == (5, "r1", 1e-9)
    assert rows(
        graph, "MATCH (a:Group)-[:INSIDE]->(b:Group) RETURN a.key, b.key ORDER BY a.key"
    ) == [
        ["r0/bbb222", "r0/aaa111"],
        ["r1/bbb222", "r1/aaa111"],
    ]
    [[run]] = rows(graph, "MATCH (run:Run {id: 'r1'}) RETURN run {.*}")
    assert run["created_at"].to_native() == DAY
    assert run["as_of"].iso_format() == "2026-03-01T00:00:00.000001000+00:00"
    assert (run["seed"], run["lines"], run["groups"]) == (2**63 - 1, [0.05, 0.03], 2)
    assert run["supply"] == "99999999999999999999.999999999999999999"


@pytest.mark.usefixtures("_rows")
def test_the_evidence_that_joins_members_names_its_families(graph: Neo4jStore) -> None:
    graph.save_run(record("r1"))
    assert rows(
        graph,
        "MATCH (one:Account)-[tie:ACTS_WITH {run: 'r1'}]->(other:Account) "
        "RETURN tie.group, one.id, other.id, tie.bits, tie.families ORDER BY tie.group, other.ix",
    ) == [
        ["aaa111", HOSTILE[0], HOSTILE[1], 26.328, ["flow", "identifier"]],
        ["aaa111", HOSTILE[0], HOSTILE[3], 12.5, ["flow"]],
        ["bbb222", HOSTILE[0], HOSTILE[1], 26.328, []],
    ]


@pytest.mark.usefixtures("_rows")
def test_pruning_takes_a_runs_drawing_and_leaves_its_groups(graph: Neo4jStore) -> None:
    before = _facts(graph)
    graph.save_run(record("r0"))
    graph.save_run(record("r1"))
    graph.prune_runs(1)
    drawn = (
        "MATCH (run:Run)-[:FOUND]->(group:Group) "
        "OPTIONAL MATCH (group)-[has:INCLUDES]->() "
        "RETURN run.id, run.pruned, group.id, group.size, group.reasons, count(has) "
        "ORDER BY run.id, group.id"
    )
    assert rows(graph, drawn) == [
        ["r0", True, "aaa111", 5, None, 0],
        ["r0", True, "bbb222", 2, None, 0],
        ["r1", False, "aaa111", 5, [HOSTILE[0]], 5],
        ["r1", False, "bbb222", 2, [HOSTILE[0]], 2],
    ]
    assert rows(graph, "MATCH ()-[tie:ACTS_WITH]->() RETURN DISTINCT tie.run") == [["r1"]]
    assert _facts(graph) == before


def _facts(graph: Neo4jStore) -> list[list[Any]]:
    return rows(
        graph,
        "MATCH (a:Account)-[t:TRANSFERRED]->(b:Account) RETURN t.uid, a.id, b.id ORDER BY t.uid",
    )


KILLED = """
import os, signal, sys
from graph.neo4j import runs
from graph.neo4j.server import Server
from graph.store import open_store
from test_runs import record

def die(self, *steps):
    def work(run):
        rows = [run(name, parameters) for name, parameters in steps]
        if steps[-1][0] == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)  # all is sent, nothing of it committed
        return rows
    return self.transact(work)

runs.ROWS = int(sys.argv[3])
store = open_store(sys.argv[1])
Server.write = die
store.save_run(record("r1"))
"""

EVERYTHING = (
    "MATCH (node) WITH count(node) AS nodes MATCH ()-[tie]->() RETURN nodes, count(tie) AS ties"
)


def _save_and_be_killed(graph: Neo4jStore, step: str, rows_at_once: int) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, graph.url, step, str(rows_at_once)],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL


def test_a_save_that_is_killed_at_the_end_leaves_nothing(graph: Neo4jStore) -> None:
    graph.save_run(record("r0"))
    before = rows(graph, EVERYTHING)
    _save_and_be_killed(graph, "store/run_finish", runs.ROWS)
    assert rows(graph, EVERYTHING) == before
    assert graph.current_run() == summary_of(record("r0"))
    graph.save_run(record("r1"))
    assert graph.run("r1") == record("r1")
    assert rows(graph, "MATCH (:Store)-[:CURRENT]->(run:Run) RETURN run.id, run.number") == [
        ["r1", 2]
    ]


@pytest.mark.parametrize("step", ["store/run_ties", "store/run_finish"])
def test_a_save_that_is_killed_between_its_parts_is_not_seen_and_cleared_later(
    graph: Neo4jStore, step: str
) -> None:
    graph.save_run(record("r0"))
    before = rows(graph, EVERYTHING)
    _save_and_be_killed(graph, step, 2)
    assert rows(graph, EVERYTHING) != before
    assert [run.id for run in graph.runs()] == ["r0"]
    assert graph.current_run() == summary_of(record("r0"))
    assert rows(graph, "MATCH (group:Group) RETURN DISTINCT group.run") == [["r0"]]
    assert rows(graph, "MATCH (:Group)-[has:INCLUDES]->(:Account) RETURN count(has)") == [[7]]
    # while it may be alive nobody touches it
    with pytest.raises(UserError, match="being saved by another process"):
        graph.save_run(record("r1"))
    graph.save_run(record("r2"))
    assert rows(graph, "MATCH (draft:Draft) RETURN count(draft)") == [[3]]
    rows(graph, "MATCH (draft:Draft {key: 'r1'}) SET draft.until = datetime() - duration('PT1S')")
    graph.save_run(record("r3"))
    assert rows(graph, "MATCH (draft:Draft) RETURN count(draft)") == [[0]]
    assert rows(
        graph, "MATCH ()-[tie:ACTS_WITH]->() RETURN tie.run AS run, count(tie) ORDER BY run"
    ) == [["r0", 3], ["r2", 3], ["r3", 3]]
    assert rows(graph, "MATCH ()-[has:INCLUDES]->() RETURN count(has)") == [[21]]
    graph.save_run(record("r1"))
    assert graph.current_run() == summary_of(record("r1"))


def test_a_draft_that_was_given_up_is_no_run(
    graph: Neo4jStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(graph, EVERYTHING)
    monkeypatch.setattr(runs, "ROWS", 2)
    monkeypatch.setattr(runs, "DRAFT_SECONDS", -1)  # dead at once for whoever looks
    write = type(graph.server).write

    def late(server: Any, *steps: Any) -> Any:
        if steps[0][0] == "store/run_ties":
            runs._clear_dead(graph.server)
        return write(server, *steps)

    monkeypatch.setattr(type(graph.server), "write", late)
    with pytest.raises(UserError, match="its draft was given up"):
        graph.save_run(record("r1"))
    assert rows(graph, EVERYTHING) == before


def test_runs_of_a_prefix_are_its_own(graph: Neo4jStore) -> None:
    other = init_store(f"{graph.url}?prefix=Other")
    graph.save_run(record("r1"))
    assert other.runs() == []
    assert other.current_run() is None
    other.save_run(record("r1", days=3))
    assert graph.run("r1") == record("r1")
    assert other.prune_runs(1) == []
    labels = "MATCH (node:OtherRun|Run) RETURN labels(node) AS l ORDER BY l[0]"
    assert rows(graph, labels) == [[["OtherRun"]], [["Run"]]]
