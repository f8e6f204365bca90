"""Temporary folders: gone with their process, or cleared by the next one; never one in use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graph import scratch

OWNER = """
import sys
from graph import scratch
place = scratch.until_exit()
(place / "holdings-0.parquet").write_bytes(b"what accounts hold")
print(place, flush=True)
sys.stdin.read()
"""

MANY = """
import sys
from graph import scratch
for number in range(300):
    with scratch.folder() as place:
        (place / "mine").touch()
        scratch.clear()
        assert [path.name for path in place.iterdir()] == ["mine"], number
"""

Owner = tuple["subprocess.Popen[str]", Path]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, of this test alone."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return place


def begin(program: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=pipe,
        stdout=pipe,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.fixture
def owner(temporary: Path) -> Iterator[Callable[[], Owner]]:
    """Starts a process that has a folder, and lives until it is told to end."""
    begun = []

    def start() -> Owner:
        process = begin(OWNER)
        begun.append(process)
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_what_a_killed_process_left_is_removed_by_the_next_one(
    temporary: Path, owner: Callable[[], Owner]
) -> None:
    process, place = owner()
    assert place.stat().st_mode & 0o777 == 0o700
    process.kill()
    process.wait()
    assert [path.name for path in place.iterdir()] == ["holdings-0.parquet"]
    _, other = owner()
    assert not place.exists()
    assert list(temporary.iterdir()) == [other]


def test_what_a_process_uses_stays_until_it_ends(
    temporary: Path, owner: Callable[[], Owner]
) -> None:
    process, place = owner()
    process.send_signal(signal.SIGSTOP)  # it does nothing, and still it is there
    scratch.clear()
    assert (place / "holdings-0.parquet").read_bytes() == b"what accounts hold"
    process.send_signal(signal.SIGCONT)
    process.communicate()
    assert process.returncode == 0
    assert list(temporary.iterdir()) == []


def test_one_s_own_stays_too_and_goes_with_its_block(temporary: Path) -> None:
    with scratch.folder() as place:
        (place / "stdin").touch()
        scratch.clear()
        assert list(temporary.iterdir()) == [place]
        assert list(place.iterdir()) == [place / "stdin"]
    assert list(temporary.iterdir()) == []


def test_a_folder_goes_when_its_block_fails(temporary: Path) -> None:
    with pytest.raises(ValueError, match="half way"), scratch.folder():
        raise ValueError("half way")
    assert list(temporary.iterdir()) == []


def test_nothing_of_anybody_else_is_removed(temporary: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "letter.txt").touch()
    (temporary / f"{scratch.PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{scratch.PREFIX}file").touch()
    (temporary / "another-program").mkdir()
    before = sorted(temporary.iterdir())
    scratch.clear()
    assert sorted(temporary.iterdir()) == before
    assert (elsewhere / "letter.txt").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a folder to another user needs root")
def test_nothing_of_another_user_is_removed(temporary: Path) -> None:
    theirs = temporary / f"{scratch.PREFIX}theirs"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    scratch.clear()
    assert theirs.exists()


def test_processes_that_make_and_clear_at_once_do_not_take_each_other_s(temporary: Path) -> None:
    processes = [begin(MANY) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=100)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert list(temporary.iterdir()) == []
