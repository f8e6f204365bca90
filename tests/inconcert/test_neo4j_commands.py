"""Commands on a Neo4j server: bad use is one clear sentence, the right code, and quick."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import neo4j
import pytest
from long_form import LONG
from neo4j_servers import asked, own_server
from refusals import refused
from town_files import write

from cypher import names, statement
from graph.digest import new_key
from graph.neo4j.server import Server
from graph.store import init_store, open_store
from inconcert.simulate import make_world, write_world

INCONCERT = str(Path(sys.executable).with_name("inconcert"))
QUICK = 20.0
"""Seconds: far below the minutes of a retry, far above what a busy machine needs."""


@pytest.fixture
def here(neo4j_url, monkeypatch):
    """The URL of an empty database, named by INCONCERT_STORE."""
    monkeypatch.setenv("INCONCERT_STORE", neo4j_url)
    return neo4j_url


@pytest.mark.parametrize(
    "words",
    [
        ["store", "init"],
        ["store", "info"],
        ["store", "check"],
        ["store", "withdraw", "1"],
        ["supply", "show"],
        ["supply", "set", "5", "--from", "2026-01-01"],
        ["load", "transfers", "deals.csv"],
        ["detect"],
        ["groups"],
        ["runs"],
        ["show", "x"],
        ["why", "a", "b"],
        ["trace", "a"],
    ],
    ids=" ".join,
)
def test_nobody_there(call, monkeypatch, deals, words):
    for scheme in ("neo4j", "bolt"):
        monkeypatch.setenv("INCONCERT_STORE", f"{scheme}://127.0.0.1:1")
        refused(call(*words), 4, f"No Neo4j server answers at {scheme}://127.0.0.1:1")


def test_nobody_there_is_known_at_once(call):
    for url in ("neo4j://127.0.0.1:1", "neo4j://no-such-host.invalid", "bolt+s://127.0.0.1:1"):
        begun = time.monotonic()
        refused(call("store", "info", "--store", url), 4, "No Neo4j server answers")
        assert time.monotonic() - begun < QUICK


def test_a_server_without_encryption(call, here):
    begun = time.monotonic()
    for scheme in ("neo4j+s", "bolt+ssc"):
        url = here.replace("neo4j:", f"{scheme}:")
        refused(call("store", "info", "--store", url), 4, "with encryption (TLS)", "neo4j://")
    assert time.monotonic() - begun < QUICK


def test_the_port_of_browser(call, neo4j_server):
    if neo4j_server.control is None:
        pytest.skip("only a server of our own tells its port of Browser")
    neo4j_server.control.wait_for_browser()
    url = neo4j_server.control.http_url
    refused(call("store", "info", "--store", url), 1, "http:// is no kind of store", "neo4j://")
    bolt = url.replace("http:", "bolt:")
    refused(call("store", "info", "--store", bolt), 4, "o Neo4j server", "Bolt address?")


@pytest.mark.parametrize("scheme", ["neo4j", "bolt"])
@pytest.mark.parametrize("database", ["nope", "no pe`}", "x" * 70])
def test_a_database_that_is_not_there(call, here, monkeypatch, scheme, database):
    monkeypatch.setenv("NEO4J_DATABASE", database)
    url = here.replace("neo4j:", f"{scheme}:")
    refused(call("store", "init", url), 4, f"has no database '{database}'", "NEO4J_DATABASE")


def test_the_database_of_the_server_itself(call, here, monkeypatch):
    monkeypatch.setenv("NEO4J_DATABASE", "system")
    refused(call("store", "init"), 1, "'system' is the server's own")


def test_no_store_there_and_one_already(call, here):
    refused(call("store", "info"), 1, "There is no store", f"store init {here}")
    assert call("store", "init")[0] == 0
    refused(call("store", "init"), 1, "is a store already")


def test_a_database_of_something_else(call, here, deals):
    asked(here, "CREATE (:Person {name: 'x'})-[:LIKES]->(:Movie)")
    code, out, err = call("store", "init")
    refused((code, out, err), 1, "'neo4j'", "nodes with the labels Movie, Person")
    assert f"{here}?prefix=Inconcert" in err
    kept = asked(here, "MATCH (n)-[r]->(m) RETURN labels(n) AS n, type(r) AS r, labels(m) AS m")
    assert [row.values() for row in kept] == [[["Person"], "LIKES", ["Movie"]]]


def test_commands_to_copy_are_quoted(call, here):
    """A question mark in a URL is a pattern to a shell."""
    url = f"{here}?prefix=Copied"
    refused(call("store", "info", "--store", url), 1, f"`inconcert store init '{url}'`")
    asked(here, "CREATE (:CopiedAccount)")
    refused(call("store", "init", url), 1, f"'{here}?prefix=Inconcert'")
    asked(here, "MATCH (n) DELETE n")
    assert call("store", "init", url)[0] == 0
    Server.connect(here).outside("bench/drop_index", name="Copied_batch_state")
    code, _, err = call("store", "check", "--store", url)
    assert code == 1
    assert f"`inconcert store init '{url}'` makes it" in err


def test_a_server_does_not_tell_its_bytes(call, here):
    assert call("store", "init")[0] == 0
    assert json.loads(call("store", "info", "--format", "json")[1])["bytes"] is None
    assert call("store", "info")[0] == 0


@pytest.mark.long
def test_saved_queries_warn_of_nothing_that_was_not_loaded(call, tmp_path, monkeypatch):
    """On a server on which nothing ever was: names of an earlier store would stay."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    with own_server(tmp_path) as server, neo4j.GraphDatabase.driver(server.url) as driver:
        assert call("store", "init", f"{server.url}?prefix=Team")[0] == 0
        for name in names("explore"):
            found = statement(name, "Team")
            parameters = dict(_parameters(found, "nobody"))
            summary = driver.execute_query(found.text, parameters).summary
            warned = [s.status_description for s in summary.gql_status_objects if s.is_notification]
            assert not warned, name


