"""A month of facts as a folder that anybody can read.

FOLDER/2025-01/
├── manifest.json          the store, rows by load, rows, bytes and SHA-256 of each file
├── transfers.parquet      the stored columns, accounts by their ids
└── …                      a file for each kind of fact that the month has

It is written aside, seen onto the disk, read back, and then put in its place by one renaming.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter

from graph.disk import room_for, sync
from graph.errors import DamagedError, UserError
from graph.schema import KINDS

FORMAT = 1
MANIFEST = "manifest.json"
COMPRESSION_LEVEL = 3
READ_ROWS = 1 << 17


@dataclass(frozen=True)
class ArchiveFile:
    """A file of a month. `kind`: of its facts."""

    kind: str
    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ArchiveManifest:
    """What a month is made of."""

    format: int
    store: str
    """The fingerprint of the store's key."""
    month: str
    files: tuple[ArchiveFile, ...]
    batches: dict[str, int]
    """Rows by load."""

    @property
    def rows(self) -> dict[str, int]:
        """Rows by kind."""
        return {file.kind: file.rows for file in self.files}


_MANIFEST = TypeAdapter(ArchiveManifest)


def columns_of(kind: str) -> dict[str, pl.DataType]:
    """What a file of a kind has: the stored columns, accounts by their ids."""
    kept = KINDS[kind]
    ids = dict.fromkeys(kept.accounts, pl.String())
    return {name: ids.get(name, dtype) for name, dtype in kept.stored.items()}


class RowsFile:
    """A Parquet file that is written frame by frame, and a sum over its rows."""

    def __init__(self, path: Path, columns: dict[str, pl.DataType]) -> None:
        self.path = path
        self.rows = 0
        self.checksum = 0
        self._columns = columns
        self._writer: pq.ParquetWriter | None = None

    def write(self, frame: pl.DataFrame) -> None:
        """Add rows."""
        if frame.is_empty():
            return
        frame = frame.select(pl.col(name).cast(dtype) for name, dtype in self._columns.items())
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        with room_for(self.path):
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pq.ParquetWriter(
                    self.path,
                    table.schema,
                    compression="zstd",
                    compression_level=COMPRESSION_LEVEL,
                )
            self._writer.write_table(table)
        self.rows += frame.height
        self.checksum = _added(self.checksum, frame)

    def finish(self) -> None:
        """See the file onto the disk and read it back. DamagedError where it is not what was
        written."""
        if self._writer is None:
            return
        with room_for(self.path):
            self._writer.close()
            self.path.chmod(0o600)
            sync(self.path)
        if _summed_up(self.path, self._columns) != (self.rows, self.checksum):
            raise DamagedError(f"{self.path} does not read as it was written; nothing was moved.")

    def drop(self) -> None:
        """Let go of the file, whole or not."""
        if self._writer is not None:
            self._writer.close()


def _added(checksum: int, frame: pl.DataFrame) -> int:
    return (checksum + int(frame.hash_rows().to_numpy().sum())) % 2**64


def _summed_up(path: Path, columns: dict[str, pl.DataType]) -> tuple[int, int]:
    """How many rows a file has, and the sum over them, which their order does not change."""
    rows = checksum = 0
    for frame in frames(path, columns):
        rows += frame.height
        checksum = _added(checksum, frame)
    return rows, checksum


