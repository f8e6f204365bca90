"""Loads that are killed, interrupted, crowded and out of room. Real processes, real signals.

`INCONCERT_KILLS=200` (as `make faults` sets it) kills as often; 4 otherwise.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from fault_helpers import (
    KILLS_BEFORE_A_CLEAN_LOAD,
    Content,
    content,
    finish,
    load,
    loads,
    look,
    own_temporary,
    resize,
    same,
    start,
    total,
    wait_for_files,
    write_files,
)
from faults_table import Survived, note
from polars.testing import assert_frame_equal

from graph.store import Store, init_store, open_store

pytestmark = [pytest.mark.faults]

KILLS = int(os.environ.get("INCONCERT_KILLS", "4"))
CLEARED = "nothing of it is seen, and the next load clears it"
CSV = ("--input-format", "csv")
FIRST, ROWS, ACCOUNTS = 1_000, 100_000, 20_000


@dataclass(frozen=True)
class World:
    """A store that holds something already, a file to load into it, and how both look after."""

    folder: Path
    file: Path
    before: Content
    after: Content
    seconds: float
    """How long a load takes from taking the lock to its end."""

    def copy(self, place: Path) -> Store:
        """A store like it, with the same key."""
        shutil.copytree(self.folder, place)
        return open_store(str(place))


def wait_until_it_loads(store: Store, process: subprocess.Popen[str]) -> None:
    """Returns when the loader has signed the lock (or has ended)."""
    lock = Path(store.url) / "loader.lock"
    while process.poll() is None and not (lock.exists() and lock.stat().st_size):
        time.sleep(0.001)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("faults")
    first, second = write_files(folder, FIRST, ROWS, ACCOUNTS)
    store = init_store(str(folder / "store"))
    load(store, first)
    load(store, first)  # tables with a past: known rows, no new ones
    before = content(store)
    clean = World(folder / "store", second, before, {}, 0.0).copy(folder / "clean")
    process = start(clean, second)
    wait_until_it_loads(clean, process)
    begun = time.monotonic()
    assert finish(process)[0] == 0
    seconds = time.monotonic() - begun
    return World(folder / "store", second, before, content(clean), seconds)


def _killed_at(store: Store, world: World, seconds: float) -> None:
    process = start(store, world.file)
    wait_until_it_loads(store, process)
    time.sleep(seconds)
    process.kill()
    assert finish(process)[0] in (0, -signal.SIGKILL)


@pytest.mark.timeout(120 + 6 * KILLS)
def test_a_load_killed_at_any_moment_and_run_again_is_one_clean_load(
    world: World, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    moments = [world.seconds * (n + random.random()) / KILLS for n in range(KILLS)]
    random.shuffle(moments)
    outcomes = set()
    for first in range(0, KILLS, KILLS_BEFORE_A_CLEAN_LOAD):
        store = world.copy(tmp_path / f"store {first}")
        # early ones first: once a load has come through, later kills meet nothing to undo
        tried = sorted(moments[first : first + KILLS_BEFORE_A_CLEAN_LOAD])
        for moment in tried:
            _killed_at(store, world, moment)
            now = content(store)
            outcomes.add(same(now, world.after))
            assert same(now, world.before) or same(now, world.after), f"after kills at {tried}"
            assert store.check().problems == [], f"after kills at {tried}"
        load(store, world.file)
        for kind, frame in content(store).items():
            assert_frame_equal(frame, world.after[kind])
        assert loads(store) == [FIRST, ROWS - FIRST]
        report = store.check()
        assert (report.problems, report.notes) == ([], [])

        shutil.rmtree(store.url)
    assert False in outcomes, "no kill came before the commit"
    note(request, "kill -9 at random moments of a load", KILLS, Survived(CLEARED))


def test_a_reader_all_the_while_sees_all_of_a_load_or_nothing(world: World, tmp_path: Path) -> None:
    store = world.copy(tmp_path / "store")
    seen = []
    process = start(store, world.file)
    while process.poll() is None:
        seen.append(look(store))
    assert finish(process)[0] == 0
    assert set(seen) <= {total(world.before), total(world.after)}
    assert len(seen) > 20
    assert seen[0] == total(world.before)


def test_the_second_loader_is_told_who_loads(world: World, tmp_path: Path) -> None:
    store = world.copy(tmp_path / "store")
    with store.loading("transfers", "the first"):
        code, said = finish(start(store, world.file))
    assert code == 1
    assert f"(process {os.getpid()}) is loading transfers since" in said
    assert said.count("inconcert: ") == 1
    assert same(content(store), world.before)


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_load_leaves_nothing(
    world: World, tmp_path: Path, sign: signal.Signals, code: int
) -> None:
    store = world.copy(tmp_path / "store")
    process = start(store, world.file)
    wait_until_it_loads(store, process)
    time.sleep(world.seconds * 0.3)
    process.send_signal(sign)
    exit_code, said = finish(process)
    assert exit_code == code, said
    assert same(content(store), world.before)
    report = store.check()
    assert (report.problems, report.notes) == ([], [])
    load(store, world.file)
    assert same(content(store), world.after)


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_a_load_keeps_of_its_standard_input_does_not_stay(
    world: World, tmp_path: Path, sign: signal.Signals
) -> None:
    """A killed one cannot take it along: then the next one removes it."""
    store = world.copy(tmp_path / "store")
    temporary, environment = own_temporary(tmp_path)
    with start(store, Path("-"), stdin=subprocess.PIPE, env=environment, more=CSV) as process:
        assert process.stdin is not None
        process.stdin.write(world.file.read_text()[:100_000])
        process.stdin.flush()
        wait_for_files(process, temporary, "stdin")
        process.send_signal(sign)
        process.wait(timeout=20)
    assert bool(list(temporary.iterdir())) == (sign == signal.SIGKILL)
    assert finish(start(store, world.file, env=environment))[0] == 0
    assert list(temporary.iterdir()) == []


def _small_files() -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def test_a_load_out_of_room_for_its_files_is_one_sentence(world: World, tmp_path: Path) -> None:
    store = world.copy(tmp_path / "store")
    code, said = finish(start(store, world.file, preexec_fn=_small_files))
    _is_one_sentence_about_room(code, said)
    assert same(content(store), world.before)
    load(store, world.file)
    assert same(content(store), world.after)


def test_a_full_disk_loses_nothing(world: World, small_disk: Path) -> None:
    store = world.copy(small_disk / "store")
    code, said = finish(start(store, world.file))
    _is_one_sentence_about_room(code, said)
    assert same(content(store), world.before)
    assert store.check().problems == []
    resize(small_disk, "64m")
    load(store, world.file)
    assert same(content(store), world.after)
    assert store.check().notes == []


def _is_one_sentence_about_room(code: int, said: str) -> None:
    assert code == 1, said
    reason = [line for line in said.splitlines() if line.startswith("inconcert: ")]
    assert len(reason) == 1, said
    assert "No space left" in reason[0] or "File too large" in reason[0]
