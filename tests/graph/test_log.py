"""The review log of both homes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from graph.clock import iso
from graph.errors import UserError
from graph.log import Actor, Desk, Draft, Event, Views, digest_of, digest_of_words, first_link
from graph.store import Store

ANN = Actor("ann", "ann", "investigator")


def count(event: Event, views: Views) -> None:
    """What a subject comes to: its events, and the last action."""
    said = views.get("count", event.subject) or {"events": 0}
    if event.action == "end":
        views.drop("count", event.subject)
    else:
        views.put(
            "count", event.subject, {"events": said["events"] + 1, "last": event.facts.get("n")}
        )


def record(store: Store, *drafts: Draft) -> list[Event]:
    return store.log.write(lambda desk: desk.record(ANN, *drafts), count)


def test_before_the_first_event_there_is_nothing(store: Store) -> None:
    assert store.log.head().number == 0
    assert store.log.head().digest == first_link(store.properties.key_fingerprint)
    assert list(store.log.events()) == []
    assert store.log.view("count", "case/a") is None
    assert store.log.views("count") == {}
    assert store.log.kinds() == []
    assert store.log.words() == {}


def test_events_are_numbered_and_chained(store: Store) -> None:
    first, second = record(store, Draft("case/a", "begin", {"n": 1}), Draft("case/b", "begin"))
    (third,) = record(store, Draft("case/a", "go", {"n": 2, "ä": [None, 1.5]}, "words ü"))
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert [one.version for one in (first, second, third)] == [1, 1, 2]
    assert list(store.log.events()) == [first, second, third]
    assert list(store.log.events("case/a")) == [first, third]
    assert list(store.log.events(after=1)) == [second, third]
    assert list(store.log.events("case/a", after=1)) == [third]
    assert first.previous == first_link(store.properties.key_fingerprint)
    assert (second.previous, third.previous) == (first.digest, second.digest)
    for one in (first, second, third):
        assert one.digest == digest_of(one[:-1])
    assert third.facts == {"n": 2, "ä": [None, 1.5]}
    head = store.log.head()
    assert (head.number, head.digest, head.at) == (3, third.digest, third.at)


def test_views_follow_the_events(store: Store) -> None:
    record(store, Draft("case/b", "begin"), Draft("case/a", "begin"), Draft("case/a", "go"))
    assert store.log.view("count", "case/a") == {"events": 2, "last": None}
    assert list(store.log.views("count")) == ["case/a", "case/b"]
    assert store.log.kinds() == ["count"]
    record(store, Draft("case/a", "end"))
    assert list(store.log.views("count")) == ["case/b"]


def test_a_transaction_sees_what_it_wrote_and_is_wholly_there_or_not_at_all(store: Store) -> None:
    def work(desk: Desk) -> None:
        desk.record(ANN, Draft("case/a", "begin"))
        assert (desk.get("count", "case/a") or {})["events"] == 1
        assert desk.head.number == 1
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        store.log.write(work, count)
    assert store.log.head().number == 0
    assert store.log.views("count") == {}
    assert record(store, Draft("case/a", "begin"))[0].number == 1


def test_words_can_be_erased_and_the_chain_stays_whole(store: Store) -> None:
    event, other = record(
        store, Draft("case/a", "say", {}, "my cousin"), Draft("case/b", "say", {}, "")
    )
    words = store.log.words()
    assert words[1].text == "my cousin"
    assert words[2].text == ""
    assert digest_of_words(words[1]) == event.words_digest
    assert digest_of_words(words[2]) == other.words_digest
    assert "cousin" not in event.body
    assert list(store.log.words("case/b")) == [2]
    store.log.write(lambda desk: desk.erase([1]), count)
    assert list(store.log.words()) == [2]
    assert next(store.log.events()) == event


def test_the_clock_never_goes_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCONCERT_NOW", "2026-03-01T12:00:00Z")
    (event,) = record(store, Draft("case/a", "begin"))
    assert (event.at, event.clock) == ("2026-03-01T12:00:00Z", "set")
    monkeypatch.setenv("INCONCERT_NOW", "2026-03-01T11:59:59.999Z")
    with pytest.raises(UserError, match=r"clock says 2026-03-01T11:59:59.999000Z.*12:00:00Z"):
        record(store, Draft("case/a", "go"))
    assert store.log.head().number == 1
    monkeypatch.setenv("INCONCERT_NOW", "2026-03-01T12:00:00.5Z")
    assert record(store, Draft("case/a", "go"))[0].version == 2
    monkeypatch.delenv("INCONCERT_NOW")
    assert record(store, Draft("case/a", "go"))[0].clock == "machine"


def test_a_set_clock_does_not_close_a_log_that_goes_by_the_machines(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = iso(datetime.now(UTC) + timedelta(days=1000))
    record(store, Draft("case/a", "begin"))
    soon = iso(datetime.now(UTC) + timedelta(minutes=1))
    monkeypatch.setenv("INCONCERT_NOW", soon)
    assert record(store, Draft("case/a", "go"))[0].clock == "set"
    monkeypatch.setenv("INCONCERT_NOW", ahead)  # the last event's clock was set: no matter
    with pytest.raises(UserError, match="has yet to come, and this log goes by the machine's"):
        record(store, Draft("case/a", "go"))
    assert store.log.head().number == 2
    monkeypatch.setenv("INCONCERT_NOW", soon)
    assert record(store, Draft("case/a", "go"))[0].version == 3


def test_a_rehearsal_sets_the_clock_as_it_likes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for year in (2020, 2077, 2078):
        monkeypatch.setenv("INCONCERT_NOW", f"{year}-01-01")
        assert record(store, Draft("case/a", "go"))[0].clock == "set"


def test_which_sorts_of_events_there_are(store: Store) -> None:
    def sorts(desk: Desk) -> list[str]:
        return desk.sorts

    assert store.log.write(sorts, count) == []
    record(store, Draft("case/a", "begin"), Draft("case/b", "begin"), Draft("log", "begin"))

    def more(desk: Desk) -> list[str]:
        desk.record(ANN, Draft("case/b", "go"), Draft("case/a", "begin"))
        return desk.sorts

    assert store.log.write(more, count) == ["case/begin", "case/go", "log/begin"]
    assert store.log.write(sorts, count) == ["case/begin", "case/go", "log/begin"]


def test_a_reading_of_several_things_is_of_one_moment_or_the_head_says_so(store: Store) -> None:
    record(store, Draft("case/a", "begin"))
    with store.log.reading() as reading:
        head = reading.head()
        record(store, Draft("case/a", "go", {}, "words"))
        later = reading.head()
        seen = (reading.views("count"), list(reading.events()), list(reading.words()))
    if later == head:
        assert seen == ({"case/a": {"events": 1, "last": None}}, [next(store.log.events())], [])
    else:
        assert seen[0] == {"case/a": {"events": 2, "last": None}}
    assert (later == head) == ("://" not in store.url)


def test_nobody_changes_an_event_without_leaving_a_trace(store: Store) -> None:
    """A digest covers every field."""
    (event,) = record(store, Draft("case/a", "begin", {"n": 1}))
    fields = list(event[:-1])
    for place, value in enumerate(fields):
        changed: list[Any] = list(fields)
        changed[place] = value + 1 if isinstance(value, int) else value + "x"
        assert digest_of(changed) != event.digest


CLAIM = """
import sys
from graph.errors import UserError
from graph.log import Actor, Draft
from graph.store import open_store
url, me = sys.argv[1:]
store = open_store(url)