def frames(path: Path, columns: dict[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    """The rows of a Parquet file, some at a time. DamagedError where it cannot be read."""
    try:
        with pq.ParquetFile(path) as parquet:
            for batch in parquet.iter_batches(batch_size=READ_ROWS):
                frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
                yield frame.select(pl.col(name).cast(dtype) for name, dtype in columns.items())
    except (OSError, pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise DamagedError(f"{path} is damaged: {str(error).splitlines()[0]}.") from None


class MonthDraft:
    """A month being written, beside the place that it will have."""

    def __init__(self, folder: Path, store: str, month: str) -> None:
        self.folder = folder
        self._store = store
        self._month = month
        self._draft = folder / f".{month}.unfinished-{secrets.token_hex(4)}"
        self._files: dict[str, RowsFile] = {}
        self._batches: dict[str, int] = {}
        self._draft.mkdir(mode=0o700)

    def write(self, kind: str, frame: pl.DataFrame) -> None:
        """Add rows with the columns of `columns_of`."""
        file = self._files.get(kind)
        if file is None:
            file = RowsFile(self._draft / f"{kind}.parquet", columns_of(kind))
            self._files[kind] = file
        file.write(frame)
        for batch, rows in frame.group_by("batch").len().iter_rows():
            self._batches[str(batch)] = self._batches.get(str(batch), 0) + rows

    @property
    def rows(self) -> int:
        """How many there are so far."""
        return sum(file.rows for file in self._files.values())

    def finish(self) -> tuple[Path, ArchiveManifest, str]:
        """Check what was written, and put it in its place; where it is, its manifest and the
        manifest's digest. A place that has the same rows already is left as it is."""
        listed = []
        for kind, file in self._files.items():
            file.finish()
            if file.rows:
                listed.append(_listed(kind, file))
        batches = dict(sorted(self._batches.items(), key=lambda one: int(one[0])))
        manifest = ArchiveManifest(FORMAT, self._store, self._month, tuple(listed), batches)
        path = self._draft / MANIFEST
        with room_for(path):
            path.write_text(json.dumps(asdict(manifest), indent=1) + "\n", encoding="utf-8")
            path.chmod(0o600)
            sync(path)
            sync(self._draft)
        place, number = self.folder / self._month, 1
        while place.exists():
            if self._is_in(place, manifest):  # a run that was cut off wrote it
                self.drop()
                break
            number += 1
            place = self.folder / f"{self._month}-{number}"
        else:
            self._draft.rename(place)
        sync(self.folder)
        sync(self.folder.parent)
        return place, *read_manifest(place)

    def _is_in(self, place: Path, manifest: ArchiveManifest) -> bool:
        """Whether a place has the same rows, in whatever order: a server gives them in another
        one each time. DamagedError where it should have and is not whole."""
        if not (place / MANIFEST).is_file():
            return False
        other, _ = read_manifest(place)
        if (other.rows, other.batches) != (manifest.rows, manifest.batches):
            return False
        open_month(place)
        drafts = ((file, self._files[file.kind]) for file in other.files)
        return all(
            _summed_up(place / file.path, columns_of(file.kind)) == (draft.rows, draft.checksum)
            for file, draft in drafts
        )

    def drop(self) -> None:
        """Take away what was written aside."""
        for file in self._files.values():
            file.drop()
        shutil.rmtree(self._draft, ignore_errors=True)


def _listed(kind: str, file: RowsFile) -> ArchiveFile:
    size = file.path.stat().st_size
    return ArchiveFile(kind, file.path.name, file.rows, size, _sha256(file.path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(folder: Path, store: str) -> None:
    """Make the folder of an archive, and clear what a killed run left unfinished in it.
    UserError where it holds anything but this store's months."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be made: {error.strerror}.", "Name another."
        ) from None
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") and ".unfinished-" in path.name:
            shutil.rmtree(path, ignore_errors=True)
        elif not (path / MANIFEST).is_file():
            raise UserError(
                f"The folder {folder} holds something else ({path.name}).",
                "Name a new or an empty folder, or this store's archive.",
            )
        elif (other := read_manifest(path)[0].store) != store:
            raise UserError(
                f"The folder {folder} is the archive of another store (key {other}).",
                "Name a folder of its own for this store.",
            )


def read_manifest(place: Path) -> tuple[ArchiveManifest, str]:
    """The manifest of a month, and its digest. UserError where there is none or it is newer,
    DamagedError where it is not sound."""
    path = place / MANIFEST
    if not path.is_file():
        raise UserError(f"{place} is no archived month: it has no {MANIFEST}.")
    try:
        said: dict[str, Any] = json.loads(path.read_bytes())
        if int(said["format"]) > FORMAT:
            raise UserError(
                f"{place} is of format {said['format']}; this version of inconcert knows formats "
                f"up to {FORMAT}.",
                "Use the version that made it, or a later one.",
            )
        return _MANIFEST.validate_python(said), _sha256(path)
    except (ValueError, KeyError, TypeError):
        raise DamagedError(f"The file {path} is damaged.") from None


def open_month(place: Path) -> tuple[ArchiveManifest, str]:
    """The manifest of a month and its digest, after every file was checked. DamagedError where
    one is missing or not what the manifest says."""
    manifest, digest = read_manifest(place)
    for file in manifest.files:
        path = place / file.path
        if file.kind not in KINDS or Path(file.path).name != file.path:
            raise DamagedError(f"The manifest of {place} names what is no file of it: {file.path}.")
        if not path.is_file():
            raise DamagedError(f"{place} is damaged: {file.path} is missing.")
        if path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
            raise DamagedError(f"{place} is damaged: {file.path} is not as it was written.")
    return manifest, digest