def test_a_url_that_is_none(call):
    for url, words in (
        ("neo4j://localhost:port", "does not name a server"),
        ("neo4j://localhost/neo4j", "NEO4J_DATABASE"),
        ("neo5j://localhost", "neo5j:// is no kind of store"),
        ("neo4j://localhost?prefix=a-b", "'a-b' cannot stand before labels"),
        ("neo4j://localhost?prefx=Team&Prefix=T", "'prefx' and 'Prefix'"),
        ("neo4j://localhost?prefx=Team", "'neo4j://localhost?prefix=Team'"),
        ("neo4j://localhost?prefix=Team&db=x", "says 'db'"),
        ("neo4j://neo4j:secret@localhost", "does not belong in a URL"),
    ):
        refused(call("store", "info", "--store", url), 1, words)


def test_another_key_or_none(call, here, tmp_path, monkeypatch, deals):
    assert call("store", "init")[0] == 0
    assert call("load", "transfers", deals)[0] == 0
    (tmp_path / "other").write_text(new_key() + "\n")
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(tmp_path / "other"))
    for words in (["store", "info"], ["load", "transfers", deals], ["detect"]):
        refused(call(*words), 1, "is not the key of the store", "INCONCERT_KEY_FILE")
    monkeypatch.setenv("INCONCERT_KEY_FILE", str(tmp_path / "lost"))
    refused(call("store", "info"), 1, "lost", "missing")
    monkeypatch.delenv("INCONCERT_KEY_FILE")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another machine"))
    refused(call("load", "transfers", deals), 1, "another machine", "missing")
    assert not (tmp_path / "another machine").exists()


def test_what_is_only_for_folders(call, here):
    assert call("store", "init")[0] == 0
    refused(call("store", "compact"), 1, "nothing to compact")


def test_a_store_of_a_newer_format(call, here):
    assert call("store", "init")[0] == 0
    asked(here, "MATCH (s:Store) SET s.format = 999")
    for words in (["store", "info"], ["detect"], ["store", "init"]):
        refused(call(*words), 1, "format 999", "later")


@pytest.mark.parametrize("seconds", ["soon", "nan", "-1"])
def test_a_patience_that_is_none(call, here, monkeypatch, seconds):
    assert call("store", "init")[0] == 0
    monkeypatch.setenv("INCONCERT_RETRY_SECONDS", seconds)
    refused(call("store", "info"), 1, "INCONCERT_RETRY_SECONDS", seconds)


HOSTILE = ["x'}) DETACH DELETE n //", 'q"u`o\\te', "${run}", "𝔘😀", "\u202elast", "a,b", "--help"]


