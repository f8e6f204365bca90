"""How the processes of a test run share the tests: file by file.

Each process starts a Neo4j of its own for its session. Where INCONCERT_TEST_NEO4J names one, two
processes must not wipe it: then all tests on it are one process's.
"""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
FIXTURES = {"the session's server": r"\bneo4j_(url|server)\b", "guarded": r"\bguarded_server\b"}
"""What a file of tests says when it uses a server; the first that it says counts."""


TURNS = ("graph", "detectors", "", "cypher")
"""The folders of tests in their turn; the empty name is of all others. One process begins with
tests that detect nothing: until it comes to those that do, the other one has compiled what both
then read from disk."""


def turn(nodeid: str) -> int:
    """When a test's folder is due."""
    folder = nodeid.removeprefix("tests/").partition("/")[0]
    return TURNS.index(folder if folder in TURNS else "")


class ByServer(LoadScopeScheduling):
    """Tests of one unit run in one process, in order."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """Its file, apart for tests on a server and for others; of a server that there is only one
    of, all tests on it. `tests/graph/test_store.py::test_x[neo4j]` is on the session's server, the
    same with `[embedded]` on none."""
    file, _, rest = nodeid.partition("::")
    session, *_ = FIXTURES
    on = session if re.search(r"[\[-]neo4j[\]-]", rest) else _server_of(file)
    alone = on is not None and (on != session or "INCONCERT_TEST_NEO4J" in os.environ)
    return on if on and alone else f"{file} on {on}"


@functools.cache
def _server_of(file: str) -> str | None:
    text = (ROOT / file).read_text(encoding="utf-8")
    return next((server for server, word in FIXTURES.items() if re.search(word, text)), None)
