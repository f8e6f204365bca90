"""`bench neo4j`: files written for neo4j-admin, and its import of them, which is the yardstick."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from graph.errors import UserError
from graph.neo4j.bulk import SCRIPT
from graph.store import Store, init_store, open_store
from inconcert.bench.figures import timed, times
from inconcert.bulk import export
from inconcert.devserver import Server
from inconcert.devserver.server import free_ports

IMPORTS = 2


def bench_bulk(
    folder: Path, load: Callable[[Any], None], note: Callable[[str], None]
) -> dict[str, Any]:
    """Export an embedded store and import it into a server's empty database; the schema,
    which the import does not make, is timed apart."""
    note("bulk: load into a folder")
    store = init_store(str(folder / "staged"))
    load(store)
    transfers = store.fact_counts()["transfers"]
    ports = free_ports()
    server = Server(folder / "imported", next(ports), next(ports), steady=True)
    server.configure({})
    admin = server.admin_script(folder / "neo4j-admin")
    exports, imports = [], []
    for number in range(IMPORTS):
        note(f"bulk, round {number + 1} of {IMPORTS}")
        files = folder / "import-files"
        shutil.rmtree(files, ignore_errors=True)
        exports.append(timed(partial(_export, store, files, server.url))[0])
        imports.append(timed(partial(_import, files, admin))[0])
    note("bulk: the schema")
    server.start()
    with server:
        schema, _ = timed(lambda: init_store(server.url))
        found = open_store(server.url).fact_counts()["transfers"]
    if found != transfers:
        raise RuntimeError(f"{found} of {transfers} transfers were imported")
    product = [one + other for one, other in zip(exports, imports, strict=True)]
    return {
        "export_seconds": exports,
        "import_seconds": imports,
        "schema_seconds": schema,
        "rows_a_second": round(transfers / median(product)),
        "over_admin": times(product, imports),
    }


def _export(store: Store, files: Path, url: str) -> None:
    export(store, store.backup(), files, url, lambda done, note: None)


def _import(files: Path, admin: Path) -> None:
    environment = os.environ | {"INCONCERT_NEO4J_ADMIN": str(admin)}
    done = subprocess.run([files / SCRIPT], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"neo4j-admin failed: {(done.stderr or done.stdout).strip()[-500:]}")
