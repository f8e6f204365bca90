"""The key of a store: where it is kept, whether it is the store's own."""

from __future__ import annotations

import functools
import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from graph.digest import fingerprint, mask, new_key, read_key
from graph.errors import UserError


def kept_key(path: Path) -> str:
    """The key that is at a path already, or a new one put there (mode 0600)."""
    if path.exists():
        return read_key(path)
    if not path.parent.is_dir():
        raise UserError(
            f"The key cannot be kept in {path}: there is no folder {path.parent}.",
            "Make it, or set INCONCERT_KEY_FILE to another place.",
        )
    key = new_key()
    _write_key(path, key)
    return key


def keep_key(path: Path, key: str) -> None:
    """Put a key that is known at a path (mode 0600). UserError when another is there."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_key(path, key)
    elif read_key(path) != key:
        raise UserError(
            f"Another store's key is in {path}.",
            "Name another place with INCONCERT_KEY_FILE, or another folder.",
        )


def named_place() -> Path | None:
    """Where INCONCERT_KEY_FILE says that the key is."""
    named = os.environ.get("INCONCERT_KEY_FILE")
    return Path(named) if named else None


def at_hand(place: str | Path) -> bool:
    """Whether there is a key in a place that this user may read."""
    return os.access(place, os.R_OK)


@dataclass(frozen=True)
class OwnKey:
    """The key of a store that is there. Whoever only looks needs none, so it is read when it
    is first asked for."""

    place: Path
    expected: str
    """The key's fingerprint, which the store keeps."""
    store: str
    """The store, as a sentence names it."""

    @functools.cached_property
    def text(self) -> str:
        """The key. UserError when it is missing, or another store's."""
        key = read_key(self.place)
        if fingerprint(key) != self.expected:
            raise UserError(
                f"The key in {self.place} is not the key of {self.store}.",
                "Set INCONCERT_KEY_FILE to the store's own key, or restore it from its back-up.",
            )
        return key

    def refuse_another(self) -> None:
        """UserError when another store's key is in the place, or when INCONCERT_KEY_FILE
        names one that is missing."""
        if at_hand(self.place) or named_place():
            _ = self.text


def as_stored(accounts: Iterable[str], mask_key: str | None) -> tuple[str, ...]:
    """Account ids as a store keeps them: trimmed, NFC, masked where there is a `mask_key`."""
    written = (unicodedata.normalize("NFC", account.strip()) for account in accounts)
    return tuple(mask(account, mask_key) if mask_key else account for account in written)


def _write_key(path: Path, key: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
