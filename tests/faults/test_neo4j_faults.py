"""A Neo4j store whose loaders, server, disk and memory fail. Real processes, real signals.

`INCONCERT_KILLS=200` (as `make faults` sets it) kills as often; 3 otherwise.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import neo4j
import numpy as np
import polars as pl
import pytest
from neo4j_servers import wipe
from neo4j_wire import Wire

from graph.neo4j.store import Neo4jStore
from graph.schema import KINDS
from graph.store import Store, init_store, open_store
from inconcert.cli import run
from inconcert.devserver import Server as DevServer

pytestmark = [pytest.mark.faults]

KILLS = int(os.environ.get("INCONCERT_KILLS", "3"))
KILLS_BEFORE_A_CLEAN_LOAD = 4
SERVER_KILLS = max(1, KILLS // 10)
FIRST, ROWS, ACCOUNTS = 1_000, 12_000, 2_000
INCONCERT = str(Path(sys.executable).with_name("inconcert"))

Content = dict[str, pl.DataFrame]


@dataclass(frozen=True)
class World:
    """Two files, and what a store that loaded the first one, then both, holds."""

    first: Path
    second: Path
    before: Content
    after: Content


def content(store: Store) -> Content:
    """All visible facts by kind, accounts as text, in an order of their own."""
    names = store.accounts()
    found = {}
    for kind in KINDS.values():
        frame = store.facts(kind.name).drop("batch")
        for column in kind.accounts:
            text = names.select(pl.col("ix").alias(column), pl.col("account").alias(f"{column}:"))
            frame = frame.join(text, on=column, how="left").drop(column)
        found[kind.name] = frame.sort("uid", "revision").collect()
    return found


def same(one: Content, other: Content) -> bool:
    return all(one[kind].equals(other[kind]) for kind in KINDS)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a clean load into an embedded store comes to."""
    folder = tmp_path_factory.mktemp("faults")
    random_numbers = np.random.default_rng(5)
    who = pl.Series([f"acct-{n}" for n in range(ACCOUNTS)])
    rows = pl.DataFrame(
        {
            "id": [f"tx{n}" for n in range(ROWS)],
            "src": who.gather(random_numbers.integers(0, ACCOUNTS, ROWS)),
            "dst": who.gather(random_numbers.integers(0, ACCOUNTS, ROWS)),
            "amount": random_numbers.integers(1, 10**9, ROWS),
            "at": random_numbers.integers(1_700_000_000, 1_750_000_000, ROWS),
        }
    )
    first, second, place = folder / "first.csv", folder / "second.csv", str(folder / "store")
    rows.head(FIRST).write_csv(first)
    rows.write_csv(second)
    store = init_store(place)
    sides = []
    for file in (first, second):
        assert run(["load", "transfers", str(file), "--store", place]) == 0
        sides.append(content(store))
    return World(first, second, *sides)


@pytest.fixture
def store(
    guarded_server: DevServer, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Neo4jStore]:
    """A store that holds the first file; its server runs when the test ends."""
    monkeypatch.setenv("NEO4J_PASSWORD", str(guarded_server.password))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)
    yield _fresh(guarded_server.url, world)
    if guarded_server.pid is None:
        guarded_server.start()


def _fresh(url: str, world: World) -> Neo4jStore:
    wipe(url)
    store = Neo4jStore.init(url)
    assert run(["load", "transfers", str(world.first), "--store", url]) == 0
    return store


def start(store: Store, file: Path) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    words = [INCONCERT, "load", "transfers", str(file), "--store", store.url]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], seconds: float = 100) -> tuple[int, str]:
    """Its exit code and what it said on stderr."""
    said = process.communicate(timeout=seconds)[1]
    assert "Traceback" not in said, said
    return process.returncode, said


def sentence(said: str) -> str:
    """The one sentence by which a command ended."""
    [line] = [line for line in said.splitlines() if line.startswith("inconcert: ")]
    return line


