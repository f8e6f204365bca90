"""Which accounts are the same as when something was kept.

Dense numbers change when accounts come and go, so accounts are told by what never changes: their
`ix` in the store, and a digest of their id, since a store that was restored numbers anew. The
digests are salted by chance.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.kept.folder import NOTHING_KEPT, Arrays, Kept

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Sums = npt.NDArray[np.uint64]

ACCOUNTS = "accounts"
"""The entry that says which account each number of the other entries is."""


@dataclass(frozen=True)
class Changes:
    """The accounts of now, and of when something was kept.

    `told_by`: a salted digest of each account's id; `now`: the number now of each account of
    then, -1 if it is gone.
    """

    kept: Kept
    told_by: Sums
    now: Ints
    made_from: str
    """The key of entries that speak of the accounts of then, …"""
    key: str
    """… and of those that speak of the accounts of now."""

    @classmethod
    def of(cls, kept: Kept, accounts: pl.DataFrame) -> Changes:
        """Between what is kept and some accounts (`account`, `ix`), the row being the number."""
        if kept.folder is None:
            return nothing_kept(len(accounts))
        then = kept.read(ACCOUNTS, "")
        salt = then["salt"] if then else np.frombuffer(secrets.token_bytes(8), np.uint64)
        told_by = accounts["account"].hash(int(salt[0])).to_numpy()
        ix = accounts["ix"].to_numpy()
        made = {"salt": salt, "ix": ix, "told_by": told_by}
        now = _matched(then, ix, told_by) if then else None
        if now is None:
            then, now = None, np.empty(0, np.int32)
        made_from, key = _name(then) if then else "", _name(made)
        if key != made_from:
            kept.write(ACCOUNTS, "", made)
        return cls(kept, told_by, now, made_from, key)

    @property
    def count(self) -> bool:
        """Whether anything is to be taken over or kept."""
        return bool(self.made_from) or self.kept.writes

    def remembered(
        self,
        name: str,
        made_of: str,
        work: Callable[[], Mapping[str, npt.NDArray[Any]]],
        numbers: Sequence[str],
    ) -> Mapping[str, npt.NDArray[Any]]:
        """The arrays that `work` gives, as long as they are made of the same (`made_of`, a text).

        `numbers`: which of them are accounts. They must not depend on the numbers of accounts
        but for their order, which stays.
        """
        if not self.count:
            return work()
        then = self.kept.read(name, self.made_from + made_of) if self.made_from else None
        if then is not None and self.made_from == self.key:
            return then
        arrays = dict(work()) if then is None else then
        if then is not None:
            moved = {column: self.now[then[column]] for column in numbers}
            if any((column < 0).any() for column in moved.values()):
                arrays = dict(work())
            else:
                arrays = {**then, **moved}
        self.kept.write(name, self.key + made_of, arrays)
        return arrays


def nothing_kept(accounts: int) -> Changes:
    """Where nothing is kept, everything has changed."""
    nobody, nothing = np.empty(0, np.int32), np.zeros(accounts, np.uint64)
    return Changes(NOTHING_KEPT, nothing, nobody, "", "")


def _matched(then: Arrays, ix: Longs, told_by: Sums) -> Ints | None:
    """The number now of each account of then; None where an account has another `ix` than it
    had: that store was restored, and nothing of then is to be trusted."""
    before = _places(then["ix"], ix)
    same = before >= 0
    same[same] = then["told_by"][before[same]] == told_by[same]
    if np.isin(told_by[~same], then["told_by"]).any():
        return None
    now = np.full(len(then["ix"]), -1, np.int32)
    now[before[same]] = np.flatnonzero(same).astype(np.int32)
    return now


def _places(among: Longs, wanted: Longs) -> Ints:
    """The place of each of some numbers among others, -1 where it is not there."""
    table = np.full(int(max(among.max(initial=0), wanted.max(initial=0))) + 1, -1, np.int32)
    table[among] = np.arange(len(among), dtype=np.int32)
    return table[wanted]


def _name(accounts: Arrays) -> str:
    digest = hashlib.sha256()
    for name in ("salt", "ix", "told_by"):
        digest.update(np.ascontiguousarray(accounts[name]).view(np.uint8).data)
    return digest.hexdigest()
