"""Stores of both homes, and a queue of findings made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from queue_helpers import ANN, AS_OF, hold, members, run_of

from graph.store import Store, init_store
from review.intake import Filled, fill
from review.people import Person

HOMES = ["embedded", "neo4j"]


@pytest.fixture(params=HOMES)
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Where a new store can be made."""
    if request.param == "embedded":
        return str(tmp_path / "store")
    return str(request.getfixturevalue("neo4j_url"))


@pytest.fixture(params=["embedded", pytest.param("neo4j", marks=pytest.mark.long)])
def named(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a new store can be made, which the environment names: for tests of whole commands.
    What they do is tested on both homes besides; so all of it on a server is the long form."""
    named = str(tmp_path / "store")
    if request.param == "neo4j":
        named = str(request.getfixturevalue("neo4j_url"))
    monkeypatch.setenv("INCONCERT_STORE", named)
    return named


@pytest.fixture
def store(url: str) -> Store:
    return init_store(url)


@pytest.fixture
def take(store: Store) -> Callable[..., Filled]:
    """Takes a run with these groups into the queue, once holdings are stated."""
    known: list[str] = []

    def take(*groups: dict[str, Any], who: Person = ANN, as_of: str = AS_OF) -> Filled:
        if not known:
            hold(store, members((0, 60)))
        known.append("")
        run = run_of(f"r{len(known)}", *groups, as_of=as_of)
        store.save_run(run)
        return fill(store, who, run)

    return take