def wait_until(process: subprocess.Popen[str], store: Neo4jStore, query: str) -> None:
    """Returns when the query gives true, or the command has ended."""
    with (
        neo4j.GraphDatabase.driver(store.url, auth=("neo4j", os.environ["NEO4J_PASSWORD"])) as own,
        own.session() as session,
    ):
        while process.poll() is None and not session.run(query).value()[0]:
            time.sleep(0.002)


def wait_until_it_loads(process: subprocess.Popen[str], store: Neo4jStore, parts: int = 0) -> None:
    """Returns when a load is open and so many parts of it are written."""
    count = "RETURN EXISTS {{ (b:Batch {{state: 'open'}}) WHERE b.parts >= {} }} AS yes"
    wait_until(process, store, count.format(parts))


def loads(store: Store) -> list[int]:
    return [batch.counts.loaded for batch in store.batches() if batch.counts.loaded]


def is_whole(store: Neo4jStore, world: World) -> None:
    """Just as one clean load leaves it: nothing lost, nothing twice, nothing left over."""
    now = open_store(store.url)
    assert same(content(now), world.after)
    assert loads(now) == [FIRST, ROWS - FIRST]
    report = now.check()
    assert (report.problems, report.notes) == ([], [])


@pytest.mark.timeout(200 + 8 * KILLS)
def test_a_load_killed_at_any_moment_and_run_again_is_one_clean_load(
    store: Neo4jStore, world: World
) -> None:
    seconds = 0.0
    outcomes = set()
    for number in range(KILLS + 1):
        # the first one is not killed, and says how long the others may live
        process = start(store, world.second)
        wait_until_it_loads(process, store)
        begun = time.monotonic()
        if number:
            time.sleep(seconds * (number - random.random()) / KILLS)
            process.kill()
        assert finish(process)[0] in (0, -signal.SIGKILL)
        seconds = seconds or time.monotonic() - begun
        now = content(open_store(store.url))
        done = same(now, world.after)
        outcomes.add(done)
        assert done or same(now, world.before)
        assert store.check().problems == []
        if done or number % KILLS_BEFORE_A_CLEAN_LOAD == 0:
            # the dead one's lease has not lapsed: its process is known to be gone
            assert finish(start(store, world.second))[0] == 0
            is_whole(store, world)
            store = _fresh(store.url, world)
    assert outcomes == {True, False}


@pytest.mark.timeout(200 + 60 * SERVER_KILLS)
def test_a_load_goes_on_when_its_killed_server_comes_back(
    store: Neo4jStore, world: World, guarded_server: DevServer
) -> None:
    for number in range(SERVER_KILLS):
        if number:
            store = _fresh(store.url, world)
        process = start(store, world.second)
        wait_until_it_loads(process, store, parts=random.randrange(3))
        time.sleep(random.random() / 5)
        guarded_server.kill()
        guarded_server.start()
        code, said = finish(process)
        assert code == 0, said
        is_whole(store, world)


@pytest.fixture
def less_memory(guarded_server: DevServer) -> Iterator[Callable[[], None]]:
    """Stops the server in order and starts it with little memory for each transaction."""
    conf = guarded_server.home / "conf" / "neo4j.conf"
    settings = conf.read_text()

    def restart() -> None:
        conf.write_text(f"{settings}db.memory.transaction.max=6m\n")
        guarded_server.restart()

    yield restart
    conf.write_text(settings)
    guarded_server.kill()
    guarded_server.start()


def test_a_load_goes_in_smaller_transactions_where_the_server_has_little_memory(
    store: Neo4jStore, world: World, less_memory: Callable[[], None]
) -> None:
    less_memory()
    code, said = finish(start(store, world.second))
    assert code == 0, said
    is_whole(store, world)
    [row] = store.server.text("MATCH (b:Batch {batch: 2}) RETURN b.parts AS parts")
    assert row["parts"] > 5


