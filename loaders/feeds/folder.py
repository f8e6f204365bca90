"""A feed of files: a folder that another system writes into."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import Field, field_validator

from graph.errors import UserError
from loaders.feeds.feed import Delivery, FeedSettings, Mark, Tell
from loaders.stamps import Stamp, sha256

KEY = "folder"


class FolderSettings(FeedSettings):
    """A `[[feed]]` with a `folder`."""

    folder: Annotated[str, Field(min_length=1)]
    pattern: str = ""
    """Which files, as a glob below the folder; by default `**/KIND*` of a known format."""
    done: str | None = None
    """The file that says that others are complete: a name, looked for in their folder, or
    `{name}.done`, one beside each. None: a file is complete once it has stood still."""
    settle: Annotated[float, Field(ge=0)] = 60.0
    """Seconds since a file's last change after which it has stood still."""
    batch: Literal["file", "folder"] = "file"
    """What is loaded as one batch: each file, or all files of a folder."""
    input_format: Literal["csv", "csv.gz", "parquet", "jsonl", "jsonl.gz"] | None = None

    @field_validator("pattern")
    @classmethod
    def _below_the_folder(cls, pattern: str) -> str:
        path = PurePosixPath(pattern)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError("is to stay below the folder")
        try:
            any(Path(os.devnull).glob(pattern or "*"))
        except (ValueError, IndexError) as error:
            raise ValueError(f"is no pattern of files: {error}") from None
        return pattern

    @field_validator("done")
    @classmethod
    def _a_file_name(cls, done: str | None) -> str | None:
        if done is not None and (not done or "/" in done or done in (".", "..", "{name}")):
            raise ValueError("is to be the name of another file in the same folder")
        return done


@dataclass(frozen=True)
class _File:
    path: Path
    place: str
    """Below the folder, with `/`, as text."""
    stamp: Stamp


class FolderFeed:
    """Files of a folder, each taken once it is complete, and again after it changed."""

    def __init__(self, settings: FolderSettings) -> None:
        self._settings = settings
        self._folder = Path(settings.folder)
        self.name = settings.name
        self.kind = settings.kind

    def fetch(self, taken: Sequence[Mark], staging: Path, tell: Tell) -> list[Delivery]:
        """The files that are new or changed and complete. Needs no staging."""
        if not self._folder.is_dir():
            raise UserError(f"Feed '{self.name}': there is no folder '{self._folder}'.")
        seen = {file["path"]: file for mark in taken for file in mark["files"]}
        batches = [batch for batch in self._batches(list(self._files())) if self._news(batch, seen)]
        ready = [batch for batch in batches if self._complete(batch, tell)]
        found = (self._delivery(batch, seen) for batch in sorted(ready, key=_age))
        return [delivery for delivery in found if delivery is not None]

    # -- which files ----------------------------------------------------------------------

    def _files(self) -> Iterator[_File]:
        for path in sorted(self._folder.glob(self._settings.pattern or f"**/{self.kind}*")):
            place = path.relative_to(self._folder)
            if any(part.startswith((".", "_")) for part in place.parts):
                continue  # what writers work in: .part-0.tmp, _temporary/
            if path.is_file() and self._is_data(path):
                yield _File(path, _text(place.as_posix()), Stamp.of(path))

    def _is_data(self, path: Path) -> bool:
        """Not a marker, and without a pattern only what has the ending of a known format."""
        from loaders.files import format_of

        done = self._settings.done
        if done is not None and (
            path.name.endswith(done.removeprefix("{name}"))
            if "{name}" in done
            else path.name == done
        ):
            return False
        if self._settings.pattern or self._settings.input_format:
            return True
        try:
            format_of(path.name)
        except UserError:
            return False
        return True

    def _batches(self, files: list[_File]) -> list[list[_File]]:
        if self._settings.batch == "file":
            return [[file] for file in files]
        by_folder = sorted(files, key=lambda file: (str(file.path.parent), file.path.name))
        return [list(group) for _, group in groupby(by_folder, key=lambda file: file.path.parent)]

    def _news(self, batch: list[_File], seen: dict[str, Mark]) -> bool:
        """Whether a file of it is new or looks changed; those that do not are not read."""
        return any(
            file.place not in seen or not file.stamp.is_of(seen[file.place]) for file in batch
        )

    # -- complete -------------------------------------------------------------------------

    def _complete(self, batch: list[_File], tell: Tell) -> bool:
        for file in batch:
            reason = self._waits(file)
            if reason is not None:
                tell(f"Feed '{self.name}': {file.place} is left for later: {reason}.")
                return False
        return True

    def _waits(self, file: _File) -> str | None:
        """Why a file may not be complete; None when it is."""
        marked = None
        if self._settings.done is not None:
            marker = file.path.with_name(self._settings.done.replace("{name}", file.path.name))
            try:
                marked = marker.stat().st_mtime_ns
            except OSError:
                return f"there is no {marker.name}"
            if marked >= file.stamp.mtime_ns:
                return None
        # No marker is asked for; or it is older than the file, which may be written anew.
        age = (time.time_ns() - file.stamp.mtime_ns) / 1e9
        if age >= self._settings.settle:
            return None
        if age < 0:
            return f"its time lies {-age:.0f} s ahead of this machine's clock"
        than_marker = ", after its marker" if marked is not None else ""
        return f"it changed {age:.0f} s ago{than_marker}"

    # -- what is delivered ----------------------------------------------------------------

    def _delivery(self, batch: list[_File], seen: dict[str, Mark]) -> Delivery | None:
        """None where a file was only touched: its content is what was taken."""
        marks = [_mark(file, seen.get(file.place)) for file in batch]
        if all(
            mark["path"] in seen and mark["sha256"] == seen[mark["path"]]["sha256"]
            for mark in marks
        ):
            return None
        return Delivery(
            feed=self.name,
            kind=self.kind,
            paths=tuple(str(file.path) for file in batch),
            options=self._settings.options(),
            input_format=self._settings.input_format,
            rows=None,
            mark={"files": marks},
        )


def _text(name: str) -> str:
    """A name whose bytes are no UTF-8 with these written as \\xff: a mark is text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _mark(file: _File, before: Mark | None) -> Mark:
    """The file as it is now. The stamp is that of before it was read: a file that grows
    meanwhile does not fit its mark, whatever was hashed."""
    if before is not None and file.stamp.is_of(before):
        digest = before["sha256"]
    else:
        digest = sha256(file.path)
    changed = before is not None and before["sha256"] != digest
    return {"path": file.place, **file.stamp.as_mark(), "sha256": digest, "changed": changed}


def _age(batch: list[_File]) -> tuple[int, str]:
    return max(file.stamp.mtime_ns for file in batch), batch[0].place


SETTINGS = FolderSettings
FEED = FolderFeed
