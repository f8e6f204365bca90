"""Files that must be whole: seen onto the disk, and a full disk told in a sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graph.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a disk, a quota or a limit on files that is used up answers."""


def sync(path: Path) -> None:
    """See a file, or a folder's list of names, onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Turns a full disk into a sentence; the libraries tell of it in their own words."""
    try:
        yield
    except Exception as error:
        told = [number for number in FULL if f"os error {number}" in str(error)]
        number = getattr(error, "errno", None) or (told[0] if told else None)
        if number not in FULL:
            raise
        raise UserError(
            f"{path} cannot be written: {os.strerror(number)}; what was committed before "
            "stands, nothing of this command will be seen.",
            "Make room on the disk and run the command again.",
        ) from None