def project(event, views):
    views.put("claim", event.subject, {"owner": event.user})

def claim(desk):
    for number in range(CASES):
        subject = f"case/{number}"
        if desk.get("claim", subject) is None:
            desk.record(Actor(me, me, "investigator"), Draft(subject, "claim"))
            return subject
    return None

while store.log.write(claim, project):
    pass
"""


@pytest.mark.parametrize(
    ("people", "cases"), [(6, 24), pytest.param(50, 200, marks=pytest.mark.long)]
)
def test_of_many_who_claim_at_once_each_case_has_exactly_one(
    store: Store, people: int, cases: int
) -> None:
    code = CLAIM.replace("CASES", str(cases))
    each = [
        subprocess.Popen([sys.executable, "-c", code, store.url, f"p{one}"], env=os.environ)
        for one in range(people)
    ]
    assert [one.wait(200) for one in each] == [0] * people
    events = list(store.log.events())
    assert [one.number for one in events] == list(range(1, cases + 1))
    assert sorted(one.subject for one in events) == sorted(f"case/{n}" for n in range(cases))
    owners = store.log.views("claim")
    assert {one.subject: one.user for one in events} == {
        case: doc["owner"] for case, doc in owners.items()
    }
    for before, after in pairwise(events):
        assert after.previous == before.digest