def test_a_server_that_stays_away_ends_the_load_and_the_next_one_repairs(
    store: Neo4jStore, world: World, guarded_server: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INCONCERT_RETRY_SECONDS", "2")
    process = start(store, world.second)
    wait_until_it_loads(process, store, parts=1)
    guarded_server.kill()
    begun = time.monotonic()
    code, said = finish(process)
    assert code == 4
    assert f"No Neo4j server answers at {store.url}" in sentence(said)
    assert time.monotonic() - begun < 20
    guarded_server.start()
    assert same(content(open_store(store.url)), world.before)
    assert finish(start(store, world.second))[0] == 0
    is_whole(store, world)


def test_an_interrupted_load_leaves_nothing(store: Neo4jStore, world: World) -> None:
    process = start(store, world.second)
    wait_until_it_loads(process, store, parts=1)
    process.send_signal(signal.SIGTERM)
    assert finish(process)[0] == 143
    now = open_store(store.url)
    assert same(content(now), world.before)
    report = now.check()
    assert (report.problems, report.notes) == ([], [])
    [lease] = store.server.read("store/lease_holder")
    assert not lease["held"]


def test_ctrl_c_while_nobody_answers(store: Neo4jStore, world: World) -> None:
    with Wire(store.url) as wire:
        process = start(Neo4jStore.open(wire.url), world.second)
        wait_until_it_loads(process, store, parts=1)
        wire.cut()
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        code, said = finish(process)
    assert code == 130
    assert "Interrupted" in sentence(said)
    assert time.monotonic() - begun < 10
    assert same(content(open_store(store.url)), world.before)


def test_readers_see_all_of_a_load_or_nothing_while_it_runs_and_when_it_dies(
    store: Neo4jStore, world: World
) -> None:
    sums = {
        side["transfers"].select(pl.len(), pl.col("amount").sum()).row(0)
        for side in (world.before, world.after)
    }
    seen = []

    def look() -> None:
        reader = open_store(store.url)
        facts = reader.facts("transfers")
        strangers = facts.join(reader.accounts(), left_on="dst", right_on="ix", how="anti")
        assert strangers.collect().is_empty()
        seen.append(facts.select(pl.len(), pl.col("amount").sum()).collect().row(0))

    process = start(store, world.second)
    wait_until_it_loads(process, store, parts=1)
    look()
    process.kill()
    look()
    assert finish(process)[0] == -signal.SIGKILL
    process = start(store, world.second)
    while process.poll() is None:
        look()
    assert finish(process)[0] == 0
    look()
    assert set(seen) == sums
    assert len(seen) > 4
    assert seen == sorted(seen)


def test_the_second_loader_is_told_who_loads(store: Neo4jStore, world: World) -> None:
    first = start(store, world.second)
    wait_until_it_loads(first, store)
    first.send_signal(signal.SIGSTOP)  # it must not be done before the second one comes
    code, said = finish(start(store, world.first))
    first.send_signal(signal.SIGCONT)
    assert code == 1
    assert f"(process {first.pid} on " in sentence(said)
    assert "is loading transfers since" in said
    assert finish(first)[0] == 0
    is_whole(store, world)


def test_a_server_without_room_on_its_disk(
    store: Neo4jStore, world: World, guarded_server: DevServer
) -> None:
    room = max(
        path.stat().st_size for path in (guarded_server.home / "data").rglob("*") if path.is_file()
    )
    limit = (room + 500_000, resource.RLIM_INFINITY)
    resource.prlimit(int(guarded_server.pid or 0), resource.RLIMIT_FSIZE, limit)
    code, said = finish(start(store, world.second))
    assert code == 4
    assert "is its disk full?" in sentence(said)
    assert len(said) < 600
    code, said = finish(start(store, world.second))  # the database needs its restart
    assert code == 4
    assert "restart" in sentence(said)
    guarded_server.kill()
    guarded_server.start()
    assert same(content(open_store(store.url)), world.before)
    assert finish(start(store, world.second))[0] == 0
    is_whole(store, world)
