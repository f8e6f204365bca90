"""Delta tables whose rows belong to batches: append files, scan what a reader may see.

Files are written by Polars (three times as fast as through Delta's own writer) and join
the table in one Delta commit at the end of a load. Until then they are in no version of
the table, so that whoever reads it with other tools does not meet half a load either.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from graph.disk import room_for, sync
from graph.embedded.ledger import BatchSet
from graph.embedded.seals import sha256_of
from graph.errors import DamagedError
from graph.threads import Task, Threads

ROWS_PER_FILE = 1_000_000
TARGET_FILE_BYTES = 256 << 20
HOURS_FOR_READERS = 24
"""How long files that compaction replaced stay for readers that began before it."""

COMPRESSION_LEVEL = 1
"""Of zstd: a quarter of the size at the speed of writing plain."""


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table: where it is, its rows, and the batches in it."""

    path: Path
    bytes: int
    rows: int
    low: int
    """Lowest batch number of its rows."""
    high: int


@dataclass(frozen=True)
class Table:
    """A Delta table in a folder, with its columns; absent until it has rows."""

    folder: Path
    columns: Mapping[str, pl.DataType]
    part: str
    """The folder's place below the store's."""

    def place(self, name: str) -> str:
        """The place of one of its files below the store's folder."""
        return f"{self.part}/{name}"

    def empty(self) -> pl.DataFrame:
        """No rows, all columns."""
        return pl.DataFrame(schema=dict(self.columns))

    def open(self) -> DeltaTable | None:
        """The table at its current version; None when it has never been written."""
        try:
            return DeltaTable(self.folder) if DeltaTable.is_deltatable(str(self.folder)) else None
        except DeltaError as error:
            raise DamagedError(f"The table {self.folder} is damaged: {_line(error)}.") from None

    def files(self) -> list[DataFile]:
        """The files of the current version."""
        table = self.open()
        if table is None:
            return []
        actions = pl.DataFrame(table.get_add_actions(flatten=True))
        if actions.is_empty():
            return []
        wanted = actions.select("path", "size_bytes", "num_records", "min.batch", "max.batch")
        return [DataFile(self.folder / row[0], *row[1:]) for row in wanted.sort("path").iter_rows()]

    def scan(self, batches: BatchSet) -> pl.LazyFrame:
        """The rows of these batches. Files that have only such rows need no filter,
        files that have none are not opened."""
        files = [file for file in self.files() if batches.within(file.low, file.high)]
        whole = [file for file in files if batches.covers(file.low, file.high)]
        mixed = [file for file in files if not batches.covers(file.low, file.high)]
        parts = []
        if whole:
            parts.append(self.scan_files(whole))
        if mixed:
            shown = {number for file in mixed for number in batches.within(file.low, file.high)}
            parts.append(self.scan_files(mixed).filter(pl.col("batch").is_in(sorted(shown))))
        if not parts:
            return self.empty().lazy()
        return pl.concat(parts) if len(parts) > 1 else parts[0]

    def scan_files(self, files: Iterable[DataFile]) -> pl.LazyFrame:
        """All rows of some files, lazily."""
        paths = [file.path for file in files]
        return pl.scan_parquet(paths, schema=dict(self.columns), glob=False)

    def clear(self, batch: int) -> None:
        """Remove what a dead load left. Files that are in a version of the table leave it,
        but stay on disk for readers that hold that version."""
        prefix = file_prefix(batch)
        listed = {file.path.name for file in self.files()}
        if any(name.startswith(prefix) for name in listed):
            table = self.open()
            assert table is not None
            with room_for(self.folder):
                table.delete(f"batch = {batch}")
        for path in self.folder.glob(f"{prefix}*"):
            if path.name not in listed:
                path.unlink()

    def take_out(self, uids: pl.LazyFrame, name: str) -> None:
        """Write anew the files that have rows with any of these uids, without them: one commit
        of the table, on disk when this returns. May be done again where it was cut off.

        `name`: how the names of the new files begin. Files that are replaced stay on disk for
        readers that began before, as those that compaction replaces.
        """
        done: list[AddAction | RemoveAction] = []
        for number, file in enumerate(self.files()):
            rows = self.scan_files([file])
            # only those of this file: there may be more of them than memory holds
            gone = uids.join(rows.select("uid"), on="uid", how="semi").collect(engine="streaming")
            if gone.is_empty():
                continue
            path = self.folder / f"{name}-{number:06d}.parquet"
            with room_for(path):
                rows.join(gone.lazy(), on="uid", how="anti").sink_parquet(
                    path,
                    compression="zstd",
                    compression_level=COMPRESSION_LEVEL,
                    maintain_order=True,
                )
            moment = int(datetime.now(UTC).timestamp() * 1000)
            done.append(RemoveAction(file.path.name, True, moment, file.bytes, {}))
            left = pl.scan_parquet(path, schema=dict(self.columns), glob=False)
            if left.select(pl.len()).collect().item():
                sync(path)
                done.append(_added(path, left, moment))
            else:
                path.unlink()
        if done:
            table = self.open()
            assert table is not None
            with room_for(self.folder):
                table.create_write_transaction(done, "append", self.schema)
            self.sync_commit()

    @property
    def schema(self) -> Schema:
        """The columns as Delta has them."""
        return Schema.from_arrow(self.empty().to_arrow().schema)

    def sync_commit(self) -> None:
        """See the last commit onto the disk."""
        log = self.folder / "_delta_log"
        commits = sorted(path for path in log.glob("*.json") if path.stem.isdigit())
        # the last two: a new table has one that makes it and one that fills it
        for path in [
            *commits[-2:],
            log,
            self.folder,
            self.folder.parent,
            self.folder.parent.parent,
        ]:
            sync(path)

    def compact(self) -> tuple[int, int]:
        """Join small files; returns their number before and after."""
        table = self.open()
        if table is None:
            return 0, 0
        before = len(self.files())
        with room_for(self.folder):
            table.optimize.compact(target_size=TARGET_FILE_BYTES, max_concurrent_tasks=1)
        table.vacuum(HOURS_FOR_READERS, dry_run=False, enforce_retention_duration=False, full=True)
        return before, len(self.files())


