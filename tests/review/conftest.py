"""Stores of both homes, and a queue of findings made by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from appeal_worlds import make
from made_once import Made
from neo4j_servers import keep_keys_apart
from queue_helpers import ANN, AS_OF, hold, members, run_of
from queue_world import NOW, filled
from score_towns import Ground

from graph.store import Store, init_store
from inconcert.settings import settings
from review.intake import Filled, fill
from review.people import Person

HOMES = ["embedded", "neo4j"]

Call = Callable[..., tuple[int, str, str]]
MadeQueue = Callable[[bool], Made]


@pytest.fixture(params=HOMES)
def url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Where a new store can be made."""
    if request.param == "embedded":
        return str(tmp_path / "store")
    return str(request.getfixturevalue("neo4j_url"))


@pytest.fixture(params=HOMES)
def place(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where `Made.at` can put a store. On a server, what the test before it left may be there."""
    if request.param == "embedded":
        return str(tmp_path / "store")
    keep_keys_apart(tmp_path, monkeypatch)
    return str(request.getfixturevalue("neo4j_server").url)


@pytest.fixture
def ground(tmp_path: Any) -> Ground:
    """Where towns settle. What is worked out from a snapshot is asked of a folder's: that a
    server's says the same is in `test_both_homes_score_alike.py`."""
    return Ground(tmp_path, None)


@pytest.fixture
def named(place: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, for tests of whole commands: the environment names it, a fixed clock and ann,
    and nothing of whoever runs the tests."""
    for name in (
        *("INCONCERT_KEY_FILE", "COLUMNS"),
        *("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INCONCERT_STORE", place)
    monkeypatch.setenv("INCONCERT_NOW", NOW)
    monkeypatch.setenv("INCONCERT_USER", "ann")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    return place


@pytest.fixture(scope="session")
def made_queue(tmp_path_factory: pytest.TempPathFactory) -> MadeQueue:
    """The small world of `queue_world`, masked or not, made once."""
    return cache(lambda masked: Made(filled(tmp_path_factory.mktemp("queue") / "store", masked)))


@pytest.fixture
def full(made_queue: MadeQueue, named: str) -> Store:
    """The small world of `queue_world`, at the place that the environment names."""
    return made_queue(False).at(named)


@pytest.fixture
def masked(made_queue: MadeQueue, named: str) -> Store:
    """The same in a store that masks accounts."""
    return made_queue(True).at(named)


@pytest.fixture(scope="session")
def made_world(tmp_path_factory: pytest.TempPathFactory) -> MadeQueue:
    """The simulated world of `appeal_worlds`, masked or not, made once."""
    return cache(lambda masked: Made(make(tmp_path_factory.mktemp("world"), masked=masked)))


@pytest.fixture
def there(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For commands about the simulated world, which ends after the fixed clock."""
    monkeypatch.delenv("INCONCERT_NOW")


@pytest.fixture
def call_as(call: Call, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs `inconcert review …` as somebody: exit code, stdout, stderr."""

    def call_as(user: str, *words: object) -> tuple[int, str, str]:
        monkeypatch.setenv("INCONCERT_USER", user)
        return call("review", *words)

    return call_as


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
