"""Archiving on a server: the same order as in the embedded store (`graph.embedded.archive`).

What is kept of a month hangs on its `Archive` node, in pieces of its files; the rows that come
back have places of their own, which their loads name (`more_seq`).
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph import scratch
from graph.archive import Archived, next_month
from graph.archive_folder import make_folder, read_manifest
from graph.archive_kept import Kept, as_archived, to_return
from graph.archive_month import months_of, rows_of_month, write_month
from graph.clock import iso, now
from graph.errors import DamagedError
from graph.neo4j.lease import Lease
from graph.neo4j.load import ReturnWriter
from graph.neo4j.server import Server
from graph.store import FORMAT
from graph.who import user

if TYPE_CHECKING:
    from graph.neo4j.store import Neo4jStore

PIECE = 1 << 20
"""Bytes of a file in one node."""

UIDS = 5_000
"""Facts that are removed in one transaction."""

PIECES = 50


def archived(server: Server) -> list[Archived]:
    """The months in the archive, in the order in which they went."""
    return [_archived(dict(row["archive"])) for row in server.read("store/archives")]


def _archived(node: dict[str, Any]) -> Archived:
    return Archived(
        node["batch"],
        node["month"],
        node["folder"],
        node["sha256"],
        json.loads(node["rows"]),
        json.loads(node["batches"]),
        node["kept"],
        node["state"] == "settled",
    )


def properties_of(month: Archived, position: int) -> dict[str, Any]:
    """What an `Archive` node has of a month whose change stands at a place among the commits."""
    return {
        "batch": month.batch,
        "position": position,
        "month": month.month,
        "folder": month.folder,
        "sha256": month.sha256,
        "rows": json.dumps(dict(month.rows)),
        "batches": json.dumps(dict(month.batches)),
        "state": "settled",
    }


# -- what is kept ------------------------------------------------------------------------


def keep(held: Lease, name: str, files: Sequence[Path]) -> None:
    """Bring the files that are kept of a month to the server."""
    held.rewrite("store/archive_draft", name=name)
    for path in files:
        with path.open("rb") as file:
            part = 0
            while piece := file.read(PIECE):
                held.rewrite(
                    "store/archive_keep", name=name, file=path.name, part=part, bytes=piece
                )
                part += 1


def fetch(server: Server, name: str, folder: Path) -> Kept:
    """What is kept of a month, as files in a folder: fetched once."""
    place = folder / name
    if not place.exists():
        draft = folder / f"{name}.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700, parents=True)
        for row in server.read("store/archive_files", name=name):
            _fetch_file(server, name, draft / row["file"])
        draft.rename(place)
    return Kept(place)


def _fetch_file(server: Server, name: str, path: Path) -> None:
    part = 0
    with path.open("wb") as file:
        while rows := server.read("store/archive_kept", name=name, file=path.name, part=part):
            file.write(rows[0]["bytes"])
            part += 1


# -- out ---------------------------------------------------------------------------------


def archive(
    store: Neo4jStore,
    held: Lease,
    before: datetime,
    folder: Path,
    allow: Callable[[str], None],
) -> list[Archived]:
    """See `graph.store.Store.archive`; with the lease held, and all settled."""
    folder = folder.absolute()
    make_folder(folder, store.properties.key_fingerprint)
    moved = []
    for begin in months_of(store, before):
        allow(f"{begin:%Y-%m}")
        name = f"{begin:%Y-%m}-{secrets.token_hex(4)}"
        with scratch.folder() as place:
            kept = place / name
            written = write_month(store, begin, next_month(begin), folder, kept)
            if written is None:
                continue
            keep(held, name, list(Kept(kept).files()))
        month = as_archived(written, name)
        held.rewrite(
            "store/archive_commit",
            name=name,
            month=month.month,
            folder=month.folder,
            sha256=month.sha256,
            rows=json.dumps(dict(month.rows)),
            batches=json.dumps(dict(month.batches)),
            format=FORMAT,
            user=user(),
            at=iso(now()),
        )
        moved.append(next(one for one in store.archived() if one.kept == name))
        settle(store, held)
    return moved


def settle(store: Neo4jStore, held: Lease) -> None:
    """With the lease held: remove what is archived and not settled, and what is kept of months
    that are back or never went."""
    for month in store.archived():
        if month.settled:
            continue
        for kind in month.rows:
            uids = store.kept(month).facts(kind).select("uid").unique()
            done = 0
            for frame in uids.collect_batches(chunk_size=UIDS, maintain_order=False):
                for part in frame.iter_slices(UIDS):
                    held.rewrite(f"store/remove_{kind}", uid=part["uid"].to_list())
                    done += part.height
                    store.tell(f"{done:,} {kind} of {month.month} taken out")
        held.rewrite("store/archive_settle", name=month.kept, state="settled")
    for row in store.server.read("store/archive_dead"):
        while held.rewrite("store/archive_clear", name=row["name"], limit=PIECES)[0]["cleared"]:
            pass


# -- back --------------------------------------------------------------------------------


def unarchive(store: Neo4jStore, held: Lease, places: Sequence[Path]) -> list[Archived]:
    """See `graph.store.Store.unarchive`; with the lease held, and all settled."""
    back, found = to_return(store, places)
    for month in back:
        held.rewrite("store/archive_settle", name=month.kept, state="unsettled")
        _return(store, held, month, found[month.sha256])
        held.rewrite(
            "store/archive_end",
            name=month.kept,
            batches=[int(batch) for batch in month.batches],
            user=user(),
            at=iso(now()),
        )
    settle(store, held)
    return back


def _return(store: Neo4jStore, held: Lease, month: Archived, place: Path) -> None:
    """Write the rows of a month; readers pass over them."""
    manifest, _ = read_manifest(place)
    accounts = store.accounts().collect(engine="streaming")
    with closing(ReturnWriter(held, month.kept, store.tell)) as writer:
        for kind, rows in month.rows.items():
            written = 0
            for frame in rows_of_month(place, manifest, kind, accounts):
                writer.facts(kind, frame)
                written += frame.height
            writer.finish()
            if written != rows:
                raise DamagedError(f"{place} has {written} {kind} where it had {rows}.")
