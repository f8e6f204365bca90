"""Whether a file is still the one that was looked at before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graph.errors import UserError


@dataclass(frozen=True)
class Stamp:
    """A file's size, time of change, and place on the disk: another file may take its name."""

    size_bytes: int
    mtime_ns: int
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """The file's stamp now. UserError when it is gone or cannot be looked at."""
        try:
            found = path.stat()
        except OSError as error:
            raise UserError(f"'{path}' cannot be read: {error.strerror}.") from None
        return cls(found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino)

    def as_mark(self) -> dict[str, int]:
        """What of it outlives a copy of the folder to another disk."""
        return {"size": self.size_bytes, "mtime_ns": self.mtime_ns}

    def is_of(self, mark: Mapping[str, Any]) -> bool:
        """Whether a mark (of `as_mark`) was made of a file like this one."""
        return (self.size_bytes, self.mtime_ns) == (mark["size"], mark["mtime_ns"])


def sha256(path: Path) -> str:
    """The digest of a file's content. UserError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"'{path}' cannot be read: {error.strerror}.") from None
