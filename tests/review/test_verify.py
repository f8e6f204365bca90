"""Whoever changes the log is found out."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ANN, BOB, group, members, the_case

from graph.log import Actor, Draft
from graph.store import Store, init_store, open_store
from review import desk as at
from review import moves
from review.log import act, project
from review.policy import built_in
from review.verify import verify

Do = Callable[..., Any]


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Store, Path]:
    """An embedded store, and the file that its log is in."""
    store = init_store(str(tmp_path / "kept"))
    return store, tmp_path / "kept" / "ledger.sqlite"


def some_events(store: Store, count: int = 6) -> None:
    actor = Actor("ann", "ann", "investigator")
    for number in range(count):
        draft = Draft("view/c1", "viewed", {"version": number}, f"words {number}")
        store.log.write(lambda desk, draft=draft: desk.record(actor, draft), project)


def test_a_log_as_it_was_written_is_whole(store: Store, take: Do) -> None:
    assert verify(store).problems == []
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]
    act(store, ANN, lambda desk: at.claim(desk, ANN, key))
    act(store, ANN, lambda desk: at.comment(desk, ANN, key, "my cousin"))
    found = verify(store)
    assert found.problems == []
    assert found.events == store.log.head().number
    assert found.head == store.log.head()
    head = store.log.head().digest
    act(store, BOB, lambda desk: at.look(desk, BOB, key))
    assert verify(store, head).problems == []
    assert "cut off" in verify(store, "0" * 64).problems[0]


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("UPDATE events SET user = 'bob' WHERE number = 3", "Event 3 was changed"),
        ("UPDATE events SET body = '{\"version\":9}' WHERE number = 3", "Event 3 was changed"),
        ("UPDATE events SET at = '2020-01-01T00:00:00Z' WHERE number = 3", "Event 3 was changed"),
        ("DELETE FROM events WHERE number = 3", "Event 4 follows event 2: event 3 is missing"),
        (
            "UPDATE events SET number = 100, version = 100 WHERE number = 3",
            "Event 4 follows event 2: event 3 is missing",
        ),
        (
            "INSERT INTO events SELECT 7, subject, 7, action, at, clock, 'eve', login, role, body, "
            "words_digest, digest, digest FROM events WHERE number = 6",
            "Event 7 was changed",
        ),
        ("UPDATE words SET text = 'other' WHERE number = 2", "words of event 2 are not what"),
        ("DELETE FROM words WHERE number = 2", "words of event 2 are gone, and nobody erased"),
        ("UPDATE views SET doc = '{\"version\":1}'", "The seen c1/ann is not what the events come"),
        ("DELETE FROM views", "The seen c1/ann is missing"),
        ("INSERT INTO views VALUES ('case', 'x', '{}')", "There is a case x that no event made"),
    ],
)
def test_whoever_changes_it_is_found_out(kept: tuple[Store, Path], sql: str, named: str) -> None:
    store, file = kept
    some_events(store)
    assert verify(store).problems == []
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(sql)
    connection.commit()
    connection.close()
    problems = verify(store).problems
    assert any(named in problem for problem in problems), problems


def test_a_tail_that_was_cut_off_shows_against_an_anchor_alone(kept: tuple[Store, Path]) -> None:
    store, file = kept
    some_events(store)
    anchor = store.log.head().digest
    connection = sqlite3.connect(file)
    connection.executescript(
        "DELETE FROM words WHERE number = 6; DELETE FROM events WHERE number = 6;"
        "UPDATE views SET doc = '{\"version\":4}';"
    )
    connection.close()
    assert verify(store).problems == []
    assert "cut off" in verify(store, anchor).problems[0]


def test_a_log_of_a_newer_version_is_said_to_be_so(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    draft = Draft(f"case/{the_case(store)['id']}", "foretold", {})
    store.log.write(lambda desk: desk.record(ANN.anybody(), draft), lambda event, views: None)
    [problem] = [one for one in verify(store).problems if "foretold" in one]
    assert "newer" in problem


DECIDES = """
import sys
sys.path.insert(0, {tests!r})
from conftest import ANN, BOB
from graph.store import open_store
from review import desk as at
from review.log import act
from review.policy import built_in

store = open_store(sys.argv[1])
key = sys.argv[2]
print("ready", flush=True)
while True:
    def work(desk):
        at.comment(desk, ANN, key, "again")
        at.move(desk, ANN, key, "awaiting_holder", built_in())
        at.move(desk, ANN, key, "in_review", built_in())
    act(store, ANN, work)
"""


def test_kill_9_in_mid_decision_leaves_all_of_it_or_nothing(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]

    def begin(desk: Any) -> None:
        at.claim(desk, ANN, key)
        at.move(desk, ANN, key, moves.IN_REVIEW, built_in())

    act(store, ANN, begin)
    code = DECIDES.format(tests=str(Path(__file__).parent))
    for delay in (0.0, 0.05, 0.11, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-c", code, store.url, key],
            stdout=subprocess.PIPE,
            env=os.environ,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        again = open_store(store.url)
        found = verify(again)
        assert found.problems == []
        assert the_case(again)["state"] == moves.IN_REVIEW
        assert (the_case(again)["version"] - 3) % 3 == 0
