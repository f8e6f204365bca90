"""A back-up as a folder of files.

BACKUP/
├── manifest.json          format, rows, bytes and SHA-256 of every other file
├── record.json            properties, changes, supplies, the numbers given so far
├── runs.jsonl             saved runs, one a line, oldest first
├── log.jsonl              the review log: an event a line, with its words
├── accounts/000001.parquet …
├── archived/NAME/…        what the store keeps of months that are in the archive
└── facts/KIND/000001.parquet …
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import starmap
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from graph.archive import Archived, rows_by_kind
from graph.backup import ACCOUNT_COLUMNS, Backup, Progress, Record
from graph.clock import iso, now
from graph.disk import room_for, sync, whole_folder
from graph.errors import DamagedError, UserError
from graph.log import Event, Words
from graph.schema import KINDS
from graph.store import RunRecord

FORMAT = 2
"""The highest format of the folder that this program reads: that of a store with archived
months."""

PLAIN_FORMAT = 1
"""That of one without."""

MANIFEST = "manifest.json"
RECORD = "record.json"
RUNS = "runs.jsonl"
LOG = "log.jsonl"
"""Back-ups of before the review log have none."""

COMPRESSION_LEVEL = 1

_RECORD = TypeAdapter(Record)
_ACCOUNT_SCHEMA = dict(zip(ACCOUNT_COLUMNS, (pl.String(), pl.Int64(), pl.Int64()), strict=True))


@dataclass(frozen=True)
class File:
    """A file of a back-up as its manifest has it. `rows`: facts, accounts or lines."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a back-up is made of."""

    format: int
    made_at: datetime
    last_batch: int
    """The batch that was committed last; 0 when there was none."""
    key_fingerprint: str
    files: tuple[File, ...]

    def rows(self, part: str) -> int:
        """How many rows a part (`accounts`, `facts/transfers`, `runs.jsonl`) has."""
        return sum(file.rows for file in self.files if file.path.startswith(part))


_MANIFEST = TypeAdapter(Manifest)


def write_backup(
    backup: Backup, folder: Path, progress: Progress = lambda done, note: None
) -> Manifest:
    """Write a back-up to a new or empty folder, which appears when it is whole and on disk.

    UserError when something is there already, or no folder can be.
    """
    with whole_folder(folder, 0o700) as draft, room_for(folder):
        return _write(backup, draft, progress)


# -- writing ----------------------------------------------------------------------------


def _write(backup: Backup, folder: Path, progress: Progress) -> Manifest:
    record = backup.record
    files = [_write_text(folder, RECORD, [_RECORD.dump_json(record, indent=1).decode()])]
    files += [_write_text(folder, RUNS, map(run_line, backup.runs()))]
    files += [_write_text(folder, LOG, starmap(event_line, backup.log()))]
    progress(0, "account numbers")
    files += _write_frames(folder, "accounts", backup.accounts())
    done = 0
    for kind in KINDS:
        progress(done, kind)
        for file in _write_frames(folder, f"facts/{kind}", backup.facts(kind)):
            files.append(file)
            done += file.rows
            progress(done, kind)
    for month in record.archived:
        files += _copied(folder, month.kept, backup.kept(month))
    last = record.changes[-1].batch.batch if record.changes else 0
    fingerprint = record.properties.key_fingerprint
    form = FORMAT if record.archived else PLAIN_FORMAT
    manifest = Manifest(form, now(), last, fingerprint, tuple(files))
    _write_text(folder, MANIFEST, [_MANIFEST.dump_json(manifest, indent=1).decode()])
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(path)
    return manifest


def _write_frames(folder: Path, part: str, frames: Iterable[pl.DataFrame]) -> Iterator[File]:
    for number, frame in enumerate((f for f in frames if not f.is_empty()), start=1):
        name = f"{part}/{number:06d}.parquet"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path, compression="zstd", compression_level=COMPRESSION_LEVEL)
        yield _finished(path, name, frame.height)


def _copied(folder: Path, name: str, paths: Iterable[Path]) -> Iterator[File]:
    for path in paths:
        to = f"archived/{name}/{path.name}"
        (folder / to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / to)
        yield _finished(
            folder / to, to, pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        )


def _write_text(folder: Path, name: str, lines: Iterable[str]) -> File:
    path = folder / name
    with path.open("w", encoding="utf-8") as file:
        count = sum(1 for line in lines if file.write(line + "\n"))
    return _finished(path, name, count)


def _finished(path: Path, name: str, rows: int) -> File:
    path.chmod(0o600)
    sync(path)
    return File(name, rows, path.stat().st_size, _sha256(path))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_line(run: RunRecord) -> str:
    """A run as one line of JSON."""
    return json.dumps({**asdict(run), "created_at": iso(run.created_at)})


