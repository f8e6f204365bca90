"""How the processes of a test run share the tests: file by file, and one server is one process's.

Starting a Neo4j and planning its first queries takes more than most files of tests do; and
two processes must not wipe the one server that INCONCERT_TEST_NEO4J names.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
FIXTURES = {"the session's server": r"\bneo4j_(url|server)\b", "guarded": r"\bguarded_server\b"}
"""What a file of tests says when it uses a server; the first that it says counts."""


TURNS = ("graph", "detectors", "", "cypher")
"""The folders of tests in their turn; the empty name is of all others. The session's server
begins with tests that detect nothing: until it comes to those that do, the other process has
compiled what both then read from disk."""


def turn(nodeid: str) -> int:
    """When a test's folder is due."""
    folder = nodeid.removeprefix("tests/").partition("/")[0]
    return TURNS.index(folder if folder in TURNS else "")


class ByServer(LoadScopeScheduling):
    """Tests of one unit run in one process, in order."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """The server that a test uses, else its file: `tests/graph/test_store.py::test_x[neo4j]`
    is of the session's server, the same with `[embedded]` of its file."""
    file, _, rest = nodeid.partition("::")
    if re.search(r"[\[-]neo4j[\]-]", rest):
        return next(iter(FIXTURES))
    return _server_of(file) or file


@functools.cache
def _server_of(file: str) -> str | None:
    text = (ROOT / file).read_text(encoding="utf-8")
    return next((server for server, word in FIXTURES.items() if re.search(word, text)), None)
