"""Files that must be whole: seen onto the disk, and a full disk told in a sentence."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
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
def whole_folder(folder: Path, mode: int = 0o777) -> Iterator[Path]:
    """A draft to write into, which becomes the folder when the block ends and goes when it
    fails. `mode`: who may use it, less the umask. UserError when something is there already,
    or no folder can be."""
    draft = folder.parent / f".{folder.name}.unfinished-{secrets.token_hex(4)}"
    try:
        _refuse_used(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode)
    except OSError as error:
        raise _no_folder(folder, error) from None
    try:
        yield draft
        _put_in_place(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    sync(folder.parent)


def _refuse_used(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            f"{folder} is there already, and nothing is overwritten.",
            "Name a new or an empty folder.",
        )


def _put_in_place(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)  # an empty folder gives way to it, any other does not
    except OSError as error:
        raise _no_folder(folder, error) from None


def _no_folder(folder: Path, error: OSError) -> UserError:
    # making the folders above answers "exists" where one of them is a file
    number = errno.ENOTDIR if error.errno == errno.EEXIST else error.errno
    return UserError(
        f"The folder {folder} cannot be made: {os.strerror(number or 0)}.", "Name another."
    )


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
