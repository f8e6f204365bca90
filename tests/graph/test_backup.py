"""Back-up and restore: whatever a store tells, the restored one tells, on either home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from backup_helpers import add, all_told, assert_goes_on, make_history

from graph.backup import restore
from graph.backup_folder import FolderBackup, write_backup
from graph.errors import BusyError, DamagedError, UserError
from graph.store import Store, init_store, open_store
from inconcert.cli import run

Places = Callable[[str], str]
PAIRS = [(one, other) for one in ("embedded", "neo4j") for other in ("embedded", "neo4j")]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """A URL for a new store of a home; the second on the server has a prefix."""
    given: list[str] = []

    def place(home: str) -> str:
        given.append(home)
        if home == "embedded":
            return str(tmp_path / f"store{len(given)}")
        url = str(request.getfixturevalue("neo4j_url"))
        return f"{url}?prefix=Other" if given.count("neo4j") > 1 else url

    return place


@pytest.fixture
def history(tmp_path: Path) -> Store:
    store = init_store(str(tmp_path / "history"), masked=True, holdings_rule="rolled", issuers=["i"])
    make_history(store)
    return store


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_restored_store_tells_what_its_source_told(
    source: str, target: str, place: Places, tmp_path: Path
) -> None:
    store = init_store(place(source), masked=True, holdings_rule="rolled", issuers=['is"suer', ""])
    make_history(store)
    write_backup(store.backup(), tmp_path / "backup")
    told = all_told(store)
    backup = FolderBackup.open(tmp_path / "backup")
    url = place(target)
    assert all_told(restore(backup, store.key, url)) == told
    restored = open_store(url)
    assert all_told(restored) == told
    assert restored.check().problems == []
    assert restored.unfinished() == []
    assert_goes_on(restored, told, backup.record.next_batch, backup.record.next_ix)
    assert all_told(store) == told
    with pytest.raises(UserError, match="is a store already"):
        restore(backup, store.key, url)
