"""Whoever changes the log is found out."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from long_form import LONG
from neo4j_servers import asked
from queue_helpers import ANN, BOB, group, members, the_case

from graph.backup import restore
from graph.errors import UserError
from graph.log import Actor, Draft, Log, first_link
from graph.store import Store, is_server, open_store
from review import desk as at
from review import moves
from review.log import act, project
from review.policy import built_in
from review.verify import Recount, verify

Do = Callable[..., Any]


def change(store: Store, sql: str, cypher: str) -> None:
    """What somebody who can write to the database does past the log."""
    if is_server(store.url):
        asked(store.url, cypher)
        return
    connection = sqlite3.connect(Path(store.url) / "ledger.sqlite")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.executescript(sql)
    connection.close()


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


THIRD = "MATCH (event:Event {number: 3})"
WORDS = "MATCH (words:Words {number: 2})"


@pytest.mark.parametrize(
    ("sql", "cypher", "named"),
    [
        (
            "UPDATE events SET user = 'bob' WHERE number = 3",
            f"{THIRD} SET event.user = 'bob'",
            "Event 3 was changed",
        ),
        (
            "UPDATE events SET body = '{\"version\":9}' WHERE number = 3",
            f"{THIRD} SET event.body = '{{\"version\":9}}'",
            "Event 3 was changed",
        ),
        (
            "UPDATE events SET at = '2020-01-01T00:00:00Z' WHERE number = 3",
            f"{THIRD} SET event.at = '2020-01-01T00:00:00Z'",
            "Event 3 was changed",
        ),
        (
            "DELETE FROM events WHERE number = 3",
            f"{THIRD} DETACH DELETE event",
            "Event 4 follows event 2: event 3 is missing",
        ),
        (
            "UPDATE events SET number = 100, version = 100 WHERE number = 3",
            f"{THIRD} SET event.number = 100, event.version = 100",
            "Event 4 follows event 2: event 3 is missing",
        ),
        (
            "INSERT INTO events SELECT 7, subject, 7, action, at, clock, 'eve', login, role, body, "
            "words_digest, digest, digest FROM events WHERE number = 6",
            "MATCH (last:Event {number: 6}) CREATE (event:Event) SET event = "
            "last {.*, number: 7, version: 7, user: 'eve', previous: last.digest}",
            "Event 7 was changed",
        ),
        (
            "UPDATE words SET text = 'other' WHERE number = 2",
            f"{WORDS} SET words.text = 'other'",
            "words of event 2 are not what",
        ),
        (
            "DELETE FROM words WHERE number = 2",
            f"{WORDS} DETACH DELETE words",
            "words of event 2 are gone, and nobody erased",
        ),
        (
            "UPDATE views SET doc = '{\"version\":1}'",
            "MATCH (view:View) SET view.doc = '{\"version\":1}'",
            "The seen c1/ann is not what the events come",
        ),
        (
            "DELETE FROM views",
            "MATCH (view:View) DETACH DELETE view",
            "The seen c1/ann is missing",
        ),
        (
            "INSERT INTO views VALUES ('case', 'x', '{}')",
            "CREATE (:View {kind: 'case', key: 'x', doc: '{}'})",
            "There is a case x that no event made",
        ),
    ],
)
def test_whoever_changes_it_is_found_out(store: Store, sql: str, cypher: str, named: str) -> None:
    some_events(store)
    assert verify(store).problems == []
    change(store, sql, cypher)
    problems = verify(store).problems
    assert any(named in problem for problem in problems), problems


def test_a_tail_that_was_cut_off_shows_against_an_anchor_alone(store: Store) -> None:
    some_events(store)
    anchor = store.log.head().digest
    change(
        store,
        "DELETE FROM words WHERE number = 6; DELETE FROM events WHERE number = 6;"
        "UPDATE views SET doc = '{\"version\":4}';",
        "MATCH (last:Event {number: 6}), (before:Event {number: 5}), (words:Words {number: 6}), "
        "(log:Log), (view:View) SET log.number = 5, log.digest = before.digest, log.at = before.at,"
        " view.doc = '{\"version\":4}' DETACH DELETE last, words",
    )
    assert verify(store).problems == []
    assert "cut off" in verify(store, anchor).problems[0]


def foretell(store: Store) -> None:
    """A newer version records something about the first case."""
    draft = Draft(f"case/{next(iter(store.log.views('case')))}", "foretold", {})
    store.log.write(lambda desk: desk.record(ANN.anybody(), draft), lambda event, views: None)


def test_a_log_of_a_newer_version_is_said_to_be_so(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    foretell(store)
    [problem] = [one for one in verify(store).problems if "foretold" in one]
    assert f"Event {store.log.head().number} (foretold of case/" in problem
    assert "is of a newer version of inconcert than this one, or was changed." in problem


def test_nobody_writes_to_a_log_of_a_newer_version(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))), group("g2", members((20, 40))))
    foretell(store)
    head, other = store.log.head(), list(store.log.views("case"))[1]
    with pytest.raises(UserError, match=r"\(case/foretold\) that are of a newer .* nothing was"):
        act(store, ANN, lambda desk: at.claim(desk, ANN, other))
    assert store.log.head() == head


def test_a_log_of_a_newer_version_is_not_restored(store: Store, take: Do, tmp_path: Path) -> None:
    take(group("g1", members((0, 12))))
    foretell(store)
    number = store.log.head().number
    with pytest.raises(UserError, match=rf"Event {number} \(foretold of case/.* newer version"):
        restore(store.backup(), store.key, str(tmp_path / "again"), project=project)


@pytest.mark.faults
def test_people_who_work_meanwhile_are_no_problem(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))), group("g2", members((20, 40))))
    keys = list(store.log.views("case"))
    some_events(store, 40)
    done = threading.Event()

    def work(number: int) -> None:
        other, actor = open_store(store.url), Actor("opa", "opa", "operator")
        while not done.is_set():
            key = keys[number % 2]

            def say(desk: Any, key: str = key) -> None:
                at.comment(desk, ANN, key, "again")
                gone = desk.head.number
                draft = Draft("log", "erased", {"numbers": [gone], "reason": "r"})
                desk.record(actor, draft)
                desk.erase([gone])

            act(other, ANN, lambda desk, key=key: at.comment(desk, ANN, key, "again"))
            act(other, BOB, lambda desk, key=key: at.look(desk, BOB, key))
            act(other, BOB, say)

    threads = [threading.Thread(target=work, args=(one,)) for one in range(2)]
    for one in threads:
        one.start()
    try:
        found = []
        until = time.monotonic() + (3 if LONG else 1)
        while time.monotonic() < until:
            found.append(verify(store))
    finally:
        done.set()
        for one in threads:
            one.join()
    assert [problem for one in found for problem in one.problems] == []
    assert len({one.head for one in found}) > 1
    assert verify(store).head == store.log.head()


def test_somebody_who_writes_between_any_two_reads(store: Store, take: Do) -> None:
    """A server's reads are of different moments; whatever is recorded between two of them, the
    log is whole, and a view that was changed beside it is still found."""
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]
    left = 12

    class Disturbed:
        """A log to which somebody writes before each of the first reads."""

        def __getattr__(self, name: str) -> Any:
            nonlocal left
            if left and name in ("head", "events", "words", "views", "kinds", "view"):
                left -= 1
                act(store, ANN, lambda desk: at.comment(desk, ANN, key, "again"))
            return getattr(store.log, name)

    recount = Recount(first_link(store.properties.key_fingerprint), None, lambda _: None)
    found = recount.all_of(cast("Log", Disturbed()))
    assert found.problems == []
    assert found.head == store.log.head()
    store.log.write(lambda desk: desk.put("case", key, {"id": key}), project)
    left = 12
    recount = Recount(first_link(store.properties.key_fingerprint), None, lambda _: None)
    # the view is set anew by each comment that follows: a comment restores nothing else
    problems = recount.all_of(cast("Log", Disturbed())).problems
    assert f"The case {key} is not what the events come to." in problems


DECIDES = """
import sys
sys.path.insert(0, {tests!r})
from queue_helpers import ANN, BOB
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


DELAYS = (0.0, 0.05, 0.11, 0.2) if LONG else (0.05, 0.2)


@pytest.mark.faults
def test_kill_9_in_mid_decision_leaves_all_of_it_or_nothing(store: Store, take: Do) -> None:
    take(group("g1", members((0, 12))))
    key = the_case(store)["id"]

    def begin(desk: Any) -> None:
        at.claim(desk, ANN, key)
        at.move(desk, ANN, key, moves.IN_REVIEW, built_in())

    act(store, ANN, begin)
    code = DECIDES.format(tests=str(Path(__file__).parent))
    for delay in DELAYS:
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
