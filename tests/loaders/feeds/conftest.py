"""A night's work without its stages: fetch, load what is delivered, keep the marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graph.store import Store, init_store
from inconcert.settings import parse
from loaders.feeds import Delivery, Feed, Mark, feeds, refuse_changed
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import Result, load

NOW = "2026-06-01T12:00:00Z"


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCONCERT_NOW", NOW)
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)


class Night:
    """A store, one feed, and the marks of what was loaded."""

    def __init__(self, store: Store, feed: Feed, staging: Path) -> None:
        self.store = store
        self.feed = feed
        self.staging = staging
        self.marks: list[Mark] = []
        self.told: list[str] = []

    def fetch(self) -> list[Delivery]:
        found = self.feed.fetch(self.marks, self.staging, self.told.append)
        # a mark goes through JSON on its way to the record and back
        return [
            Delivery(**{**vars(one), "mark": json.loads(json.dumps(one.mark))}) for one in found
        ]

    def load(self, delivery: Delivery) -> Result:
        with inputs(delivery.paths, delivery.input_format) as readers:
            return load(
                self.store,
                sources()[delivery.kind],
                readers,
                delivery.options,
                before_commit=lambda: refuse_changed(delivery),
            )

    def __call__(self) -> list[Result]:
        """Fetch and load all; the marks are kept, each after its load."""
        results = []
        for delivery in self.fetch():
            results.append(self.load(delivery))
            self.marks.append(delivery.mark)
        return results

    def found(self) -> list[list[str]]:
        """The names of the files of each delivery that is ready."""
        return [[Path(path).name for path in one.paths] for one in self.fetch()]


@pytest.fixture
def feed_of() -> Callable[[str], Feed]:
    """The feed that a `[[feed]]` table (without its head) is."""

    def make(text: str) -> Feed:
        (feed,) = feeds(parse("[[feed]]\n" + text).feed)
        return feed

    return make


@pytest.fixture
def night(tmp_path: Path, feed_of: Callable[[str], Feed]) -> Callable[..., Any]:
    def make(text: str, **properties: Any) -> Night:
        store = init_store(str(tmp_path / "store"), **properties)
        return Night(store, feed_of(text), tmp_path / "staging")

    return make
