"""Commands on a Neo4j server that asks for a password and encrypts."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import neo4j
import pytest
from refusals import refused

from graph.store import open_store

INCONCERT = str(Path(sys.executable).with_name("inconcert"))


@pytest.fixture
def guarded(guarded_server, tmp_path, monkeypatch):
    """A server that asks for a password; none is set."""
    for name in ("NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_PASSWORD_FILE", "NEO4J_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INCONCERT_STORE", guarded_server.url)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    with (
        neo4j.GraphDatabase.driver(guarded_server.url, auth=guarded_server.auth) as driver,
        driver.session() as session,
    ):
        session.run("MATCH (n) DETACH DELETE n").consume()
    return guarded_server


def test_a_server_with_encryption(call, guarded, monkeypatch):
    if shutil.which("openssl") is None:
        pytest.skip("a certificate is made by openssl")
    monkeypatch.setenv("NEO4J_PASSWORD", guarded.password)
    for scheme in ("neo4j+ssc", "bolt+ssc"):
        url = guarded.url.replace("neo4j:", f"{scheme}:")
        refused(call("store", "info", "--store", url), 1, "There is no store")
    vouched = guarded.url.replace("neo4j:", "neo4j+s:")
    refused(call("store", "info", "--store", vouched), 4, "with encryption (TLS)", "neo4j+ssc://")


def test_passwords(call, guarded, deals, tmp_path, monkeypatch):
    refused(call("store", "init"), 4, "asks for a password and none is set", "NEO4J_PASSWORD")
    monkeypatch.setenv("NEO4J_PASSWORD", "wrong-secret")
    refused(call("store", "init"), 4, "refuses the user or the password")
    for _ in range(5):
        code, out, err = call("detect")
        assert (code, out) == (4, "")
        assert "wrong-secret" not in err
    assert "too many wrong passwords" in err
    time.sleep(5)  # as long as the server keeps out whoever guesses
    monkeypatch.delenv("NEO4J_PASSWORD")
    file = tmp_path / "password"
    monkeypatch.setenv("NEO4J_PASSWORD_FILE", str(file))
    refused(call("store", "init"), 1, str(file), "No such file")
    file.write_text(guarded.password + "\n")
    assert call("store", "init")[0] == 0
    assert call("load", "transfers", deals)[0] == 0
    monkeypatch.setenv("NEO4J_PASSWORD", guarded.password)
    monkeypatch.setenv("NEO4J_USERNAME", "nobody")
    refused(call("store", "info"), 4, "refuses the user or the password")


def test_a_password_is_nowhere_in_what_is_said(guarded, deals, tmp_path, caplog, call, monkeypatch):
    caplog.set_level(logging.DEBUG, logger="neo4j")
    monkeypatch.setenv("NEO4J_PASSWORD", guarded.password)
    said = []
    for words in (
        ["store", "init"],
        ["load", "transfers", deals, "-v"],
        ["store", "info"],
        ["store", "info", "--format", "json"],
        ["store", "check", "-v"],
        ["detect", "-v"],
        ["store", "init"],
        ["store", "compact"],
        ["show", "x"],
        ["store", "info", "--store", guarded.url.replace("//", f"//neo4j:{guarded.password}@")],
        ["store", "info", "--store", f"{guarded.url}?password={guarded.password}"],
        ["store", "info", "--store", f"{guarded.url}/{guarded.password}"],
    ):
        said += call(*words)[1:]
    assert open_store(guarded.url).database_user == "neo4j"  # the log of a review names it
    monkeypatch.setenv("NEO4J_DATABASE", "nope")
    said += call("store", "info")[1:]
    monkeypatch.setenv("NEO4J_USERNAME", "nobody")
    said += call("store", "info")[1:]
    assert len(caplog.records) > 100
    assert guarded.password not in "".join(said) + caplog.text
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert made
    assert not any(guarded.password.encode() in path.read_bytes() for path in made)


def test_a_password_is_no_argument_of_any_process(guarded, deals):
    environment = os.environ | {"NEO4J_PASSWORD": guarded.password}
    command = [INCONCERT, "store", "init", guarded.url]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=-3) as run:
        seen = set()
        while run.poll() is None:
            for path in Path("/proc").glob(f"{run.pid}/task/*/cmdline"):
                seen.add(path.read_bytes())
            time.sleep(0.01)
    assert run.returncode == 0
    assert seen
    assert not any(guarded.password.encode() in line for line in seen)
