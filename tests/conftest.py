"""The real Neo4j of a test session. A session that needs none starts none."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from neo4j_servers import TestServer, keep_keys_apart, own_server, some_server, wipe
from sharing import ByServer, turn

from inconcert.cli import run
from inconcert.devserver import Server as DevServer
from inconcert.settings import settings

Call = Callable[..., tuple[int, str, str]]

# How long one example takes says how busy the machine is; pytest's timeout ends what hangs.
hypothesis.settings.register_profile("no deadline", deadline=None)
hypothesis.settings.load_profile("no deadline")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByServer:
    return ByServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: turn(item.nodeid))


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command line, with the settings of now: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        settings.cache_clear()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="session")
def neo4j_server() -> Iterator[TestServer]:
    """A server for the whole session: `.url`, `.control`. `some_server` says which.

    Set INCONCERT_TEST_NEO4J to take one of your own: **tests WIPE it**.
    """
    with some_server() as server:
        yield server


@pytest.fixture
def neo4j_url(neo4j_server: TestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database (schema of earlier tests may be there); keys go into a folder of
    the test's own."""
    keep_keys_apart(tmp_path, monkeypatch)
    wipe(neo4j_server.url)
    return neo4j_server.url


@pytest.fixture(scope="session")
def _guarded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevServer]:
    place = tmp_path_factory.mktemp("guarded")
    settings = encryption(place) if shutil.which("openssl") else {}
    with own_server(place, password="never-in-any-output", settings=settings) as server:
        yield server
        server.kill()


@pytest.fixture
def guarded_server(_guarded_server: DevServer) -> DevServer:
    """A server that asks for a password, to kill, fill and restart: it runs when a test
    begins. It encrypts too, with a certificate of its own, where there is an openssl."""
    if _guarded_server.pid is None:
        _guarded_server.start()
    return _guarded_server


def encryption(folder: Path) -> dict[str, str]:
    """Makes a certificate; what neo4j.conf says to use it."""
    made = ["-keyout", str(folder / "private.key"), "-out", str(folder / "public.crt")]
    how = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(["openssl", "req", *how, *made], check=True, capture_output=True)
    return {
        "server.bolt.tls_level": "OPTIONAL",
        "dbms.ssl.policy.bolt.enabled": "true",
        "dbms.ssl.policy.bolt.base_directory": str(folder),
    }
