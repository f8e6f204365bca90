"""Loading files into a real embedded store, and its facts as sets of tuples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graph.store import Store, init_store
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import Result, load
from loaders.plan import Options

NOW = "2026-06-01T12:00:00Z"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCONCERT_NOW", NOW)
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)


@pytest.fixture
def new_store(tmp_path: Path) -> Callable[..., Store]:
    made: list[Store] = []

    def make(**properties: Any) -> Store:
        made.append(init_store(str(tmp_path / f"store{len(made)}"), **properties))
        return made[-1]

    return make


@pytest.fixture
def store(new_store: Callable[..., Store]) -> Store:
    return new_store()


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    def write(name: str, content: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


class Loader:
    """`load(store, kind, files…)` with the words it said on the way."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def __call__(
        self, store: Store, kind: str, *files: str, input_format: str | None = None, **options: Any
    ) -> Result:
        with inputs(files, input_format) as readers:
            result = load(store, sources()[kind], readers, Options(**options), say=self.said.append)
        counts = result.counts
        assert counts.read == (counts.loaded + counts.known + counts.conflicts + counts.quarantined)
        return result


@pytest.fixture
def loading() -> Loader:
    return Loader()
