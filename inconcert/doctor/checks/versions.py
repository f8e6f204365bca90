"""Which versions are at work, and do they understand each other?"""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version

import inconcert
from graph.store import FORMAT
from inconcert.doctor import Finding, Site, ok, problem, warning

LIBRARIES = ("polars", "deltalake", "pyarrow", "neo4j")
OLDEST_PYTHON = (3, 11)
LONG_TERM = "5.26."
"""The long-term version of Neo4j; later ones get no fixes once the next one is out."""


def look(site: Site) -> Iterator[Finding]:
    """The program's, the store's, the server's, the log's."""
    said = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    line = f"inconcert {inconcert.__version__}, Python {platform.python_version()}, {said}."
    yield ok(line) if sys.version_info >= OLDEST_PYTHON else problem(line, "Use Python 3.11.")
    store = site.store
    yield ok(
        f"The store is of format {store.properties.format}; this version knows up to {FORMAT}."
    )
    if site.is_server:
        yield _server(site)
    yield _log(site)


def _server(site: Site) -> Finding:
    from graph.neo4j.store import Neo4jStore

    store = site.store
    assert isinstance(store, Neo4jStore)
    found = store.server.read("store/version")[0]["version"]
    if found.startswith(LONG_TERM):
        return ok(f"The server is Neo4j {found}, long-term support.")
    return warning(
        f"The server is Neo4j {found}, which is no long-term version.", "5.26 is; keep up with it."
    )


def _log(site: Site) -> Finding:
    from review.log import understands

    unknown = [sort for sort in site.store.log.sorts() if not understands(sort)]
    if unknown:
        return problem(
            f"The log has events ({', '.join(unknown)}) of a newer version of inconcert.",
            "Use that version, or one that is newer still.",
        )
    return ok("This version understands every sort of event in the log.")
