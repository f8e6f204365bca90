"""Worlds that many tests look at, each made once."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from engine_helpers import RING, Town, act_as_one, ask, crowd, load_frames, settle, world_frames

from detectors.engine.result import Result
from graph.store import Store, init_store
from inconcert.simulate import World, make_world


@pytest.fixture(scope="session")
def world() -> World:
    """2,000 accounts; three groups that act as one, and every innocent crowd."""
    return make_world(2000, 24_000, 3, 60, None, ["device", "wash", "mesh"])


@pytest.fixture(scope="session")
def frames(world: World) -> dict[str, pl.DataFrame]:
    return world_frames(world)


@pytest.fixture(scope="session")
def world_store(frames: dict[str, pl.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("world")
    store = init_store(str(folder / "store"))
    load_frames(store, folder, frames)
    return store


@pytest.fixture(scope="session")
def world_result(world_store: Store) -> Result:
    """All families at 5 %, 19 permutations."""
    return ask(world_store)


@pytest.fixture(scope="session")
def town_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """500 strangers, and ten accounts of 0.6 % each that act as one and share devices."""
    town = Town()
    crowd(town, 500, holding=188)
    act_as_one(town, RING)
    town.hold(RING, 600)
    return settle(town, tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="session")
def town_result(town_store: Store) -> Result:
    return ask(town_store)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place for a town of one's own."""
    return tmp_path / "town"
