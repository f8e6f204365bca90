"""A real Neo4j Community server of one's own: for tests, `bench neo4j` and trying out.

Needs Java 17 or later, and Maven the first time; no container engine, no installation.
Its password and its data are its owner's to throw away: not a server to keep facts in.

    with start(folder) as server:
        init_store(server.url)

`python -m inconcert.devserver` runs one in the foreground.
"""

from inconcert.devserver.install import missing, prepare
from inconcert.devserver.server import Server, start

__all__ = ["Server", "missing", "prepare", "start"]