class Appender:
    """Writes the rows of one batch to one table: gathers them into files of a good size,
    sees them onto the disk in the background, and makes them part of the table at the end.

    `batch` None: the rows of many batches, which bring their numbers; `prefix`: how the names of
    their files begin."""

    def __init__(self, table: Table, batch: int | None, prefix: str = "restored-") -> None:
        self.table = table
        self.batch = batch
        self.rows = 0
        self._prefix = prefix if batch is None else file_prefix(batch)
        self._waiting: list[pl.DataFrame] = []
        self._written: list[AddAction | RemoveAction] = []
        self._seen: list[Task[str]] = []
        self._thread = Threads(1)

    def append(self, frame: pl.DataFrame) -> None:
        """Take rows: all of the table's columns (`batch` as said above), in any order."""
        if self.batch is not None:
            frame = frame.with_columns(batch=pl.lit(self.batch, pl.Int64))
        self._waiting.append(frame.select(pl.col(n).cast(t) for n, t in self.table.columns.items()))
        self.rows += frame.height
        if sum(part.height for part in self._waiting) >= ROWS_PER_FILE:
            self._write()

    def finish(self) -> dict[str, str]:
        """Make the rows part of the table; on disk when this returns. The digests of the files,
        by their path below the store's folder."""
        self._write()
        if not self._written:
            return {}
        schema = self.table.schema
        digests = [pending.result() for pending in self._seen]
        with room_for(self.table.folder):
            delta = self.table.open() or DeltaTable.create(self.table.folder, schema=schema)
            delta.create_write_transaction(self._written, "append", schema)
        self.table.sync_commit()
        names = [self.table.place(action.path) for action in self._written]
        return dict(zip(names, digests, strict=True))

    def close(self) -> None:
        """Let go of the background thread."""
        self._thread.close()

    def _write(self) -> None:
        frame = pl.concat(self._waiting) if self._waiting else self.table.empty()
        self._waiting = []
        if frame.is_empty():
            return
        self.table.folder.mkdir(parents=True, exist_ok=True)
        path = self.table.folder / f"{self._prefix}{len(self._written):06d}.parquet"
        with room_for(path):
            frame.write_parquet(path, compression="zstd", compression_level=COMPRESSION_LEVEL)
        self._seen.append(self._thread.begin(partial(_seen_onto_disk, path)))
        moment = int(datetime.now(UTC).timestamp() * 1000)
        self._written.append(_added(path, frame.lazy(), moment))


def file_prefix(batch: int) -> str:
    """How the names of a load's files begin; compaction gives others."""
    return f"batch-{batch:010d}-"


def _seen_onto_disk(path: Path) -> str:
    sync(path)
    return sha256_of(path)


def _added(path: Path, rows: pl.LazyFrame, moment: int) -> AddAction:
    return AddAction(path.name, path.stat().st_size, {}, moment, True, _statistics(rows))


def _statistics(rows: pl.LazyFrame) -> str:
    """Delta's statistics of a file: what readers use to leave it out."""
    names = [name for name in ("batch", "revision", "at") if name in rows.collect_schema()]
    said = rows.select(
        pl.len(),
        low=pl.struct(pl.col(names).min()),
        high=pl.struct(pl.col(names).max()),
        nulls=pl.struct(pl.col(names).null_count()),
    ).collect(engine="streaming")
    low, high = _plain(said["low"].struct.unnest()), _plain(said["high"].struct.unnest())
    nulls = said["nulls"].struct.unnest().row(0, named=True)
    return json.dumps(
        {"numRecords": said["len"][0], "minValues": low, "maxValues": high, "nullCount": nulls}
    )


def _plain(frame: pl.DataFrame) -> dict[str, Any]:
    # Delta keeps milliseconds of times: readers widen them, as the protocol says.
    times = pl.selectors.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    row = frame.with_columns(times).row(0, named=True)
    return {name: value for name, value in row.items() if value is not None}


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
