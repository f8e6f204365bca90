"""The Neo4j servers that tests run on: real ones, found or started in a fixed order."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import neo4j
import pytest

from graph import scratch
from graph.neo4j.server import Address, credentials
from inconcert.devserver import Server as DevServer
from inconcert.devserver import missing, start
from inconcert.devserver.server import free_ports

IMAGE = "neo4j:5.26-community"
CREDENTIALS = ("NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_PASSWORD_FILE", "NEO4J_DATABASE")

SELDOM_PLANNED = {"dbms.cypher.min_replan_interval": "1h"}
"""Each test begins with an empty database: a plan ten seconds old would always be made anew."""


@dataclass(frozen=True)
class TestServer:
    """A server that tests may wipe."""

    __test__ = False
    url: str
    control: DevServer | None
    """To stop, kill and restart it; None when it is not ours to control."""


@contextlib.contextmanager
def some_server() -> Iterator[TestServer]:
    """The server of this session.

    1. INCONCERT_TEST_NEO4J=URL, with NEO4J_USERNAME and NEO4J_PASSWORD. **Tests WIPE it.**
    2. A container, where a container engine answers.
    3. Java and Maven (`inconcert.devserver`).
    4. None: the test is skipped, loudly; with CI=true it fails.

    Servers of 2 and 3 ask for no password; what the environment says of one is taken out.
    """
    named = os.environ.get("INCONCERT_TEST_NEO4J")
    if named:
        yield TestServer(named, None)
        return
    with pytest.MonkeyPatch.context() as environment:
        for name in CREDENTIALS:
            environment.delenv(name, raising=False)
        if _engine_answers():
            with _container() as url:
                yield TestServer(url, None)
        else:
            with scratch.folder() as home:
                server = own_server(home, settings=SELDOM_PLANNED)
                try:
                    yield TestServer(server.url, server)
                finally:
                    server.kill()


def own_server(folder: Path, **options: Any) -> DevServer:
    """A server of the test's own, to kill: on data in `folder`, started, without a password
    unless `options` (as of `devserver.start`) say another. Ends with the test session;
    `with own_server(...) as server` ends it sooner. Skips or fails where none can run."""
    reason = missing()
    if reason is not None:
        do_without(f"No Neo4j server to test on: {reason}")
    return start(folder / "neo4j", **options)


def do_without(reason: str) -> NoReturn:
    """Skips so that it is seen; in CI that is a failure."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(reason, pytrace=False)
    warnings.warn(reason, stacklevel=2)
    pytest.skip(reason)


def keep_keys_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the keys of stores on a server kept in a folder of the test's own."""
    monkeypatch.delenv("INCONCERT_KEY_FILE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data-home"))


def asked(url: str, query: str, **parameters: Any) -> list[neo4j.Record]:
    """All rows of a statement given as text, beside the product's own connection; with the
    environment's credentials."""
    at = Address.of(url)
    with neo4j.GraphDatabase.driver(at.server, auth=credentials()) as driver:
        return driver.execute_query(query, parameters, database_=at.database).records  # type: ignore[arg-type]


def wipe(url: str, *, schema: bool = False) -> None:
    """Deletes all nodes and relationships; constraints and indexes too when `schema`."""
    at = Address.of(url)
    with (
        neo4j.GraphDatabase.driver(at.server, auth=credentials()) as driver,
        driver.session(database=at.database) as session,
    ):
        session.run(
            "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 10000 ROWS"
        ).consume()
        if schema:
            _drop_schema(session)


def _drop_schema(session: neo4j.Session) -> None:
    for listing, drop in (
        ("SHOW CONSTRAINTS YIELD name", "DROP CONSTRAINT $name"),
        ("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name", "DROP INDEX $name"),
    ):
        for name in session.run(listing).value():
            session.run(drop, name=name).consume()


def _engine_answers() -> bool:
    """Whether a container engine really runs: having its client is not enough."""
    if shutil.which("docker") is None:
        return False
    with contextlib.suppress(subprocess.TimeoutExpired):
        return subprocess.run(["docker", "info"], capture_output=True, timeout=20).returncode == 0
    return False


@contextlib.contextmanager
def _container() -> Iterator[str]:
    """Neo4j in a container of its own, removed afterwards."""
    port = next(free_ports())
    settings = ("AUTH=none", f"server_bolt_advertised__address=127.0.0.1:{port}")
    told = [word for setting in settings for word in ("--env", f"NEO4J_{setting}")]
    run = ["docker", "run", "--rm", "--detach", "--publish", f"127.0.0.1:{port}:7687", *told, IMAGE]
    name = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        yield _once_it_answers(f"neo4j://127.0.0.1:{port}")
    finally:
        subprocess.run(["docker", "kill", name], check=True, stdout=subprocess.DEVNULL)


def _once_it_answers(url: str, seconds: float = 90) -> str:
    until = time.monotonic() + seconds
    while True:
        try:
            with neo4j.GraphDatabase.driver(url) as driver:
                driver.verify_connectivity()
                return url
        except neo4j.exceptions.DriverError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
