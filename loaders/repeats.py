"""Which keys came before, over millions of rows, without holding the rows.

A key is 96 bits of a hash of a uid (64 and 32); beside it stands a small note. Sorted runs
of the 64 bits are the filter: nearly always they say that nothing came before, and only
the few suspects are looked up exactly. 24 bytes a row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

NEW, KNOWN, CONFLICT = "new", "known", "conflict"


def keys(uids: pl.Series) -> pl.DataFrame:
    """`k1` (64 bits) and `k2` (32 bits) of each uid."""
    return pl.DataFrame({"k1": uids.hash(seed=1), "k2": _short(uids.hash(seed=2))})


def content(rows: pl.DataFrame) -> pl.Series:
    """32 bits of a hash of each row."""
    return _short(rows.hash_rows(seed=3))


def _short(hashes: pl.Series) -> pl.Series:
    return (hashes // 2**32).cast(pl.UInt32)


class _Earlier:
    """Keys with their notes, in order of arrival."""

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.uint64]] = []
        self._kept: list[pl.DataFrame] = []

    def suspects(self, k1: pl.Series) -> pl.Series | None:
        """A mask of keys whose `k1` occurs twice here or occurred before; None for none."""
        sought = np.sort(k1.to_numpy())
        found = [sought[1:][sought[1:] == sought[:-1]]]
        for run in self._runs:
            place = np.searchsorted(run, sought)
            place[place == len(run)] = 0
            found.append(sought[run[place] == sought])
        suspicious = np.unique(np.concatenate(found))
        if not len(suspicious):
            return None
        return k1.is_in(pl.Series(suspicious).implode())

    def of(self, k1: pl.Series) -> pl.DataFrame:
        """What was kept under these `k1`, in order of arrival."""
        sought = k1.unique().to_frame()
        found = [
            kept.join(sought, on="k1", how="semi", maintain_order="left") for kept in self._kept
        ]
        return pl.concat([pl.DataFrame(schema=_KEPT), *found])

    def add(self, kept: pl.DataFrame) -> None:
        """Keep `k1`, `k2` and `note`."""
        if kept.is_empty():
            return
        self._kept.append(kept.select(*_KEPT))
        run = np.sort(kept["k1"].to_numpy())
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        self._runs.append(run)


_KEPT = {"k1": pl.UInt64, "k2": pl.UInt32, "note": pl.UInt32}
_KEY = ["k1", "k2"]


class Occurrences:
    """Numbers equal rows: 1 for the first of its like, then 2, 3, …"""

    def __init__(self) -> None:
        self._earlier = _Earlier()

    def count(self, uids: pl.Series) -> pl.Series:
        """The number of each row among all rows with the same uid so far (Int64)."""
        rows = keys(uids)
        mask = self._earlier.suspects(rows["k1"])
        n = pl.repeat(1, len(rows), dtype=pl.Int64, eager=True)
        if mask is None:
            self._earlier.add(rows.with_columns(note=pl.lit(1, pl.UInt32)))
            return n
        suspects = rows.filter(mask)
        before = self._earlier.of(suspects["k1"]).group_by(_KEY).agg(pl.col("note").sum())
        counted = suspects.join(before, on=_KEY, how="left", maintain_order="left").select(
            pl.col("note").fill_null(0).cast(pl.Int64)
            + pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over(_KEY)
        )
        self._earlier.add(rows.group_by(_KEY).agg(note=pl.len().cast(pl.UInt32)))
        return n.scatter(mask.arg_true(), counted.to_series())


class Firsts:
    """Tells the first row of each uid from its repeats and its contradictions."""

    def __init__(self) -> None:
        self._earlier = _Earlier()

    def judge(self, uids: pl.Series, contents: pl.Series) -> pl.Series:
        """NEW for the first of its uid, else KNOWN (equal content) or CONFLICT."""
        rows = keys(uids).with_columns(note=contents)
        mask = self._earlier.suspects(rows["k1"])
        fate = pl.repeat(NEW, len(rows), dtype=pl.String, eager=True)
        if mask is not None:
            suspects = rows.filter(mask)
            before = self._earlier.of(suspects["k1"]).rename({"note": "first"})
            judged = suspects.join(before, on=_KEY, how="left", maintain_order="left").select(
                pl.when(pl.col("first").is_null(), pl.int_range(pl.len()).over(_KEY) == 0)
                .then(pl.lit(NEW))
                .when(
                    pl.col("note")
                    == pl.coalesce(pl.col("first"), pl.col("note").first().over(_KEY))
                )
                .then(pl.lit(KNOWN))
                .otherwise(pl.lit(CONFLICT))
            )
            fate = fate.scatter(mask.arg_true(), judged.to_series())
        self._earlier.add(rows.filter(fate == NEW))
        return fate
