"""A first load through neo4j-admin gives the same store as one over Bolt."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from backup_helpers import all_told, assert_goes_on, make_history

from graph.errors import UserError
from graph.keys import keep_key
from graph.neo4j.bulk import SCRIPT, Target, export
from graph.neo4j.store import Neo4jStore, key_path
from graph.store import Store, init_store, open_store
from inconcert.devserver import Server as DevServer
from inconcert.devserver.server import free_ports


def stopped_server(folder: Path) -> DevServer:
    """A server that has never been started."""
    ports = free_ports()
    server = DevServer(folder / "neo4j", next(ports), next(ports))
    server.configure({})
    return server


def test_what_is_imported_is_what_bolt_brings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    store = init_store(str(tmp_path / "stage"), holdings_rule="rolled", issuers=['is"suer', ";"])
    make_history(store)
    told = all_told(store)
    (tmp_path / "files").mkdir()
    keep_key(key_path("the-id"), store.key)
    export(store.backup(), tmp_path / "files", Target("neo4j", "Our", "the-id"))
    server = stopped_server(tmp_path)
    monkeypatch.setenv("INCONCERT_NEO4J_ADMIN", str(server.admin_script(tmp_path / "admin")))
    done = subprocess.run([tmp_path / "files" / SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    server.start()
    with server:
        url = f"{server.url}?prefix=Our"
        with pytest.raises(UserError, match="has no schema yet"):
            open_store(url)
        init_store(url)
        imported = open_store(url)
        assert all_told(imported) == told
        assert imported.check().problems == []
        record = store.backup().record
        assert_goes_on(imported, told, record.next_batch, record.next_ix)
