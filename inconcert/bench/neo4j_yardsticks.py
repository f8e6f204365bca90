"""What `bench neo4j` measures beside: a bare driver, with the statements of the product."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import neo4j
import polars as pl

from cypher import statement
from graph.neo4j.read import SESSIONS, windows
from graph.neo4j.server import Address, Run, Server, Step, credentials
from graph.neo4j.store import Neo4jStore, spans_of

WRITES = "store/write_"

_T = TypeVar("_T")

Part = list[Step]
"""What one transaction wrote: statements and their parameters."""


class Recorder(Server):
    """A server that keeps what is written to it, for `replay`: rows alone, not what the
    product does beside them (lease, batch, numbers)."""

    parts: list[Part]

    def transact(self, work: Callable[[Run], _T], **how: Any) -> _T:
        """As of `Server`; what an attempt that failed has sent is not kept."""
        sent: Part = []

        def noted(run: Run) -> _T:
            sent.clear()

            def keep(name: str, parameters: dict[str, Any]) -> list[neo4j.Record]:
                sent.append((name, parameters))
                return run(name, parameters)

            return work(keep)

        answer = super().transact(noted, **how)
        part = [(name, parameters) for name, parameters in sent if name.startswith(WRITES)]
        self.parts += [part] if part else []
        return answer


def recorded(url: str, load: Callable[[Neo4jStore], object]) -> list[Part]:
    """What a load writes to the store at a URL, transaction by transaction."""
    store = Neo4jStore.open(url)
    store.server.close()
    recorder = Recorder.connect(url)
    assert isinstance(recorder, Recorder)
    recorder.parts = []
    store.server = recorder
    load(store)
    recorder.close()
    return recorder.parts


def replay(url: str, parts: Sequence[Part]) -> None:
    """Send the same rows with the same statements, and nothing else: a plain driver."""
    with _session(url) as (session, prefix):
        for part in parts:
            with session.begin_transaction() as transaction:
                for name, parameters in part:
                    transaction.run(_text(name, prefix), parameters).consume()
                transaction.commit()


def row_by_row(url: str) -> int:
    """Every transfer as a record of its own, gathered into a frame; returns how many."""
    with _session(url) as (session, prefix):
        result = session.run(_text("bench/row_by_row", prefix))
        columns = result.keys()
        rows = [record.values() for record in result]
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None).height


def packed(url: str) -> int:
    """Fetch every transfer with the product's statement and ranges, as many at once, and
    throw them away; returns how many."""
    store = Neo4jStore.open(url)
    loads = [row for row in store.batch_rows() if row["action"] == "load"]
    ranges = list(windows(span.places for span in spans_of(loads, "seq")))
    store.server.close()
    address = Address.of(url)
    text = _text("store/read_transfers", address.prefix)

    def fetch(low: int, high: int) -> int:
        with driver.session(database=address.database) as session:
            [record] = list(session.run(text, low=low, high=high))
            return len(record["seq"])

    with _driver(address) as driver, ThreadPoolExecutor(SESSIONS) as pool:
        return sum(pool.map(lambda span: fetch(*span), ranges))


@contextmanager
def _session(url: str) -> Iterator[tuple[neo4j.Session, str]]:
    address = Address.of(url)
    with _driver(address) as driver, driver.session(database=address.database) as session:
        yield session, address.prefix


def _driver(address: Address) -> neo4j.Driver:
    return neo4j.GraphDatabase.driver(address.server, auth=credentials())


def _text(name: str, prefix: str) -> Any:
    return statement(name, prefix).text
