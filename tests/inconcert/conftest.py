"""A small platform, loaded and asked by the commands that its users type."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from town_files import write

from inconcert.cli import run
from inconcert.settings import settings

Call = Callable[..., tuple[int, str, str]]

RING = [f"r{number}" for number in range(10)]
CROWD = [f"c{number:03}" for number in range(300)]
NOW = "2026-06-01T12:00:00Z"


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A fresh folder, a fixed clock, and nothing set by whoever runs the tests."""
    for name in ("INCONCERT_STORE", "INCONCERT_KEY_FILE", "INCONCERT_USER", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INCONCERT_NOW", NOW)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()


def ring_deals() -> list[tuple[str, str, int, str]]:
    """The ring passes points round on eight days; strangers deal once each; two shop."""
    rows = [
        (member, RING[(place + step) % 10], 50, f"2026-05-{day:02}T0{step}:00:{place:02}Z")
        for day in range(1, 9)
        for place, member in enumerate(RING)
        for step in (1, 2)
    ]
    rows += [
        (CROWD[place], CROWD[(place * 7 + step) % 300], 5 + step, f"2026-05-1{step}T00:00:00Z")
        for place in range(300)
        for step in (1, 2, 3)
        if (place * 7 + step) % 300 != place
    ]
    return [*rows, (RING[0], "shop", 9, "2026-05-20"), ("shop", CROWD[0], 8, "2026-05-21")]


@pytest.fixture(scope="session")
def platform_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten accounts of 0.6 % each act as one and share devices; 300 strangers; one saved run."""
    folder = tmp_path_factory.mktemp("platform")
    files = {
        "transfers": [("src", "dst", "amount", "at"), *ring_deals()],
        "sightings": [
            ("account", "identifier_kind", "value"),
            *((member, "device", f"d{place // 5}") for place, member in enumerate(RING)),
            (RING[4], "device", "d1"),
            *((account, "device", f"own {account}") for account in CROWD),
        ],
        "holdings": [
            ("account", "amount", "at"),
            *((member, 600, "2026-05-01") for member in RING),
            *((account, "313.3", "2026-05-01") for account in CROWD),
            ("shop", 10, "2026-05-01"),
        ],
        "accounts": [("account", "role"), ("shop", "merchant")],
        "links": [
            ("a", "b", "verdict", "by", "why"),
            (CROWD[1], CROWD[2], "unrelated", "the board", "cousins"),
            (CROWD[3], CROWD[4], "same_owner", "the board", "one passport"),
        ],
    }
    store = str(folder / "store")
    assert run(["store", "init", store]) == 0
    for kind, rows in files.items():
        path = write(folder / f"{kind}.csv", *rows)
        assert run(["load", kind, str(path), "--store", store]) == 0
    assert run(["detect", "--permutations", "19", "--store", store]) == 0
    return folder


@pytest.fixture
def platform(platform_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The platform's store, to look at; INCONCERT_STORE names it."""
    monkeypatch.setenv("INCONCERT_STORE", str(platform_folder / "store"))
    return platform_folder / "store"


@pytest.fixture
def own_platform(platform_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store, to change."""
    place = tmp_path / "store"
    shutil.copytree(platform_folder / "store", place)
    monkeypatch.setenv("INCONCERT_STORE", str(place))
    return place


@pytest.fixture
def deals(tmp_path: Path) -> Path:
    """A file of two transfers."""
    return write(tmp_path / "deals.csv", ("src", "dst", "amount"), ("a", "b", 1), ("b", "c", 2))
