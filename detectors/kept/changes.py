"""Which accounts have the same facts as when something was kept, and taking their part over.

Dense numbers change when accounts come and go, so accounts are told by what never changes: their
`ix` in the store, and a digest of their id, since a store that was restored numbers anew. An
account's facts are told by a sum of digests, one for each fact that counts for it: equal sums,
equal facts, in whatever order and batch they came. The digests are salted by chance, so that
nobody can write facts whose sums are equal.
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
from numba import njit

from detectors.kept.folder import NOTHING_KEPT, Arrays, Kept
from graph.amount import limbs_of

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Sums = npt.NDArray[np.uint64]

ACCOUNTS = "accounts"
"""The entry that says which account each number of the other entries is."""

MOST_CHANGED = 0.6
"""Where a larger part of the accounts has changed, everything is worked out anew."""

Work = Callable[[Bools], Mapping[str, npt.NDArray[Any]]]


@dataclass(frozen=True)
class Changes:
    """The accounts of now, and of when something was kept.

    `told_by`: a salted digest of each account's id; `before`: the number that each account had
    then, -1 where it had none; `now`: the number now of each account of then, -1 if it is gone.
    """

    kept: Kept
    told_by: Sums
    before: Ints
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
        before, now = _matched(then, ix, told_by) if then else (None, None)
        if then is None or before is None or now is None:
            then, before, now = None, np.full(len(ix), -1, np.int32), np.empty(0, np.int32)
        made_from, key = _name(then) if then else "", _name(made)
        if key != made_from:
            kept.write(ACCOUNTS, "", made)
        return cls(kept, told_by, before, now, made_from, key)

    @property
    def count(self) -> bool:
        """Whether anything is to be taken over or kept: else digests need not be made."""
        return bool(self.made_from) or self.kept.writes

    def taken_over(
        self, name: str, sums_of: Callable[[], Sums], work: Work, numbers: Sequence[str] = ()
    ) -> Mapping[str, npt.NDArray[Any]]:
        """Rows by `account`, ascending, of all accounts: those of accounts whose facts are the
        same are taken over, the rest is worked out.

        `sums_of`: gives those of each account's facts; `work`: gives the rows of the accounts
        that it is asked for (a mask) from their facts alone: `account`, ascending, and other
        columns; of these `numbers` are accounts too.
        """
        everyone = np.ones(len(self.told_by), np.bool_)
        if not self.count:
            return work(everyone)
        then = self.kept.read(name, self.made_from) if self.made_from else None
        sums, fresh = sums_of(), everyone
        if then is not None:
            fresh = changed(self.before, then["sums"], sums)
            if not fresh.any() and self.made_from == self.key:
                return _by_account(then["count"], then)
            if fresh.mean() > MOST_CHANGED:
                then, fresh = None, everyone
        rows = work(fresh)
        counts = np.bincount(rows["account"], minlength=len(sums)).astype(np.int32)
        columns = {name: values for name, values in rows.items() if name != "account"}
        if then is not None:
            counts, columns = self._merged(then, counts, columns, fresh, numbers)
        self.kept.write(name, self.key, {**columns, "count": counts, "sums": sums})
        return _by_account(counts, columns)

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

    def _merged(
        self, then: Arrays, counts: Ints, columns: Arrays, fresh: Bools, numbers: Sequence[str]
    ) -> tuple[Ints, dict[str, npt.NDArray[Any]]]:
        old, new = _starts(then["count"]), _starts(counts)
        merged_counts = np.where(fresh, counts, 0).astype(np.int32)
        merged_counts[~fresh] = then["count"][self.before[~fresh]]
        starts = _starts(merged_counts)
        merged: dict[str, npt.NDArray[Any]] = {}
        for column, values in columns.items():
            was = self.now[then[column]] if column in numbers else then[column]
            merged[column] = np.empty(starts[-1], values.dtype)
            _merge(self.before, fresh, old, was, new, values, starts, merged[column])
        return merged_counts, merged


def _by_account(counts: Ints, columns: Arrays) -> dict[str, npt.NDArray[Any]]:
    """Rows by account, from how many each has."""
    account = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    others = {name: values for name, values in columns.items() if name not in ("count", "sums")}
    return {**others, "account": account}


def _starts(counts: Ints) -> Longs:
    """Where the rows of each account begin."""
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))


def nothing_kept(accounts: int) -> Changes:
    """Where nothing is kept, everything has changed."""
    nobody = np.full(accounts, -1, np.int32)
    nothing = np.zeros(accounts, np.uint64)
    return Changes(NOTHING_KEPT, nothing, nobody, nobody[:0], "", "")


@njit(cache=True, nogil=True)
def changed(before, then, sums):  # type: ignore[no-untyped-def]
    """Which accounts were not there, or had other facts."""
    fresh = np.ones(len(sums), np.bool_)
    for account in range(len(sums)):
        if before[account] >= 0:
            fresh[account] = then[before[account]] != sums[account]
    return fresh


@njit(cache=True, nogil=True)
def _merge(before, fresh, old, was, new, values, starts, out):  # type: ignore[no-untyped-def]
    for account in range(len(fresh)):
        to = starts[account]
        if fresh[account]:
            for row in range(new[account], new[account + 1]):
                out[to] = values[row]
                to += 1
        else:
            for row in range(old[before[account]], old[before[account] + 1]):
                out[to] = was[row]
                to += 1


def _matched(then: Arrays, ix: Longs, told_by: Sums) -> tuple[Ints | None, Ints | None]:
    """The number then of each account of now, and the other way; None where an account has
    another `ix` than it had: that store was restored, and nothing of then is to be trusted."""
    before = _places(then["ix"], ix)
    same = before >= 0
    same[same] = then["told_by"][before[same]] == told_by[same]
    if np.isin(told_by[~same], then["told_by"]).any():
        return None, None
    before[~same] = -1
    now = np.full(len(then["ix"]), -1, np.int32)
    now[before[same]] = np.flatnonzero(same).astype(np.int32)
    return before, now


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


def row_digests(told_by: Sums, rows: pl.DataFrame) -> Sums:
    """A digest of each transfer: `src`, `dst` (numbers), `amount`, `at`."""
    units = limbs_of(rows["amount"].fill_null(0))
    at = rows["at"].dt.epoch("us").fill_null(np.iinfo(np.int64).min).to_numpy()
    digests: Sums = _row_digests(
        told_by, rows["src"].to_numpy(), rows["dst"].to_numpy(), units, at.view(np.uint64)
    )
    return digests


@njit(cache=True, nogil=True)
def _row_digests(told_by, src, dst, units, at):  # type: ignore[no-untyped-def]
    digests = np.empty(len(src), np.uint64)
    for row in range(len(src)):
        word = mixed(told_by[src[row]])
        word = mixed(word ^ told_by[dst[row]])
        word = mixed(word ^ units[row, 0])
        word = mixed(word ^ units[row, 1])
        digests[row] = mixed(word ^ at[row])
    return digests


@njit(cache=True, nogil=True)
def move_digests(told_by, src, dst, amount, at):  # type: ignore[no-untyped-def]
    """A digest of each transfer by the bits of its amount and its time; not that of its row."""
    digests = np.empty(len(src), np.uint64)
    for row in range(len(src)):
        word = mixed(told_by[src[row]])
        word = mixed(word ^ told_by[dst[row]])
        digests[row] = mixed(mixed(word ^ amount[row]) ^ at[row])
    return digests


@njit(cache=True, nogil=True)
def summed_in_order(starts, order, digests):  # type: ignore[no-untyped-def]
    """A sum for each account that depends on the order of its rows, given by `order`."""
    sums = np.zeros(len(starts) - 1, np.uint64)
    for account in range(len(starts) - 1):
        for place in range(starts[account], starts[account + 1]):
            turn = np.uint64(place - starts[account])
            sums[account] += mixed(digests[order[place]] ^ mixed(turn))
    return sums


@njit(cache=True, nogil=True)
def summed_by(keys, digests, accounts):  # type: ignore[no-untyped-def]
    """The sum of the digests of each account's rows; whole numbers that go round."""
    sums = np.zeros(accounts, np.uint64)
    for row in range(len(keys)):
        sums[keys[row]] += digests[row]
    return sums


@njit(cache=True, nogil=True, inline="always")
def mixed(word):  # type: ignore[no-untyped-def]
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014), of a word set off by its step."""
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