def run_of(line: str) -> RunRecord:
    """The run that `run_line` wrote."""
    run: dict[str, Any] = json.loads(line)
    moment = datetime.fromisoformat(run.pop("created_at"))
    return RunRecord(created_at=moment, **run)


def event_line(event: Event, words: Words | None) -> str:
    """An event as one line of JSON, with its words where they are kept."""
    return json.dumps({**event._asdict(), "words": asdict(words) if words else None})


def event_of(line: str) -> tuple[Event, Words | None]:
    """The event that `event_line` wrote, and its words."""
    said: dict[str, Any] = json.loads(line)
    words = said.pop("words")
    return Event(**said), Words(**words) if words else None


# -- reading ----------------------------------------------------------------------------


class FolderBackup:
    """A back-up in a folder; see `graph.backup.Backup`."""

    def __init__(self, folder: Path, manifest: Manifest, record: Record) -> None:
        self.folder = folder
        self.manifest = manifest
        self.record = record

    @classmethod
    def open(cls, folder: Path, progress: Progress = lambda done, note: None) -> FolderBackup:
        """Check every file, and open. UserError when it is no back-up or of a newer format,
        DamagedError when a file is missing or not what the manifest says."""
        manifest = _manifest(folder)
        for file in manifest.files:
            progress(0, f"checking {file.path}")
            _refuse_damaged(folder, file)
        try:
            record = _RECORD.validate_json((folder / RECORD).read_bytes())
        except (ValidationError, OSError):
            raise DamagedError(f"The back-up {folder} has no sound {RECORD}.") from None
        backup = cls(folder, manifest, record)
        backup._refuse_gaps()
        return backup

    def runs(self) -> Iterator[RunRecord]:
        """Saved runs, oldest first."""
        with (self.folder / RUNS).open(encoding="utf-8") as lines:
            for line in lines:
                yield run_of(line)

    def log(self) -> Iterator[tuple[Event, Words | None]]:
        """The review log."""
        if (self.folder / LOG).exists():
            with (self.folder / LOG).open(encoding="utf-8") as lines:
                yield from map(event_of, lines)

    def kept(self, month: Archived) -> Iterator[Path]:
        """The files that the store keeps of an archived month."""
        prefix = f"archived/{month.kept}/"
        for file in self.manifest.files:
            if file.path.startswith(prefix):
                yield self.folder / file.path

    def accounts(self) -> Iterator[pl.DataFrame]:
        """Every numbered account."""
        return self._frames("accounts/", _ACCOUNT_SCHEMA)

    def facts(self, kind: str) -> Iterator[pl.DataFrame]:
        """All rows of the kind, by batch."""
        return self._frames(f"facts/{kind}/", KINDS[kind].stored)

    def _frames(self, part: str, schema: dict[str, pl.DataType]) -> Iterator[pl.DataFrame]:
        for file in self.manifest.files:
            if file.path.startswith(part):
                frame = pl.read_parquet(self.folder / file.path, glob=False)
                if dict(frame.schema) != schema or frame.height != file.rows:
                    raise DamagedError(f"{self.folder / file.path} is not what it should be.")
                yield frame

    def _refuse_gaps(self) -> None:
        listed = {file.path for file in self.manifest.files}
        for name in (RECORD, RUNS):
            if name not in listed:
                raise DamagedError(f"The manifest of the back-up {self.folder} lacks {name}.")
        gone = rows_by_kind(self.record.archived)
        for kind in KINDS:
            loaded = sum(load.counts.loaded for load in self.record.loads(kind))
            wanted = loaded - gone.get(kind, 0)
            if (found := self.manifest.rows(f"facts/{kind}/")) != wanted:
                raise DamagedError(
                    f"The back-up {self.folder} has {found} {kind} where the store had {wanted}."
                )


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(
            f"There is no back-up at {folder}: it has no {MANIFEST}.",
            "`inconcert store backup` makes one.",
        )
    try:
        said = json.loads(path.read_bytes())
        if (found := int(said["format"])) > FORMAT:
            raise UserError(
                f"The back-up {folder} is of format {found}; this version of inconcert knows "
                f"formats up to {FORMAT}.",
                "Use the version that made it, or a later one.",
            )
        return _MANIFEST.validate_python(said)
    except (ValueError, KeyError, TypeError):  # a ValidationError is a ValueError
        raise DamagedError(f"The file {path} is damaged.") from None


def _refuse_damaged(folder: Path, file: File) -> None:
    path = folder / file.path
    if ".." in Path(file.path).parts or Path(file.path).is_absolute():
        raise DamagedError(f"The back-up {folder} names a file outside itself: {file.path}.")
    if not path.is_file():
        raise DamagedError(f"The back-up {folder} is damaged: {file.path} is missing.")
    if path.stat().st_size != file.bytes or _sha256(path) != file.sha256:
        raise DamagedError(
            f"The back-up {folder} is damaged: {file.path} is not as it was written."
        )
