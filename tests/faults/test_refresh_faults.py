"""Refreshes that are killed, whose server goes, whose disk is full. Real processes, real signals.

Every night of a store that suffers is compared with the same night of one that does not: facts,
batches, runs, events of the log and what they come to are the same, but for seconds and for the
numbers of batches, of which a load that died uses one up.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fault_helpers import resize
from faults_table import Survived, note
from neo4j_servers import own_server, wipe
from warm import Warm

from graph.errors import UnreachableError
from graph.store import init_store, open_store
from review import refreshes
from review.refreshes import STAGES

sys.path.insert(0, str(Path(__file__).parents[1] / "inconcert" / "refresh"))
import nights  # of the refresh's own tests

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600 + 12 * int(os.environ.get("INCONCERT_KILLS", "8"))),
]

KILLS = int(os.environ.get("INCONCERT_KILLS", "8"))
A_NIGHT = 6
"""As often a night is killed before it may end."""

NIGHTS = 5
"""So many nights a store has before the next one is made: what suffered in one night is met by
those that follow, and the undisturbed nights are done once for all stores."""

STEPS = 21
"""Lines that the journal of an undisturbed night has."""


@pytest.fixture(scope="module", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same for every store here; of one key, so that they name the same rows by the same
    digests."""
    place = tmp_path_factory.mktemp("surroundings")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("INCONCERT_STORE", "INCONCERT_USER"):
            environment.delenv(name, raising=False)
        environment.setenv("INCONCERT_KEY_FILE", str(place / "one-key"))
        environment.setenv("XDG_STATE_HOME", str(place / "state"))
        yield place


Clean = Callable[[int], dict[str, Any]]
"""What a store holds after an undisturbed night."""


@dataclass
class Platform:
    """Nights of one store: `url`, delivered in `folder`."""

    folder: Path
    url: str

    @classmethod
    def make(cls, folder: Path, url: str) -> Platform:
        folder.mkdir(exist_ok=True)
        nights.settle(folder)
        with pytest.MonkeyPatch.context() as clock:
            clock.setenv("INCONCERT_NOW", nights.now(0))
            init_store(url)
        return cls(folder, url)

    def start_anew(self, night: int) -> Any:
        """The real command, which imports all that it needs."""
        return nights.start(self.folder, nights.now(night), "--store", self.url)

    def start(self, night: int) -> Warm:
        """The same work in a process that has everything imported: half the time of a night."""
        environment = {**os.environ, "INCONCERT_NOW": nights.now(night)}
        return Warm(self.folder, environment, "--store", self.url)

    def end(self, night: int) -> dict[str, Any]:
        """Lets a night go to its end; what the store holds then."""
        process = self.start(night)
        _, said = process.communicate()
        assert process.returncode == 0, said
        return nights.content(self.url)

    def end_at_last(self, night: int) -> dict[str, Any]:
        """The same of a night that may have come to its end before it was to be killed."""
        done = open_store(self.url).log.view(refreshes.REFRESHING, refreshes.GOOD)
        return nights.content(self.url) if done == {"number": night} else self.end(night)

    def killed_after(self, night: int, lines: int) -> bool:
        """Kills a night when the journal has so many lines; whether it was not over by then."""
        return nights.kill_when(self.start(night), lambda: self.lines() >= lines)

    def killed_at(self, night: int, seconds: float) -> bool:
        """Kills a night after so many seconds; whether it was not over by then."""
        process = self.start(night)
        until = time.monotonic() + seconds
        return nights.kill_when(process, lambda: time.monotonic() > until)

    def seconds(self, night: int) -> float:
        """Lets a night go to its end; how long it took."""
        process = self.start(night)
        begun = time.monotonic()
        _, said = process.communicate()
        assert process.returncode == 0, said
        return time.monotonic() - begun

    def lines(self) -> int:
        """How many lines the journal has."""
        journal = self.folder / "refresh.jsonl"
        return len(journal.read_bytes().splitlines()) if journal.exists() else 0

    def began(self, night: int) -> bool:
        """Whether the journal tells of a night."""
        return bool(self._told(night))

    def stage(self, night: int) -> str:
        """The stage that a night is in."""
        done = [line["stage"] for line in self._told(night) if line["event"] == "staged"]
        return STAGES[len(set(done)) % len(STAGES)]

    def _told(self, night: int) -> list[dict[str, Any]]:
        journal = self.folder / "refresh.jsonl"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [told for line in lines if (told := json.loads(line)).get("refresh") == night]