@pytest.mark.examples
def test_hostile_names_through_a_whole_detection(call, here, tmp_path, monkeypatch):
    """The same groups with the same members as in a folder; saved queries answer, and do
    nothing else, whatever they are asked for."""
    monkeypatch.setenv("INCONCERT_USER", HOSTILE[0])
    ring = [f"{HOSTILE[place % len(HOSTILE)]} {place}" for place in range(10)]
    crowd = [f"c{number:03}" for number in range(200)]
    files = {
        "transfers": [
            ("src", "dst", "amount", "at", "kind", "id"),
            *(
                (one, ring[(place + 1) % 10], 50, f"2026-05-{day:02}", HOSTILE[0], f"{one}{day}")
                for day in range(1, 9)
                for place, one in enumerate(ring)
            ),
        ],
        "sightings": [
            ("account", "identifier_kind", "value"),
            *((one, HOSTILE[0], HOSTILE[place // 5]) for place, one in enumerate(ring)),
            (ring[4], HOSTILE[0], HOSTILE[1]),
        ],
        "holdings": [
            ("account", "amount", "at"),
            *((one, 600, "2026-05-01") for one in ring),
            *((one, 470, "2026-05-01") for one in crowd),
        ],
        "links": [
            ("a", "b", "verdict", "by", "why"),
            (ring[0], ring[1], "same_owner", *HOSTILE[:2]),
        ],
    }
    results = {}
    for url in (str(tmp_path / "folder"), here):
        assert call("store", "init", url)[0] == 0
        for kind, rows in files.items():
            path = write(tmp_path / f"{kind}.csv", *rows)
            said = call("load", kind, path, "--store", url)
            assert said[0] == 0, said
        code, out, err = call("detect", "--store", url, "--permutations", "9", "--format", "json")
        assert code == 0, err
        results[url] = json.loads(out)
    found = results[here]
    assert found["result_sha256"] == results[str(tmp_path / "folder")]["result_sha256"]
    assert {member["account"] for member in found["groups"][0]["members"]} == set(ring)
    assert open_store(here).run("r").result["groups"] == found["groups"]
    _ask_everything(Server.connect(here), found["groups"][0]["id"], ring)


def test_a_simulated_world_gives_the_same_result_in_a_folder(call, here, tmp_path, monkeypatch):
    """The same facts give the same result, bit for bit: the home does not matter."""
    monkeypatch.setenv("INCONCERT_NOW", "2026-07-02")  # after the world's last day
    world = tmp_path / "world"
    write_world(make_world(1000, 12_000, 3, 60, None, ["device", "wash"]), world)
    found = []
    for url in (here, str(tmp_path / "folder")):
        assert call("store", "init", url)[0] == 0
        for file in sorted(world.glob("*.parquet")):
            code, out, err = call("load", file.stem, file, "--store", url, "--format", "json")
            loaded = json.loads(out)
            assert (code, loaded["loaded"]) == (0, loaded["read"]), err
        words = ("detect", "--no-save", "--permutations", "19", "--format", "json")
        code, out, err = call(*words, "--store", url)
        assert code == 0, err
        found.append(json.loads(out))
    on_server, in_folder = found
    assert on_server["groups"]
    for told in ("result_sha256", "supply", "pairs"):
        assert on_server[told] == in_folder[told]


def _ask_everything(server, group, ring):
    count = "MATCH (n) OPTIONAL MATCH (n)-[r]->() RETURN count(DISTINCT n) AS n, count(r) AS r"
    before = asked(server.address.url, count)[0].values()
    drawn = asked(
        server.address.url,
        "MATCH (:Group {id: $group})-[:INCLUDES]->(a) RETURN a.id AS id",
        group=group,
    )
    assert {row["id"] for row in drawn} == set(ring)
    texts = (group, ring[0], HOSTILE[0])
    for place, name in enumerate(names("explore")):
        for text in texts if LONG else (texts[place % 3],):
            server.read(name, **dict(_parameters(statement(name), text)))
    assert asked(server.address.url, count)[0].values() == before


def _parameters(found, text):
    for line in found.examples:
        word, _, example = line.removeprefix(":param ").partition(" => ")
        yield word, text if example.startswith("'") else _example(example)


def _example(text):
    if text.startswith("datetime("):
        return neo4j.time.DateTime.from_iso_format(text[10:-2].removesuffix("Z")[:10] + "T00:00:00")
    return int(text)


def test_two_stores_made_at_once(here):
    """Of two that make a store in one database one is told that it came second."""
    command = [INCONCERT, "store", "init", here]
    both = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=60)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 1], said
    assert "is a store already" in "".join(said)
    assert "Traceback" not in "".join(said)
    assert open_store(here).check().problems == []


def test_a_folder_and_a_server_are_told_apart(call, here, tmp_path):
    init_store(str(tmp_path / "folder"))
    assert call("store", "init")[0] == 0
    assert call("store", "info", "--store", tmp_path / "folder")[0] == 0
    assert call("store", "info")[0] == 0
