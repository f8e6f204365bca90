"""A folder with settings, where a platform delivers, and a store of either home."""

from __future__ import annotations

from pathlib import Path

import nights
import pytest

from graph.store import init_store


@pytest.fixture(params=["embedded", "neo4j"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new store that the settings here are for."""
    url = str(tmp_path / "store")
    if request.param == "neo4j":
        url = str(request.getfixturevalue("neo4j_url"))
    monkeypatch.setenv("INCONCERT_NOW", nights.now(0))
    monkeypatch.setenv("INCONCERT_STORE", url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    init_store(url)
    return url
