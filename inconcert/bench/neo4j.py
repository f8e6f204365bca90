"""`bench neo4j`: a real server, loaded and read by the product and by its yardsticks in turn.

Every load goes into labels of its own (a prefix), so that each finds its own part of the
database empty while the server stays warm.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from graph.errors import UserError
from graph.neo4j.schema import refuse_foreign
from graph.neo4j.server import Address, Server
from graph.neo4j.store import Neo4jStore
from inconcert.bench.figures import machine, target, timed, times
from inconcert.bench.neo4j_bulk import bench_bulk
from inconcert.bench.neo4j_yardsticks import Part, packed, recorded, replay, row_by_row
from inconcert.demo import DAYS, SEED
from inconcert.devserver import Server as DevServer
from inconcert.devserver import start
from inconcert.simulate import make_world, write_world
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import Options, load

TARGET_LOAD_OVER_BARE = 1.3
TARGET_ROW_BY_ROW_OVER_READ = 5.0
TARGET_READ_OVER_PACKED = 1.5
TARGET_BULK_OVER_ADMIN = 1.3

HEAP = PAGE_CACHE = "1g"
PREFIX = "InconcertBench"
READS = 5

Note = Callable[[str], None]
Figures = dict[str, Any]


@dataclass(frozen=True)
class World:
    """The file that is loaded."""

    path: Path
    transfers: int

    def load(self, store: Neo4jStore, source: str | None = None) -> None:
        """Load it as `inconcert load transfers` does."""
        with inputs([str(self.path)], None) as readers:
            loaded = load(store, sources()["transfers"], readers, Options(source=source))
        if loaded.counts.loaded != self.transfers:
            raise UserError(
                f"{loaded.counts.loaded:,} of {self.transfers:,} simulated transfers were loaded.",
                "Is this machine's clock, or INCONCERT_NOW, set to a date before the world's end?",
            )


def bench_neo4j(
    folder: Path, accounts: int, transfers: int, rounds: int, url: str | None, note: Note
) -> Figures:
    """Loads, reads and imports a simulated world's transfers.

    `url`: a server with an empty database, which is empty again afterwards; None: a server
    of one's own in `folder`, where the bytes on disk and the import are measured too.
    """
    with _surroundings(folder, own=url is None):
        if url:
            _make_room(url, rounds)
        note("simulate")
        write_world(make_world(accounts, transfers, SEED, DAYS), folder / "world")
        world = World(folder / "world" / "transfers.parquet", transfers)
        figures = _named(world, url, rounds, note) if url else _own(folder, world, rounds, note)
    return {
        "machine": machine(),
        "accounts": accounts,
        "transfers": transfers,
        "own_server": url is None,
        **figures,
        "targets": _targets(figures),
    }


def _targets(figures: Figures) -> list[Figures]:
    read, bulk = figures["read"], figures.get("bulk")
    goals = [
        target("load, x a bare driver", figures["load"]["over_bare"], TARGET_LOAD_OVER_BARE),
        target(
            "read, x faster than row by row",
            read["row_by_row_over_product"],
            TARGET_ROW_BY_ROW_OVER_READ,
            True,
        ),
        target("read, x the packed queries alone", read["over_packed"], TARGET_READ_OVER_PACKED),
    ]
    if bulk:
        goals.append(
            target("bulk, x neo4j-admin alone", bulk["over_admin"], TARGET_BULK_OVER_ADMIN)
        )
    return goals


@contextmanager
def _surroundings(folder: Path, own: bool) -> Iterator[None]:
    """Keys and refused rows go into the folder; a server of one's own has no password, and
    the one database."""
    names = ["INCONCERT_KEY_FILE"]
    if own:
        names += ["NEO4J_DATABASE", "NEO4J_USERNAME", "NEO4J_PASSWORD", "NEO4J_PASSWORD_FILE"]
    before = {name: os.environ.pop(name, None) for name in names}
    before["XDG_DATA_HOME"] = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(folder / "data-home")
    try:
        yield
    finally:
        os.environ.pop("XDG_DATA_HOME")
        os.environ.update({name: value for name, value in before.items() if value is not None})


# -- which server ---------------------------------------------------------------------------


def _own(folder: Path, world: World, rounds: int, note: Note) -> Figures:
    """On a server that is started for it, and that nobody else uses."""
    sizes = _sizes(folder / "sizes", world, note)
    with _server(folder / "neo4j") as server:
        figures = _over_bolt(server.url, world, rounds, note)
    return {**figures, "bytes": sizes, "bulk": bench_bulk(folder, world.load, note)}


def _server(home: Path) -> DevServer:
    # files that grow by what is in them, not by 32 MB at a time, can be measured
    exact = {"db.store.files.preallocate": "false"}
    return start(home, heap=HEAP, page_cache=PAGE_CACHE, settings=exact, steady=True)


def _make_room(url: str, rounds: int) -> None:
    """Remove what an earlier measurement left on a server that somebody runs. UserError
    where its database holds anything else."""
    if Address.of(url).prefix:
        raise UserError("A measurement chooses its own labels.", "Leave the prefix out of the URL.")
    _wipe(url, rounds)
    server = Server.connect(url)
    try:
        refuse_foreign(server)
    except UserError as error:
        raise UserError(
            error.sentence,
            "Name one with an empty database, or leave out --store to measure a server of its own.",
        ) from None
    finally:
        server.close()


def _named(world: World, url: str, rounds: int, note: Note) -> Figures:
    """On a server that somebody runs."""
    try:
        return _over_bolt(url, world, rounds, note)
    finally:
        note("remove what was loaded")
        _wipe(url, rounds)


def _place(url: str, number: int) -> str:
    """The URL of a store that no other load goes to."""
    return f"{url}?prefix={PREFIX}{number}"


def _wipe(url: str, rounds: int) -> None:
    for number in range(_places(rounds)):
        server = Server.connect(_place(url, number))
        server.outside("bench/clear")
        for row in server.read("store/schema_state"):
            if row["name"].startswith(f"{server.prefix}_"):
                what = "constraint" if row["unique"] else "index"
                server.outside(f"bench/drop_{what}", name=row["name"])
        server.close()


def _places(rounds: int) -> int:
    """One to learn from, then one for each load."""
    return 1 + 2 * rounds


# -- loading and reading over Bolt ------------------------------------------------------------


def _over_bolt(url: str, world: World, rounds: int, note: Note) -> Figures:
    note("make the stores")
    for number in range(_places(rounds)):
        Neo4jStore.init(_place(url, number)).server.close()
    note("load once, to warm up")
    parts = recorded(_place(url, 0), world.load)
    loads = _loads(url, world, parts, rounds, note)
    return {"load": loads, "read": _reads(_place(url, 0), world.transfers, note)}


def _loads(url: str, world: World, parts: list[Part], rounds: int, note: Note) -> Figures:
    product: list[float] = []
    bare: list[float] = []
    for number in range(rounds):
        note(f"load, round {number + 1} of {rounds}")
        mine, other = _place(url, 1 + 2 * number), _place(url, 2 + 2 * number)
        measure = [partial(_load, mine, world, product), partial(_replay, other, parts, bare)]
        for one in reversed(measure) if number % 2 else measure:
            one()
        _refuse_unlike(mine, other)
    return {
        "product_seconds": product,
        "bare_seconds": bare,
        "rows_a_second": round(world.transfers / median(product)),
        "bare_rows_a_second": round(world.transfers / median(bare)),
        "transactions": len(parts),
        "over_bare": times(product, bare),
    }


def _load(url: str, world: World, seconds: list[float]) -> None:
    store = Neo4jStore.open(url)
    seconds.append(timed(lambda: world.load(store))[0])
    store.server.close()


def _replay(url: str, parts: list[Part], seconds: list[float]) -> None:
    seconds.append(timed(lambda: replay(url, parts))[0])


def _refuse_unlike(one: str, other: str) -> None:
    """RuntimeError where two places have not the same number of transfers."""
    counts = []
    for url in (one, other):
        server = Server.connect(url)
        rows = server.read("store/tally_transfers", low=0, high=2**62)
        counts.append([(row["batch"], row["rows"]) for row in rows])
        server.close()
    if counts[0] != counts[1]:
        raise RuntimeError(f"the product wrote {counts[0]}, the bare driver {counts[1]}")


def _reads(url: str, transfers: int, note: Note) -> Figures:
    ways: dict[str, Callable[[str], int]] = {
        "row_by_row": row_by_row,
        "product": _read,
        "packed": packed,
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1 + READS):
        note(f"read, round {number} of {READS}" if number else "read once, to warm up")
        for name, way in ways.items():
            took, rows = timed(partial(way, url))
            if rows != transfers:
                raise RuntimeError(f"{name} read {rows} of {transfers} transfers")
            seconds[name] += [took] if number else []
    return {
        **{f"{name}_seconds": took for name, took in seconds.items()},
        "rows_a_second": round(transfers / median(seconds["product"])),
        "row_by_row_over_product": times(seconds["row_by_row"], seconds["product"]),
        "over_packed": times(seconds["product"], seconds["packed"]),
    }


def _read(url: str) -> int:
    """Every transfer in a frame, through a store that has kept nothing yet."""
    store = Neo4jStore.open(url)
    rows = store.facts("transfers").collect().height
    store.server.close()
    return rows


# -- bytes on disk ----------------------------------------------------------------------------


def _sizes(home: Path, world: World, note: Note) -> Figures:
    """Bytes of a transfer and of an account, with the indexes.

    The same transfers from two sources: the second load adds transfers alone. A server
    writes its files out when it stops.
    """
    note("bytes on disk: the schema")
    with _server(home) as server:
        Neo4jStore.init(server.url).server.close()
    empty = _data_bytes(home)
    sizes = []
    for source in ("one", "two"):
        note(f"bytes on disk: load {source}")
        server.start()
        with server:
            store = Neo4jStore.open(server.url)
            world.load(store, source)
            accounts = store.accounts().collect().height
            store.server.close()
        sizes.append(_data_bytes(home))
    transfers = sizes[1] - sizes[0]
    return {
        "schema": empty,
        "transfer": round(transfers / world.transfers, 1),
        "account": round((sizes[0] - empty - transfers) / accounts, 1),
        "accounts": accounts,
        "log": _bytes(home / "data" / "transactions"),
    }


def _data_bytes(home: Path) -> int:
    return _bytes(home / "data" / "databases" / "neo4j")


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
