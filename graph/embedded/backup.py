"""A back-up of the embedded store, and a new embedded store filled from one."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path

import polars as pl

from graph.archive import Archived
from graph.backup import ROWS, Backup, Change, Progress, windows
from graph.clock import iso
from graph.disk import room_for, sync
from graph.embedded.ledger import BatchSet, Ledger, insert_archives, insert_run
from graph.embedded.lock import writer
from graph.embedded.log import fill_log
from graph.embedded.seals import seal_files
from graph.embedded.store import (
    LEDGER,
    RESTORING,
    EmbeddedStore,
    key_path,
    refuse_name,
    refuse_used,
)
from graph.embedded.tables import Appender, Table
from graph.errors import UserError
from graph.keys import keep_key
from graph.log import Event, Project, Words
from graph.schema import KINDS
from graph.store import FORMAT, PLAIN_FORMAT, Batch, RunRecord


class EmbeddedBackup:
    """See `graph.backup.Backup`."""

    def __init__(self, store: EmbeddedStore) -> None:
        self._store = store
        # The runs before the batches: none of them is about a batch that is not in here.
        self._runs = [run.id for run in reversed(store.runs())]
        self.record = store.ledger.record()

    def runs(self) -> Iterator[RunRecord]:
        """Saved runs, oldest first."""
        return map(self._store.run, self._runs)

    def log(self) -> Iterator[tuple[Event, Words | None]]:
        """The review log, as of one moment."""
        with self._store.log.reading() as log:
            words = log.words()
            for event in log.events():
                yield event, words.get(event.number)

    def kept(self, month: Archived) -> Iterator[Path]:
        """The files that the store keeps of an archived month."""
        return self._store.kept(month).files()

    def accounts(self) -> Iterator[pl.DataFrame]:
        """Every numbered account."""
        return self._by_batch(self._store.account_table, None)

    def facts(self, kind: str) -> Iterator[pl.DataFrame]:
        """All rows of the kind, by batch."""
        return self._by_batch(self._store.table(kind), kind)

    def _by_batch(self, table: Table, kind: str | None) -> Iterator[pl.DataFrame]:
        for window in windows(self.record.loads(kind)):
            only = self._only(window, kind)
            rows = self._store.rows(kind, only) if kind else table.scan(only)
            self._refuse_moved()
            if len(window) > 1:
                yield rows.collect(engine="streaming").sort("batch", maintain_order=True)
            else:  # it may be larger than memory
                yield from rows.collect_batches(chunk_size=ROWS, maintain_order=False)

    def _refuse_moved(self) -> None:
        """UserError where months went to the archive, or came back, since this was taken."""
        if {one.batch for one in self._store.archived()} != {
            one.batch for one in self.record.archived
        }:
            raise UserError("Months were moved to or from the archive meanwhile.", "Run it again.")

    def _only(self, loads: list[Batch], kind: str | None = None) -> BatchSet:
        """These loads and no others, whatever else a file has."""
        every = self._store.ledger.committed(kind)
        return replace(every, shown=tuple(load.batch for load in loads))


def restore(
    backup: Backup, key: str, url: str, progress: Progress, project: Project
) -> EmbeddedStore:
    """See `graph.backup.restore`."""
    folder = Path(url)
    refuse_name(folder)
    refuse_used(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with writer(folder / "loader.lock", "restoring"):
        refuse_used(folder)  # another restore may have ended meanwhile
        _clear(folder)
        (folder / RESTORING).touch()
        sync(folder)
        keep_key(key_path(folder), key)
        form = FORMAT if backup.record.archived else PLAIN_FORMAT
        properties = replace(backup.record.properties, format=form)
        store = EmbeddedStore(folder, properties)
        files = _fill_tables(store, backup, progress)
        _fill_kept(store, backup)
        Ledger.create(
            folder / LEDGER,
            properties,
            lambda connection: _fill_ledger(connection, backup, project, files),
        )
        (folder / RESTORING).unlink()
    return store


def _clear(folder: Path) -> None:
    """Remove what a killed restore left, and nothing else."""
    if (folder / RESTORING).exists():
        for part in (folder / "facts", folder / "accounts", folder / "archived"):
            if part.exists():
                shutil.rmtree(part)


def _fill_tables(store: EmbeddedStore, backup: Backup, progress: Progress) -> dict[str, str]:
    """Writes all facts; the digests of the files."""
    _, files = _fill_table(
        store.account_table, backup.accounts(), lambda _: progress(0, "account numbers")
    )
    done = 0
    for kind in KINDS:
        before = done

        def tell(rows: int, before: int = before, kind: str = kind) -> None:
            progress(before + rows, kind)

        rows, written = _fill_table(store.table(kind), backup.facts(kind), tell)
        done += rows
        files |= written
    return files


def _fill_kept(store: EmbeddedStore, backup: Backup) -> None:
    """Copy what is kept of archived months."""
    for month in backup.record.archived:
        folder = store.kept(month).folder
        folder.mkdir(mode=0o700, parents=True)
        for path in backup.kept(month):
            with room_for(folder):
                shutil.copyfile(path, folder / path.name)
                (folder / path.name).chmod(0o600)
                sync(folder / path.name)
        for place in (folder, folder.parent, store.folder):
            sync(place)


def _fill_table(
    table: Table, frames: Iterable[pl.DataFrame], tell: Callable[[int], None]
) -> tuple[int, dict[str, str]]:
    """Write the rows as one commit of the table; returns how many, and the files' digests."""
    with closing(Appender(table, None)) as appender:
        for frame in frames:
            appender.append(frame)
            tell(appender.rows)
        files = appender.finish()
        return appender.rows, files


def _fill_ledger(
    connection: sqlite3.Connection, backup: Backup, project: Project, files: dict[str, str]
) -> None:
    seal_files(connection, files)
    record = backup.record
    connection.executemany(
        "INSERT INTO batches VALUES "
        "(?, 'committed', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (_row(place, change) for place, change in enumerate(record.changes, start=1)),
    )
    connection.executemany(
        "INSERT INTO supplies VALUES (?, ?, ?)",
        ((s.batch, format(s.amount, "f"), iso(s.valid_from)) for s in record.supplies),
    )
    insert_archives(connection, [replace(one, settled=True) for one in record.archived])
    for run in backup.runs():
        insert_run(connection, run)
    fill_log(connection, backup.log(), project)
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'batches'")
    connection.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('batches', ?)", (record.next_batch - 1,)
    )
    connection.execute(
        "UPDATE properties SET value = ? WHERE name = 'next_ix'", (str(record.next_ix),)
    )


def _row(place: int, change: Change) -> tuple[object, ...]:
    batch = change.batch
    return (
        batch.batch,
        place,
        batch.action,
        batch.kind,
        batch.source,
        batch.target,
        batch.user,
        iso(change.begun_at),
        iso(batch.committed_at),
        *astuple(batch.counts),
        iso(batch.latest_at) if batch.latest_at else None,
        int(batch.has_revisions),
        json.dumps([iso(moment) for moment in batch.complete_at]),
    )
