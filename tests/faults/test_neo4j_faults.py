"""A Neo4j store whose loaders, server, disk and memory fail. Real processes, real signals.

`INCONCERT_KILLS=200` (as `make faults` sets it) kills as often; 2 otherwise.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import neo4j
import pytest
from fault_helpers import (
    INCONCERT,
    KILLS_BEFORE_A_CLEAN_LOAD,
    Content,
    content,
    finish,
    load,
    loads,
    look,
    own_temporary,
    same,
    start,
    total,
    wait_for_files,
    write_files,
)
from faults_table import Survived, note
from neo4j_servers import asked, wipe
from neo4j_wire import Wire

from graph.neo4j.lease import FACTS
from graph.neo4j.store import Neo4jStore
from graph.store import init_store, open_store
from inconcert.devserver import Server as DevServer

pytestmark = [pytest.mark.faults]

KILLS = int(os.environ.get("INCONCERT_KILLS", "2"))
SERVER_KILLS = max(1, KILLS // 10)
FIRST, ROWS, ACCOUNTS = 1_000, 12_000, 2_000


@dataclass(frozen=True)
class World:
    """Two files, and what a store that loaded the first one, then both, holds."""

    first: Path
    second: Path
    before: Content
    after: Content


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a clean load into an embedded store comes to."""
    folder = tmp_path_factory.mktemp("faults")
    first, second = write_files(folder, FIRST, ROWS, ACCOUNTS)
    place = str(folder / "store")
    store = init_store(place)
    sides = []
    for file in (first, second):
        load(store, file)
        sides.append(content(store))
    return World(first, second, *sides)


@pytest.fixture
def store(
    guarded_server: DevServer, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Neo4jStore:
    """A store that holds the first file."""
    monkeypatch.setenv("NEO4J_PASSWORD", str(guarded_server.password))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)
    return _fresh(guarded_server.url, world)


def _fresh(url: str, world: World) -> Neo4jStore:
    wipe(url)
    store = Neo4jStore.init(url)
    load(store, world.first)
    return store


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


def is_whole(store: Neo4jStore, world: World) -> None:
    """Just as one clean load leaves it: nothing lost, nothing twice, nothing left over."""
    now = open_store(store.url)
    assert same(content(now), world.after)
    assert loads(now) == [FIRST, ROWS - FIRST]
    report = now.check()
    assert (report.problems, report.notes) == ([], [])


@pytest.mark.timeout(200 + 8 * KILLS)
def test_a_load_killed_at_any_moment_and_run_again_is_one_clean_load(
    store: Neo4jStore, world: World, request: pytest.FixtureRequest
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
            load(store, world.second)
            is_whole(store, world)
            store = _fresh(store.url, world)
    assert outcomes == {True, False}
    happened = "nothing of it is seen, and the next load clears it"
    note(request, "kill -9 at random moments of a load", KILLS, Survived(happened))


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
        assert guarded_server.url == store.url
        code, said = finish(process)
        assert code == 0, said
        is_whole(store, world)


@pytest.mark.parametrize("killed", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_server_that_stays_away_ends_the_load_and_the_next_one_repairs(
    store: Neo4jStore,
    world: World,
    guarded_server: DevServer,
    monkeypatch: pytest.MonkeyPatch,
    killed: bool,
) -> None:
    monkeypatch.setenv("INCONCERT_RETRY_SECONDS", "2")
    with Wire(store.url) as wire:
        process = start(Neo4jStore.open(wire.url), world.second)
        wait_until_it_loads(process, store, parts=1)
        wire.cut()
        if killed:
            guarded_server.kill()
        begun = time.monotonic()
        code, said = finish(process)
    assert code == 4
    assert f"No Neo4j server answers at {wire.url}" in sentence(said)
    assert time.monotonic() - begun < 20
    if killed:
        guarded_server.start()
    assert same(content(open_store(store.url)), world.before)
    load(store, world.second)
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
    [lease] = store.server.read("store/lease_holder", right=FACTS)
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
    seen = []
    process = start(store, world.second)
    wait_until_it_loads(process, store, parts=1)
    seen.append(look(store))
    process.kill()
    seen.append(look(store))
    assert finish(process)[0] == -signal.SIGKILL
    process = start(store, world.second)
    while process.poll() is None:
        seen.append(look(store))
    assert finish(process)[0] == 0
    seen.append(look(store))
    assert set(seen) == {total(world.before), total(world.after)}
    assert len(seen) > 4
    assert seen == sorted(seen)


def test_what_a_killed_detection_had_read_is_removed_by_the_next_one(
    store: Neo4jStore, world: World, tmp_path: Path
) -> None:
    load(store, world.second)
    temporary, environment = own_temporary(tmp_path)
    words = [INCONCERT, "detect", "--no-save", "--store", store.url]
    process = subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE)
    wait_for_files(process, temporary, "*.parquet")
    process.kill()
    process.communicate()
    [left] = temporary.iterdir()
    done = subprocess.run(words, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert not left.exists()
    assert list(temporary.iterdir()) == []


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


@pytest.fixture
def less_memory(guarded_server: DevServer) -> Iterator[Callable[[], None]]:
    """Has the server give each transaction little memory, from its next start on."""
    conf = guarded_server.home / "conf" / "neo4j.conf"
    settings = conf.read_text()

    def less() -> None:
        conf.write_text(f"{settings}db.memory.transaction.max=6m\n")

    yield less
    conf.write_text(settings)
    guarded_server.kill()


@pytest.mark.long
def test_a_server_without_room_on_its_disk_that_comes_back_with_little_memory(
    store: Neo4jStore,
    world: World,
    guarded_server: DevServer,
    less_memory: Callable[[], None],
) -> None:
    """Nothing is lost, and the next load repairs, in smaller transactions. Two faults in one
    test: what takes time is the start of a server."""
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
    less_memory()
    guarded_server.start()
    assert same(content(open_store(store.url)), world.before)
    load(store, world.second)
    is_whole(store, world)
    last = "MATCH (b:Batch {state: 'committed'}) RETURN b.parts AS parts ORDER BY b.batch DESC"
    assert asked(store.url, last)[0]["parts"] > 5
