"""What is particular to a store on a Neo4j server."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from neo4j_servers import TestServer, asked
from neo4j_wire import Wire

from cypher import names
from graph.errors import BusyError, InconcertError, UnreachableError, UserError
from graph.neo4j import lease, load, read, server
from graph.neo4j.lease import LeaseLostError
from graph.neo4j.server import Address, Server, credentials, refuse_old
from graph.neo4j.store import Neo4jStore
from graph.schema import KINDS
from graph.store import Counts, open_store

Loader = Callable[..., Any]

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_session_has_one_empty_server(neo4j_server: TestServer, neo4j_url: str) -> None:
    assert asked(neo4j_url, "MATCH (n) RETURN count(n) AS nodes")[0]["nodes"] == 0
    assert neo4j_server.url == neo4j_url


# -- addresses and credentials ----------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "neo4j://neo4j:geheim@localhost:7687",
        "neo4j://neo4j:ge#heim@localhost:7687",
        "neo4j://neo4j:ge/heim@localhost:7687",
        "neo4j://neo4j:ge?heim@localhost:7687",
        "neo4j://geheim@localhost",
        "bolt+s://:geheim@localhost",
        "neo4j://localhost:7687?password=geheim",
        "neo4j://localhost:7687#geheim",
        "neo4j://localhost:7687/geheim",
        "neo4j://localhost:geheim",
        "neo4j://neo4j:geheim",
    ],
)
def test_what_may_be_a_password_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UserError) as refusal:
        Address.of(url)
    assert "heim" not in refusal.value.sentence + str(refusal.value.hint)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://localhost:7474", "http:// is no kind of store"),
        ("://localhost", "is no kind of store"),
        ("neo4j+x://localhost", r"neo4j\+x:// is no kind of store"),
        ("neo4j://", "does not name a server"),
        ("neo4j://:7687", "does not name a server"),
        ("neo4j://[::1", "does not name a server"),
        ("neo4j://localhost:port", "does not name a server"),
        ("neo4j://localhost:0", "does not name a server"),
        ("neo4j://localhost:99999", "does not name a server"),
        ("neo4j://localhost?database=x", "says 'database', which means nothing here"),
        ("neo4j://localhost?prefix=1x", "'1x' cannot stand before labels"),
        ("neo4j://localhost?prefix=a%60b", "'a`b' cannot stand before labels"),
        ("neo4j://localhost?prefix=a%0Ab", "cannot stand before labels"),
        ("neo4j://localhost?prefix=" + "x" * 32, "cannot stand before labels"),
    ],
)
def test_what_is_no_address_of_a_server(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Address.of(url)


def test_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEO4J_DATABASE", raising=False)
    found = Address.of("BOLT+s://[::1]:7688/?prefix=Team")
    assert (found.server, found.prefix, found.database) == ("bolt+s://[::1]:7688", "Team", "neo4j")
    monkeypatch.setenv("NEO4J_DATABASE", "system")
    with pytest.raises(UserError, match="the server's own"):
        Address.of("neo4j://localhost")


def test_credentials_come_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    assert credentials() is None
    file = tmp_path / "password"
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(file))
    with pytest.raises(UserError, match="cannot be read: No such file or directory"):
        credentials()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        credentials()
    for ending in ("", "\n", "\r\n"):
        file.write_text(f" dröge {ending}", encoding="utf-8", newline="")
        assert credentials() == ("neo4j", " dröge ")
    monkeypatch.setenv("NEO4J_PASSWORD", "")
    monkeypatch.setenv("NEO4J_USERNAME", "ann")
    assert credentials() == ("ann", " dröge ")
    monkeypatch.setenv("NEO4J_PASSWORD", "other")
    assert credentials() == ("ann", "other")


@pytest.mark.parametrize(
    "version", ["5.26.0", "5.26.30", "5.27", "2025.06.2", "2026.01.0", "5.26-aura", "6.0"]
)
def test_versions_that_serve(version: str) -> None:
    refuse_old(version, "neo4j://there")


@pytest.mark.parametrize("version", ["5.20.0", "4.4.40", "5.25.1", "3.5", "5.9.0-drop04"])
def test_versions_that_are_too_old(version: str) -> None:
    with pytest.raises(UserError, match=f"Neo4j {version}; inconcert needs 5.26 or later"):
        refuse_old(version, "neo4j://there")


# -- servers that are none --------------------------------------------------------------


@pytest.mark.parametrize("answer", [None, b"-ERR unknown command\r\n", b"HTTP/1.1 400 Bad\r\n"])
def test_what_listens_there_is_no_neo4j(answer: bytes | None) -> None:
    def greet() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listening.accept()[0] as other:
                    other.recv(1)
                    if answer:
                        other.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=greet, daemon=True).start()
        with pytest.raises(UnreachableError, match=r"no Neo4j server|No Neo4j server") as refusal:
            Server.connect(f"bolt://127.0.0.1:{listening.getsockname()[1]}")
        listening.shutdown(socket.SHUT_RDWR)
    assert len(refusal.value.sentence) < 100


# -- databases of others ----------------------------------------------------------------


@pytest.fixture
def shared(neo4j_url: str) -> Iterator[str]:
    """The URL of a database with more than one schema; that of prefixes is dropped in the end."""
    yield neo4j_url
    plain = {name.removeprefix("schema/") for name in names("schema")}
    for listing, drop in (
        ("SHOW CONSTRAINTS YIELD name", "DROP CONSTRAINT $name IF EXISTS"),
        ("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP'", "DROP INDEX $name IF EXISTS"),
    ):
        for row in asked(neo4j_url, listing):
            if row["name"] not in plain:
                asked(neo4j_url, drop, name=row["name"])


def test_a_database_of_something_else_is_named_and_a_prefix_keeps_apart(
    shared: str, load_transfers: Loader, seen: Loader
) -> None:
    asked(
        shared,
        "CREATE (:Person {id: 'ann'})-[:LIKES]->(:TeamAccount {ix: 1})<-[:TeamHELD]-()",
    )
    with pytest.raises(UserError, match="something else: nodes with the labels Person, Team") as no:
        Neo4jStore.init(shared)
    assert "?prefix=Inconcert" in str(no.value.hint)
    with pytest.raises(UserError, match="of the same name, TeamAccount, TeamHELD"):
        Neo4jStore.init(f"{shared}?prefix=Team")
    before = _whole(shared)
    team, other = (Neo4jStore.init(f"{shared}?prefix={prefix}") for prefix in ("A_", "a_"))
    load_transfers(team, ("t1", "ann", "bob", "1"))
    load_transfers(other, ("t1", "cyd", "bob", "2"))
    assert seen(open_store(team.url)) == {("t1", 1, "ann", "bob", Decimal(1))}
    assert seen(open_store(other.url)) == {("t1", 1, "cyd", "bob", Decimal(2))}
    assert [store.check().problems for store in (team, other)] == [[], []]
    foreign = [row for row in _whole(shared) if not str(row[0][0]).lower().startswith("a_")]
    assert foreign == before


def _whole(url: str) -> list[tuple[Any, ...]]:
    """Every node with a label, its properties and relationships."""
    rows = asked(
        url,
        "MATCH (n) WHERE size(labels(n)) > 0 OPTIONAL MATCH (n)-[r]->(m) "
        "RETURN labels(n) AS labels, properties(n) AS had, type(r) AS type, labels(m) AS to",
    )
    return sorted((row.values() for row in rows), key=repr)


def test_everything_that_a_store_with_a_prefix_makes_has_it(
    shared: str, load_transfers: Loader
) -> None:
    url = f"{shared}?prefix=Own"
    server = Server.connect(url)
    schema = "SHOW INDEXES YIELD name, labelsOrTypes RETURN name, labelsOrTypes AS of"
    before = {row["name"] for row in asked(url, schema)}
    load_transfers(Neo4jStore.init(url), ("t1", "ann", "bob", "1"))
    made = [row for row in asked(url, schema) if row["name"] not in before]
    assert len(made) > 20
    assert all(row["name"].startswith("Own_") for row in made)
    assert all(of.startswith("Own") for row in made for of in row["of"])
    used = server.read("store/foreign_labels")[0]
    assert used["labels"]
    assert all(name.startswith("Own") for name in (*used["labels"], *used["types"]))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("CREATE INDEX Own_account_id FOR (n:Mine) ON (n.id)", "called 'Own_account_id'"),
        (
            "CREATE CONSTRAINT Own_account_id FOR (n:Mine) REQUIRE n.id IS UNIQUE",
            "Own_account_id is of Mine",
        ),
        ("CREATE INDEX Own_mine FOR (n:OwnAccount) ON (n.id)", "already exists an index"),
        (
            "CREATE CONSTRAINT Own_mine FOR (n:OwnAccount) REQUIRE n.id IS UNIQUE",
            "Own_account_id is missing",
        ),
    ],
)
def test_a_schema_of_something_else_in_the_way(shared: str, schema: str, words: str) -> None:
    asked(shared, schema)
    with pytest.raises(UserError, match="of something else") as refusal:
        Neo4jStore.init(f"{shared}?prefix=Own")
    assert words in refusal.value.sentence
    assert "prefix" in str(refusal.value.hint)


# -- one loader at a time ---------------------------------------------------------------


def test_who_lost_the_lease_can_neither_write_nor_commit(
    neo4j_url: str, load_transfers: Loader, write_transfers: Loader, seen: Loader
) -> None:
    store = Neo4jStore.init(neo4j_url)
    load_transfers(store, ("t0", "ann", "bob", "1"))
    with store.loading("transfers", "asleep") as asleep:
        _lapse(store)
        other = open_store(neo4j_url)
        with other.loading("transfers", "awake") as awake:
            write_transfers(awake, [("t2", "ann", "cyd", "2")])
            write_transfers(asleep, [("t1", "bob", "ann", "1")])
            with pytest.raises(BusyError, match="Another loader has taken over"):
                asleep.commit(Counts(read=1, loaded=1))
            awake.commit(Counts(read=1, loaded=1))
    assert {row[0] for row in seen(open_store(neo4j_url))} == {"t0", "t2"}
    assert store.unfinished() == []
    assert open_store(neo4j_url).check().problems == []
    load_transfers(store, ("t1", "ann", "bob", "1"))


def test_who_lost_the_lease_between_its_last_row_and_its_commit(
    neo4j_url: str, write_transfers: Loader, load_transfers: Loader, seen: Loader
) -> None:
    store = Neo4jStore.init(neo4j_url)
    with store.loading("transfers", "asleep") as asleep:
        write_transfers(asleep, [("t1", "ann", "bob", "1")])
        asleep._writer.finish()  # type: ignore[attr-defined]
        _lapse(store)
        load_transfers(open_store(neo4j_url), ("t2", "ann", "cyd", "2"))
        with pytest.raises(LeaseLostError):
            asleep.commit(Counts(read=1, loaded=1))
    assert {row[0] for row in seen(open_store(neo4j_url))} == {"t2"}


def test_a_lease_that_lapsed_and_that_nobody_took_still_holds(
    neo4j_url: str, write_transfers: Loader, seen: Loader
) -> None:
    store = Neo4jStore.init(neo4j_url)
    with store.loading("transfers", "slow") as load:
        _lapse(store)
        write_transfers(load, [("t1", "ann", "bob", "1")])
        load.commit(Counts(read=1, loaded=1))
    assert len(seen(open_store(neo4j_url))) == 1


def test_a_loader_that_does_nothing_but_live_is_not_replaced(
    neo4j_url: str, load_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SECONDS", 1)
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.1)
    store = Neo4jStore.init(neo4j_url)
    with store.loading("transfers", "slow"):
        time.sleep(2)
        with pytest.raises(BusyError, match="is loading transfers since"):
            load_transfers(open_store(neo4j_url), ("t1", "ann", "bob", "1"))
    monkeypatch.setattr(lease, "BEAT_SECONDS", 100)
    with store.loading("transfers", "cut off"):
        time.sleep(1.5)
        load_transfers(open_store(neo4j_url), ("t1", "ann", "bob", "1"))


def _lapse(store: Neo4jStore) -> None:
    asked(store.url, "MATCH (l:Loader) SET l.until = datetime() - duration({seconds: 1})")


# -- answers that are lost --------------------------------------------------------------


@pytest.fixture
def wire(neo4j_url: str) -> Iterator[Wire]:
    with Wire(neo4j_url) as wire:
        yield wire


def test_a_load_whose_every_commit_is_answered_only_the_second_time(
    neo4j_url: str,
    wire: Wire,
    write_transfers: Loader,
    seen: Loader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "FIRST_DELAY", 0.02)
    Neo4jStore.init(neo4j_url)
    store = Neo4jStore.open(wire.url)
    wire.loses_answers = True
    rows = [(f"t{n}", f"a{n % 7}", f"b{n % 5}", str(n + 1)) for n in range(50)]
    with store.loading("transfers", "test") as load:
        for begin in (0, 20, 40):
            write_transfers(load, rows[begin : begin + 20])
        load.commit(Counts(read=50, loaded=50))
    assert wire.lost > 10
    direct = open_store(neo4j_url)
    assert seen(direct) == {(uid, 1, src, dst, Decimal(amount)) for uid, src, dst, amount in rows}
    assert [batch.counts.loaded for batch in direct.batches()] == [50]
    report = direct.check()
    assert (report.problems, report.notes) == ([], [])


def test_what_may_have_been_done_is_said_to_be_unknown(neo4j_url: str, wire: Wire) -> None:
    store = Neo4jStore.init(neo4j_url)
    through = Neo4jStore.open(wire.url)
    wire.loses_answers = True
    with pytest.raises(UnreachableError, match="whether it did is not known"):
        through.set_supply(Decimal(5), DAY)
    assert [entry.amount for entry in store.supplies()] == [Decimal(5)]


def test_reading_when_nobody_answers_any_more(
    neo4j_url: str, wire: Wire, load_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_transfers(Neo4jStore.init(neo4j_url), ("t1", "ann", "bob", "1"))
    monkeypatch.setenv("INCONCERT_RETRY_SECONDS", "1")
    store = Neo4jStore.open(wire.url)
    batches = store.batch_rows()
    wire.cut()
    monkeypatch.setattr(store, "batch_rows", lambda: batches)  # it gets as far as the facts
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match="No Neo4j server answers"):
        store.facts("transfers")
    assert time.monotonic() - begun < 10


# -- what the server cannot do ----------------------------------------------------------


def test_texts_that_are_too_long_to_be_looked_up_are_refused_in_a_sentence(
    neo4j_url: str, load_transfers: Loader, seen: Loader
) -> None:
    store = Neo4jStore.init(neo4j_url)
    load_transfers(store, ("u" * 4096 + "é", "a" * 256, "b", "1"))
    for row in (("u" * 9000, "a", "b", "1"), ("u", "a" * 9000, "b", "1")):
        with pytest.raises(InconcertError, match="longer than the server"):
            load_transfers(store, row)
    assert len(seen(open_store(neo4j_url))) == 1
    assert store.unfinished() == []


def test_a_receipt_and_a_reason_may_be_long(neo4j_url: str) -> None:
    store = Neo4jStore.init(neo4j_url)
    text = "é'`😀" * 25_000
    with store.loading("links", "test") as load:
        ix = load.number(pl.Series(["ann"]))[0]
        row = dict.fromkeys(KINDS["links"].stored)
        row |= {"uid": "u", "revision": 1, "a": ix, "b": ix, "why": text, "by": text}
        load.append("links", pl.DataFrame([row], schema=KINDS["links"].stored).drop("batch"))
        load.commit(Counts(read=1, loaded=1))
    assert open_store(neo4j_url).facts("links").collect()["why"].to_list() == [text]


def test_there_is_nothing_to_compact(neo4j_url: str) -> None:
    with pytest.raises(UserError, match="nothing to compact"):
        Neo4jStore.init(neo4j_url).compact()


# -- reading, and reading again ---------------------------------------------------------


def _several(store: Neo4jStore, write: Loader, count: int, first: int = 0) -> None:
    rows = [(f"t{n}", f"a{n % 7}", f"b{n % 5}", str(n + 1)) for n in range(first, first + count)]
    with store.loading("transfers", "test") as load:
        write(load, rows)
        load.commit(Counts(read=count, loaded=count))


def test_a_read_that_failed_half_way_is_begun_anew(
    neo4j_url: str, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "ROWS_PER_FILE", 10)
    monkeypatch.setattr(read.windows, "__defaults__", (10, 10))
    store = Neo4jStore.init(neo4j_url)
    _several(store, write_transfers, 60)
    whole, calls = store.reader._packed, itertools.count()

    def failing(kind: str, span: tuple[int, int]) -> pl.DataFrame:
        if next(calls) == 4:
            raise UnreachableError("gone")
        return whole(kind, span)

    monkeypatch.setattr(store.reader, "_packed", failing)
    with pytest.raises(UnreachableError):
        store.facts("transfers")
    assert store.facts("transfers").collect()["uid"].n_unique() == 60
    assert store.facts("transfers").collect().height == 60


@pytest.mark.parametrize("one_by_one", [True, False])
def test_known_rows_are_found_however_they_are_looked_for(
    neo4j_url: str, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch, one_by_one: bool
) -> None:
    store = Neo4jStore.init(neo4j_url)
    _several(store, write_transfers, 40)
    _several(store, write_transfers, 40, first=40)
    store.withdraw(1)
    monkeypatch.setattr(load, "READ_ALL_FROM", 0 if one_by_one else 10_000)
    with store.loading("transfers", "test") as loading:
        found = loading.existing("transfers", pl.Series(["t1", "t41", "t79", "x", "t41"]))
    assert sorted(found.select("uid", "visible").rows()) == [
        ("t1", False),
        ("t41", True),
        ("t79", True),
    ]
    assert found.columns == [*KINDS["transfers"].stored, "visible"]


def test_facts_with_corrections_are_counted_without_reading_the_kind(
    neo4j_url: str, write_transfers: Loader, load_transfers: Loader
) -> None:
    store = Neo4jStore.init(neo4j_url)
    _several(store, write_transfers, 40)
    load_transfers(store, ("t1", "a", "b", "1"), ("t2", "a", "b", "1"), revision=2)
    load_transfers(store, ("t1", "a", "b", "5"), revision=3)
    fresh = open_store(neo4j_url)
    assert fresh.fact_counts() == {"transfers": 40}
    store.withdraw(1)
    assert fresh.fact_counts() == {"transfers": 2}
    store.withdraw(3)
    assert fresh.fact_counts() == {"transfers": 2}


def test_spans_are_joined_over_small_gaps_and_cut_to_a_width() -> None:
    assert list(read.windows([(0, 3), (3, 5), (9, 12)], width=20, gap=4)) == [(0, 12)]
    assert list(read.windows([(0, 3), (3, 5), (9, 12)], width=20, gap=3)) == [(0, 5), (9, 12)]
    assert list(read.windows([(0, 7)], width=3)) == [(0, 3), (3, 6), (6, 7)]
    assert list(read.windows([])) == []


def test_a_commit_whose_answer_and_lease_were_lost_is_a_commit(
    neo4j_url: str, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Neo4jStore.init(neo4j_url)
    whole = lease.Lease.rewrite

    def answer_lost(held: lease.Lease, name: str, /, **parameters: Any) -> Any:
        rows = whole(held, name, **parameters)
        if name == "store/batch_commit":
            raise LeaseLostError("taken over")
        return rows

    monkeypatch.setattr(lease.Lease, "rewrite", answer_lost)
    _several(store, write_transfers, 5)
    assert [batch.counts.loaded for batch in store.batches()] == [5]


def test_every_part_that_is_written_read_or_removed_is_told_of(
    neo4j_url: str, write_transfers: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "ROWS", 10)
    monkeypatch.setattr(read.windows, "__defaults__", (20, 20))
    store = Neo4jStore.init(neo4j_url)
    told: list[str] = []
    store.tell = told.append
    _several(store, write_transfers, 40)
    assert told == [
        "10 account numbers written",
        "12 account numbers written",
        *(f"{rows} transfers written" for rows in (10, 20, 30, 40)),
    ]
    told.clear()
    store.facts("transfers")
    # places: the accounts of the load have some too
    assert told == [f"{part} % of the transfers read" for part in (38, 76, 100)]
    told.clear()
    store.facts("transfers")  # kept: nothing is read
    assert told == []
    with store.loading("transfers", "test") as left:
        write_transfers(left, [("t90", "a1", "new", "1")])
        left._writer.finish()
        told.clear()
    assert told == ["1 of the rows of an unfinished load removed"] * 2  # a fact, an account