@pytest.fixture
def suffering(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Platform]:
    """Makes a platform whose store is to suffer; `param` is its home. Each takes the place of
    the one before."""
    key = os.environ["INCONCERT_KEY_FILE"]
    url = str(tmp_path / "store")
    if request.param == "neo4j":
        url = str(request.getfixturevalue("neo4j_url"))
        monkeypatch.setenv("INCONCERT_KEY_FILE", key)

    def made() -> Platform:
        if request.param == "neo4j":
            wipe(url)
        for place in (tmp_path / "suffering", tmp_path / "store"):
            shutil.rmtree(place, ignore_errors=True)
        return Platform.make(tmp_path / "suffering", url)

    return made


@pytest.fixture(scope="module")
def clean(surroundings: Path) -> Clean:
    """What a store that does not suffer holds after a night that brought what it always
    brings: one store for all tests."""
    platform = Platform.make(surroundings / "clean", str(surroundings / "clean-store"))
    after: list[dict[str, Any]] = []

    def undisturbed(night: int) -> dict[str, Any]:
        while len(after) < night:
            nights.deliver(platform.folder, len(after) + 1)
            after.append(platform.end(len(after) + 1))
        return after[night - 1]

    return undisturbed


HOMES = pytest.mark.parametrize("suffering", ["embedded", "neo4j"], indirect=True)


@HOMES
def test_killed_after_any_step_it_ends_as_if_nothing_had_been(
    suffering: Callable[[], Platform], clean: Clean, request: pytest.FixtureRequest
) -> None:
    steps = range(1, STEPS) if "INCONCERT_KILLS" in os.environ else (2, 8, 11, 15)
    kills = 0
    platform = suffering()
    for night, chosen in enumerate(_parts(list(steps), A_NIGHT), 1):
        nights.deliver(platform.folder, night)
        before = platform.lines()
        for step in chosen:
            if not platform.killed_after(night, before + step):
                break  # it has no so many steps
            kills += 1
        told = f"night {night}, killed at steps {chosen}"
        assert platform.end_at_last(night) == clean(night), told
    assert kills
    note(request, "kill -9 after each step of a refresh", kills, Survived())


@HOMES
@pytest.mark.parametrize("seed", [3])
def test_killed_at_any_moment_it_ends_as_if_nothing_had_been(
    suffering: Callable[[], Platform], clean: Clean, seed: int, request: pytest.FixtureRequest
) -> None:
    moments = random.Random(seed)
    wanted = KILLS if KILLS > 8 else 3
    killed: Counter[str] = Counter()
    while killed.total() < wanted:
        platform = suffering()
        nights.deliver(platform.folder, 1)
        seconds = platform.seconds(1)  # anew each time: the machine may have other work
        for night in range(2, NIGHTS + 1):
            nights.deliver(platform.folder, night)
            killed.update(_killed_in(platform, night, seconds, moments))
            assert platform.end_at_last(night) == clean(night), f"night {night}, {killed}"
            if killed.total() >= wanted:
                break
    assert KILLS <= 8 or {"load", "detect"} <= set(killed)
    where = ", ".join(f"{stage} {killed[stage]}" for stage in STAGES if stage in killed)
    happened = f"{Survived().happened}; killed in {where}"
    note(request, "kill -9 at random moments of a refresh", killed.total(), Survived(happened))


def _killed_in(
    platform: Platform, night: int, seconds: float, moments: random.Random
) -> Iterator[str]:
    """Kills a night, which would take so many seconds, at random moments, early ones first:
    it is over sooner each time. The stages that it was in."""
    for moment in sorted(moments.uniform(0, seconds) for _ in range(A_NIGHT)):
        if not platform.killed_at(night, moment):
            return
        yield platform.stage(night)


