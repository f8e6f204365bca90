"""A first load through neo4j-admin gives the same store as one over Bolt."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import neo4j
import pytest
from backup_helpers import all_told, assert_goes_on, make_history

from graph.backup import restore
from graph.errors import UserError
from graph.keys import keep_key
from graph.neo4j.bulk import SCRIPT, Target, write_files
from graph.neo4j.server import credentials
from graph.neo4j.store import key_path
from graph.store import init_store, open_store
from inconcert.devserver import Server as DevServer
from inconcert.devserver.server import free_ports

PLACES = ("seq", "first_seq", "end_seq", "first_ix", "end_ix", "parts")
"""What numbers the rows: a matter of the order in which they were written."""


@pytest.mark.long
def test_what_is_imported_is_what_bolt_brings(
    neo4j_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = init_store(str(tmp_path / "stage"), holdings_rule="rolled", issuers=['is"suer', ";"])
    make_history(store)
    told = all_told(store)
    files = tmp_path / "files"
    files.mkdir()
    keep_key(key_path("the-id"), store.key)
    write_files(store.backup(), files, Target("neo4j", "Our", "the-id"))
    with _imported(files, tmp_path, monkeypatch) as server:
        url = f"{server.url}?prefix=Our"
        with pytest.raises(UserError, match="has no schema yet"):
            open_store(url)
        init_store(url)
        imported = open_store(url)
        assert all_told(imported) == told
        assert imported.check().problems == []
        restore(store.backup(), store.key, neo4j_url)
        by_admin, by_bolt = _graph(server.url, "Our"), _graph(neo4j_url, "")
        assert by_admin == by_bolt
        assert by_admin.total() > store.backup().record.rows
        record = store.backup().record
        assert_goes_on(imported, told, record.next_batch, record.next_ix)


def _imported(files: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> DevServer:
    """A new server whose database was made from files, started."""
    ports = free_ports()
    server = DevServer(folder / "neo4j", next(ports), next(ports))
    server.configure({})
    monkeypatch.setenv("INCONCERT_NEO4J_ADMIN", str(server.admin_script(folder / "admin")))
    done = subprocess.run([files / SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    server.start()
    return server


def _graph(url: str, prefix: str) -> Counter[str]:
    """Every node and relationship of the facts, by its properties and their types."""
    told: Counter[str] = Counter()
    with (
        neo4j.GraphDatabase.driver(url, auth=credentials()) as driver,
        driver.session() as session,
    ):
        for node in session.run("MATCH (n) RETURN labels(n)[0] AS word, properties(n) AS told"):
            if node["word"] not in (f"{prefix}Store", f"{prefix}Loader"):
                told += _one(node["word"], prefix, node["told"])
        for tie in session.run(
            "MATCH (a)-[r]->(b) WHERE a.single IS NULL "  # the store's id is its own
            "RETURN type(r) AS word, properties(r) AS told, "
            "a.id AS one, coalesce(b.id, b.digest, b.uid) AS other"
        ):
            ends = {"one": tie["one"], "other": tie["other"]}
            told += _one(tie["word"], prefix, {**tie["told"], **ends})
    return told


def _one(word: str, prefix: str, told: dict[str, Any]) -> Counter[str]:
    if not word.startswith(prefix):
        return Counter()
    kept = sorted((name, repr(value)) for name, value in told.items() if name not in PLACES)
    return Counter([f"{word.removeprefix(prefix)} {kept}"])
