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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fault_helpers import resize
from faults_table import Survived, note
from neo4j_servers import own_server

from graph.errors import UnreachableError
from graph.store import init_store, open_store
from review import refreshes
from review.refreshes import STAGES

sys.path.insert(0, str(Path(__file__).parents[1] / "inconcert" / "refresh"))
import nights  # of the refresh's own tests

pytestmark = [
    pytest.mark.faults,
    pytest.mark.timeout(600 + 8 * int(os.environ.get("INCONCERT_KILLS", "8"))),
]

KILLS = int(os.environ.get("INCONCERT_KILLS", "8"))
A_NIGHT = 4
"""As often a night is killed before it may end."""

STEPS = 21
"""Lines that the journal of an undisturbed night has."""


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Stores with one key name the same rows by the same digests."""
    for name in ("INCONCERT_STORE", "INCONCERT_USER"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "one-key"
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(place))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return place


@dataclass
class Platform:
    """Nights of one store: `url`, delivered in `folder`."""

    folder: Path
    url: str
    seconds: float = 3.0
    """What a night takes, as far as it is known."""

    @classmethod
    def make(cls, folder: Path, url: str) -> Platform:
        folder.mkdir(exist_ok=True)
        nights.settle(folder)
        with pytest.MonkeyPatch.context() as clock:
            clock.setenv("INCONCERT_NOW", nights.now(0))
            init_store(url)
        return cls(folder, url)

    def start(self, night: int) -> Any:
        return nights.start(self.folder, nights.now(night), "--store", self.url)

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
        process = self.start(night)
        return nights.kill_when(process, lambda: self.lines() >= lines)

    def killed_at(self, night: int, seconds: float) -> bool:
        """Kills a night after so many seconds; whether it was not over by then."""
        begun = time.monotonic()
        killed = nights.kill_when(self.start(night), lambda: time.monotonic() > begun + seconds)
        if not killed:
            self.seconds = time.monotonic() - begun
        return killed

    def lines(self) -> int:
        """How many lines the journal has."""
        journal = self.folder / "refresh.jsonl"
        return len(journal.read_bytes().splitlines()) if journal.exists() else 0


@pytest.fixture
def suffering(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    one_key: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Platform:
    """A platform whose store is to suffer; `param` is its home."""
    url = str(tmp_path / "store")
    if request.param == "neo4j":
        url = str(request.getfixturevalue("neo4j_url"))
        os.environ["INCONCERT_KEY_FILE"] = str(
            request.getfixturevalue("tmp_path_factory").getbasetemp() / "one-key"
        )
    return Platform.make(tmp_path / "suffering", url)


@pytest.fixture
def clean(tmp_path: Path) -> Callable[[int], dict[str, Any]]:
    """Delivers a night to a store that does not suffer; what that holds afterwards."""
    platform = Platform.make(tmp_path / "clean", str(tmp_path / "clean-store"))

    def undisturbed(night: int) -> dict[str, Any]:
        nights.deliver(platform.folder, night)
        return platform.end(night)

    return undisturbed


HOMES = pytest.mark.parametrize("suffering", ["embedded", "neo4j"], indirect=True)


@HOMES
def test_killed_after_any_step_it_ends_as_if_nothing_had_been(
    suffering: Platform, clean: Callable[[int], dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    steps = range(1, STEPS) if "INCONCERT_KILLS" in os.environ else (2, 8, 11, 15)
    kills = 0
    for night, chosen in enumerate(_parts(list(steps), A_NIGHT), 1):
        nights.deliver(suffering.folder, night)
        before = suffering.lines()
        for step in chosen:
            if not suffering.killed_after(night, before + step):
                break  # it has no so many steps
            kills += 1
        told = f"night {night}, killed at steps {chosen}"
        assert suffering.end_at_last(night) == clean(night), told
    assert kills
    note(request, "kill -9 after each step of a refresh", kills, Survived())


@HOMES
@pytest.mark.parametrize("seed", [3])
def test_killed_at_any_moment_it_ends_as_if_nothing_had_been(
    suffering: Platform,
    clean: Callable[[int], dict[str, Any]],
    seed: int,
    request: pytest.FixtureRequest,
) -> None:
    moments = random.Random(seed)
    kills, night = 0, 0
    while kills < (KILLS if KILLS > 8 else 3):
        night += 1
        nights.deliver(suffering.folder, night)
        for _ in range(A_NIGHT):
            if not suffering.killed_at(night, moments.uniform(0.2, suffering.seconds)):
                break
            kills += 1
        assert suffering.end_at_last(night) == clean(night), f"night {night}"
    note(request, "kill -9 at random moments of a refresh", kills, Survived())


def test_a_server_that_goes_in_any_stage_and_comes_back(
    clean: Callable[[int], dict[str, Any]],
    tmp_path: Path,
    one_key: Path,
    request: pytest.FixtureRequest,
) -> None:
    with own_server(tmp_path) as server:
        platform = Platform.make(tmp_path / "suffering", server.url)
        nights.deliver(platform.folder, 1)
        platform.end(1)
        clean(1)
        stops = STAGES if "INCONCERT_KILLS" in os.environ else STAGES[:1]
        for night, stage in enumerate(stops, 2):
            nights.deliver(platform.folder, night)
            process = platform.start(night)
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
    journal = platform.folder / "refresh.jsonl"
    while process.poll() is None:
        done = [json.loads(line) for line in journal.read_text().splitlines()]
        of_night = [line for line in done if line.get("refresh") == night]
        stages = [line["stage"] for line in of_night if line["event"] == "staged"]
        if of_night and STAGES[len(stages) % len(STAGES)] == stage:
            return
        time.sleep(0.002)


def test_a_full_disk_loses_nothing(
    small_disk: Path,
    clean: Callable[[int], dict[str, Any]],
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
    tmp_path: Path, clean: Callable[[int], dict[str, Any]], request: pytest.FixtureRequest
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
    tmp_path: Path, clean: Callable[[int], dict[str, Any]], request: pytest.FixtureRequest
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
