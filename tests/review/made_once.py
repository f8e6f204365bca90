"""A store that is made once, in a folder, and given to each test at a home as it was made."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from neo4j_servers import asked, wipe

from graph.backup import restore
from graph.errors import UserError
from graph.keys import keep_key
from graph.neo4j.log import fill_log
from graph.neo4j.store import Neo4jStore, key_path, store_node
from graph.store import Store, is_server, open_store
from review.log import project


@dataclass(frozen=True)
class Made:
    """A store to give to tests: as a copy of its folder, or on a server. There its facts and runs
    stay from one test to the next; the log, to which tests write, is filled anew."""

    store: Store

    def at(self, url: str) -> Store:
        """The store as it was made, at a place that nobody else uses now."""
        if not is_server(url):
            shutil.copytree(self.store.url, url)
            return open_store(url)
        there = self._still_there(url)
        if there is None:
            wipe(url)
            return restore(self.store.backup(), self.store.key, url, project=project)
        if there.log.head() != self.store.log.head():
            asked(url, "MATCH (n) WHERE n:Event OR n:Words OR n:View OR n:Log DETACH DELETE n")
            fill_log(there.server, self.store.backup().log(), project)
        return there

    def _still_there(self, url: str) -> Neo4jStore | None:
        """What an earlier test left of it, when all but the log is as it was made."""
        try:
            there = Neo4jStore.open(url)
        except UserError:
            return None
        alike = [
            (store.properties, store.batches(), store.runs(), store.supplies())
            for store in (there, self.store)
        ]
        if alike[0] != alike[1]:
            return None
        node = store_node(there.server)
        assert node is not None
        keep_key(key_path(node["id"]), self.store.key)
        return there
