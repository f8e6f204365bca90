"""A simulated world in a store with its findings in the queue."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from detectors.engine.detect import detect
from detectors.engine.record import save
from graph.clock import now
from graph.log import Doc
from graph.store import Store, init_store
from inconcert.asking import make_request, request_of
from inconcert.demo import KINDS, load_world
from inconcert.manners import Manners
from inconcert.simulate import make_world, write_world
from review import desk as at
from review.appeal_file import parse
from review.appeals import answer, enter
from review.intake import fill
from review.log import act
from review.people import Person
from review.policy_history import in_force
from review.settings import UNNAMED

LINE = Fraction(5, 100)

ACCOUNTS = 1_000
"""Enough for a group of each grade and for single accounts; a test on a server reads them all."""


def person(user: str, *accounts: str) -> Person:
    return Person(user, user, UNNAMED, accounts)


ANN, BOB, EVE = person("ann"), person("bob"), person("eve")


def make(folder: Path, *, masked: bool = False) -> Store:
    """A store with its accounts, one detection, and its findings in the queue."""
    write_world(make_world(ACCOUNTS, 12 * ACCOUNTS, 1, 60), folder / "world")
    store = init_store(str(folder / "store"), masked=masked)
    load_world(Manners(), store, folder / "world", KINDS)
    run = save(store, detect(store, make_request((), [LINE], permutations=9)))
    fill(store, ANN, run)
    return store


def case_of(store: Store, grade: str = "corroborated") -> Doc:
    """The largest group of a grade."""
    found = [
        one
        for one in store.log.views("case").values()
        if one["on"] == "group" and one["grade"] == grade
    ]
    return max(found, key=lambda one: one["share"])


def members_of(store: Store, key: str) -> list[Doc]:
    found = store.log.view("members", key)
    assert found is not None
    members: list[Doc] = found["members"]
    return members


def policy(store: Store) -> Any:
    return in_force(store.log.views("policy"), now())


def do(store: Store, who: Person, step: Any, *words: Any, **more: Any) -> Any:
    """One step of somebody, as a function of `review.desk`."""
    return act(store, who, lambda desk: step(desk, who, *words, **more))


def load(store: Store, who: Person, key: str, text: str) -> dict[str, Any]:
    return enter(store, who, key, parse(text, "answer.toml"), request_of)


def say(
    store: Store,
    who: Person,
    key: str,
    outcome: str,
    words: str = "It is so.",
    look: bool = True,
    **more: Any,
) -> Doc:
    """Answer the open appeal, having looked at the case."""
    if look:
        do(store, who, at.look, key)
    answered: Doc = do(store, who, answer, key, outcome, words, fingerprint="f", **more)
    return answered


def review(store: Store, key: str) -> None:
    """Bring a case into Ann's review."""
    do(store, ANN, at.claim, key)
    do(store, ANN, at.move, key, "in_review", policy(store))


def confirm(store: Store, key: str) -> None:
    """Ann proposes that it is one will, Bob agrees: the group is frozen."""
    review(store, key)
    do(store, ANN, at.decide, key, "confirmed", words="They move as one.")
    do(store, BOB, at.look, key)
    do(store, BOB, at.second, key, True, fingerprint="f")