def test_a_server_that_goes_in_any_stage_and_comes_back(
    clean: Clean, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with own_server(tmp_path) as server:
        platform = Platform.make(tmp_path / "suffering", server.url)
        nights.deliver(platform.folder, 1)
        platform.end(1)
        clean(1)
        stops = STAGES if "INCONCERT_KILLS" in os.environ else STAGES[:1]
        for night, stage in enumerate(stops, 2):
            nights.deliver(platform.folder, night)
            process = platform.start_anew(night)
            wait_for_stage(platform, process, night, stage)
            server.kill()
            time.sleep(1)
            server.start()
            _, said = process.communicate()
            assert process.returncode in (0, UnreachableError.exit_code), said
            assert platform.end_at_last(night) == clean(night), f"gone in {stage}"
    happened = "it waits for a while, else it ends with exit code 4; " + Survived().happened
    note(request, "Neo4j killed and started in each stage", len(stops), Survived(happened))


def wait_for_stage(platform: Platform, process: Any, night: int, stage: str) -> None:
    """Returns when a night has come to a stage, or has ended."""
    while process.poll() is None and not (platform.began(night) and platform.stage(night) == stage):
        time.sleep(0.002)


def test_a_full_disk_loses_nothing(
    small_disk: Path,
    clean: Clean,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    resize(small_disk, "64m")
    platform = Platform.make(tmp_path / "suffering", str(small_disk / "store"))
    nights.deliver(platform.folder, 1)
    platform.end(1)
    clean(1)
    filler = small_disk / "filler"
    rooms = (0, 100_000, 300_000)
    for night, room in enumerate(rooms, 2):
        nights.deliver(platform.folder, night)
        free = shutil.disk_usage(small_disk).free
        filler.write_bytes(bytes(max(free - room, 0)))
        process = platform.start(night)
        _, said = process.communicate()
        assert process.returncode in (0, 1), said
        if process.returncode:
            assert re.search("No space left|disk is full|disk I/O error", said), said
        filler.unlink()
        assert platform.end_at_last(night) == clean(night), f"with room for {room} bytes"
    happened = "it ends with one sentence; " + Survived().happened
    note(request, "a disk that is full", len(rooms), Survived(happened))


def test_a_file_that_grows_while_it_is_read_is_taken_when_it_is_whole(
    tmp_path: Path, clean: Clean, request: pytest.FixtureRequest
) -> None:
    platform = Platform.make(tmp_path / "suffering", str(tmp_path / "store"))
    nights.deliver(platform.folder, 1)
    assert platform.end(1) == clean(1)
    nights.deliver(platform.folder, 2)
    file = platform.folder / "feed" / "2026-05-09" / "transfers.csv"
    whole = file.read_text().splitlines(keepends=True)
    stats = file.stat()
    file.write_text("".join(whole[:20]))
    os.utime(file, ns=(stats.st_atime_ns, stats.st_mtime_ns))
    process = platform.start(2)
    with file.open("a") as growing:
        for line in whole[20:]:
            growing.write(line)
            growing.flush()
            time.sleep(0.03)
    _, said = process.communicate()
    assert process.returncode in (0, 1), said
    os.utime(file, ns=(stats.st_atime_ns, stats.st_mtime_ns))
    now, expected = platform.end(2), clean(2)  # the first one may have ended without that file
    assert now["facts"] == expected["facts"]
    assert now["runs"][0][1] == expected["runs"][0][1]
    happened = "a changed file is not loaded, and is taken when it stands still"
    note(request, "a file that grows while it is read", 1, Survived(happened))


def test_a_clock_that_jumps_back_changes_nothing(
    tmp_path: Path, clean: Clean, request: pytest.FixtureRequest
) -> None:
    platform = Platform.make(tmp_path / "suffering", str(tmp_path / "store"))
    for night in (1, 2):
        nights.deliver(platform.folder, night)
        after = platform.end(night)
        assert after == clean(night)
    nights.deliver(platform.folder, 3)
    process = platform.start(1)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "clock" in said
    assert nights.content(platform.url)["events"] == after["events"]
    assert platform.end(3)["facts"] == clean(3)["facts"]
    happened = "it ends with one sentence, nothing is changed"
    note(request, "a clock that jumps back", 1, Survived(happened))


def _parts(every: list[int], size: int) -> Iterator[list[int]]:
    for begin in range(0, len(every), size):
        yield every[begin : begin + size]
