"""Archiving in the embedded store.

A month goes in this order, each step on disk before the next one:

1. it is written to the archive, and what is kept of it to `archived/NAME/`, and read back;
2. one row of the ledger says that it is archived (not settled): from here on readers pass over
   its rows, wherever they stand;
3. the files of the tables that have them are written anew without them;
4. the row says settled.

It comes back in the opposite order: not settled, rows appended, row gone. Whoever dies in
between leaves a month that is archived and not settled; the next who writes settles it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from graph.archive import Archived, next_month
from graph.archive_folder import make_folder, read_manifest
from graph.archive_kept import as_archived, to_return
from graph.archive_month import months_of, rows_of_month, write_month
from graph.disk import sync
from graph.embedded.tables import HOURS_FOR_READERS, Appender
from graph.errors import DamagedError

if TYPE_CHECKING:
    from graph.embedded.store import EmbeddedStore


# -- out ---------------------------------------------------------------------------------


def archive(
    store: EmbeddedStore, before: datetime, folder: Path, allow: Callable[[str], None]
) -> list[Archived]:
    """See `graph.store.Store.archive`; with the lock held, and all settled."""
    folder = folder.absolute()
    make_folder(folder, store.properties.key_fingerprint)
    store.ledger.make_room_for_archives()
    moved = []
    for begin in months_of(store, before):
        allow(f"{begin:%Y-%m}")
        name = f"{begin:%Y-%m}-{secrets.token_hex(4)}"
        kept = store.folder / "archived" / name
        written = write_month(store, begin, next_month(begin), folder, kept)
        if written is not None:
            sync(store.folder)
            moved.append(store.ledger.archive(as_archived(written, name)))
            settle(store)
    return moved


def settle(store: EmbeddedStore) -> None:
    """With the lock held: take what is archived and not settled out of the tables."""
    for month in store.archived():
        if month.settled:
            continue
        for kind in month.rows:
            store.tell(f"{kind} of {month.month} taken out")
            uids = store.kept(month).facts(kind).select("uid")
            name = f"without-{month.month}-{secrets.token_hex(4)}"
            with store.remade(store.table(kind)) as table:
                table.take_out(uids, name)
        store.ledger.settle(month.batch, settled=True)


# -- back --------------------------------------------------------------------------------


def unarchive(store: EmbeddedStore, places: Sequence[Path]) -> list[Archived]:
    """See `graph.store.Store.unarchive`; with the lock held, and all settled."""
    back, found = to_return(store, places)
    for month in back:
        store.ledger.settle(month.batch, settled=False)
        _return(store, month, found[month.sha256])
        os.utime(store.kept(month).folder)  # for readers that began before, see `sweep`
        store.ledger.unarchive(month)
    return back


def _return(store: EmbeddedStore, month: Archived, place: Path) -> None:
    """Append the rows of a month to the tables; readers pass over them."""
    manifest, _ = read_manifest(place)
    accounts = store.accounts().collect(engine="streaming")
    for kind, rows in month.rows.items():
        prefix = f"back-{month.month}-{secrets.token_hex(4)}-"
        with closing(Appender(store.table(kind), None, prefix)) as appender:
            for frame in rows_of_month(place, manifest, kind, accounts):
                appender.append(frame)
                store.tell(f"{appender.rows:,} {kind} of {month.month} brought back")
            if appender.rows != rows:
                raise DamagedError(f"{place} has {appender.rows} {kind} where it had {rows}.")
            store.ledger.seal_files(appender.finish())


# -- upkeep ------------------------------------------------------------------------------


def sweep(store: EmbeddedStore) -> None:
    """With the lock held: remove what is kept of months that are back, or never went, when
    readers that began before have had their time."""
    names = {month.kept for month in store.archived()}
    old = time.time() - HOURS_FOR_READERS * 3600
    for folder in (store.folder / "archived").glob("*"):
        if folder.name not in names and folder.stat().st_mtime < old:
            shutil.rmtree(folder)
