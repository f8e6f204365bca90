"""Account ids: cleaned, checked, masked and numbered once for each distinct text.

A row carries a small integer code for the text that stood in its cell; everything that
depends on the text alone is kept by code.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl

from graph.digest import MASK_PREFIX, digests
from loaders.cells import as_text, nfc
from loaders.parsed import Fault, Parsed

LONGEST_BYTES = 256
_REASONS = (
    "",
    "is empty",
    "holds a control character",
    f"is longer than {LONGEST_BYTES} bytes",
)
_GOOD, _EMPTY, _CONTROL, _LONG = range(4)
_UNNUMBERED = -1


class Accounts:
    """The distinct account texts of one load. Safe to use from several threads.

    `key` masks ids (the store's key when the store masks), None keeps them as they are.
    """

    def __init__(self, lower: bool, key: str | None) -> None:
        self._lower = lower
        self._key = key
        self._categories = pl.Categories.random()
        # Polars forgets which code stands for which text when no series uses them any more.
        self._codes_alive = pl.Series([""], dtype=pl.Categorical(self._categories))
        self._lock = Lock()
        self._place: npt.NDArray[np.int64] = np.full(0, -1, dtype=np.int64)
        self._texts: list[pl.Series] = []
        self._status: npt.NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
        self._ix: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def parse(self, cells: pl.Series) -> Parsed:
        """Cells as places in `texts` (Int64; null where empty or refused)."""
        raw, bad = as_text(cells)
        if cells.dtype.is_float():  # whole numbers in a column with gaps: 3.0 is account 3
            raw = raw.str.strip_suffix(".0")
        coded = raw.cast(pl.Categorical(self._categories))
        there = coded.is_not_null()
        codes = coded.to_physical().fill_null(0).cast(pl.Int64).to_numpy()
        with self._lock:
            self._meet(raw, np.where(there.to_numpy(), codes, -1))
            known = self._place[codes] if len(self._place) else np.zeros_like(codes)
            status = self._status[known] if len(self._status) else np.zeros_like(codes)
        good = pl.Series(status == _GOOD) & there
        faults = [Fault(bad, "is not UTF-8")]
        faults += [
            Fault(pl.Series(status == number) & there, _REASONS[number])
            for number in (_CONTROL, _LONG)
        ]
        values = pl.select(pl.when(good).then(pl.Series(known))).to_series()
        return Parsed(values, raw, faults)

    def texts(self) -> pl.Series:
        """The cleaned (and masked) texts by place."""
        with self._lock:
            self._texts = [pl.concat(self._texts)] if self._texts else [pl.Series(dtype=pl.String)]
            return self._texts[0]

    def number(
        self, columns: list[pl.Series], number: Callable[[pl.Series], pl.Series]
    ) -> list[pl.Series]:
        """The ix of each place; `number` gives the ix of distinct texts not asked before."""
        places = [column.to_numpy() for column in columns]
        texts = self.texts()
        if len(self._ix) < len(texts):
            more = np.full(len(texts) - len(self._ix), _UNNUMBERED)
            self._ix = np.concatenate([self._ix, more])
        asked = np.zeros(len(texts), dtype=bool)
        for column in places:
            asked[column] = True
        new = np.flatnonzero(asked & (self._ix == _UNNUMBERED))
        if len(new):
            wanted = texts.gather(new).alias("text").to_frame()
            distinct = wanted["text"].unique()
            numbered = pl.DataFrame({"text": distinct, "ix": number(distinct)})
            found = wanted.join(numbered, on="text", how="left", maintain_order="left")
            self._ix[new] = found["ix"].to_numpy()
        return [
            pl.Series(column.name, self._ix[place])
            for column, place in zip(columns, places, strict=True)
        ]

    def _meet(self, raw: pl.Series, codes: npt.NDArray[np.int64]) -> None:
        """Clean the texts whose codes were not met before (-1: no text)."""
        most = int(codes.max(initial=-1)) + 1
        if most > len(self._place):
            more = np.full(max(most, 2 * len(self._place)) - len(self._place), -1)
            self._place = np.concatenate([self._place, more])
        rows = np.flatnonzero(codes >= 0)
        rows = rows[self._place[codes[rows]] < 0]
        if not len(rows):
            return
        new, first = np.unique(codes[rows], return_index=True)
        self._place[new] = np.arange(len(self._status), len(self._status) + len(new))
        texts, status = _clean(raw.gather(rows[first]), self._lower)
        if self._key is not None:
            texts = MASK_PREFIX + digests(texts, self._key, "account")
        self._texts.append(texts)
        self._status = np.concatenate([self._status, status])


def _clean(raw: pl.Series, lower: bool) -> tuple[pl.Series, npt.NDArray[np.uint8]]:
    """Trimmed, NFC, folded if `lower`; and for each whether it may be an id."""
    texts = nfc(raw.str.strip_chars())
    if lower:
        texts = texts.str.to_lowercase()
    status = np.full(len(texts), _GOOD, dtype=np.uint8)
    status[(texts.str.len_bytes() > LONGEST_BYTES).to_numpy()] = _LONG
    status[texts.str.contains(r"[\x00-\x1f\x7f]").to_numpy()] = _CONTROL
    status[(texts == "").to_numpy()] = _EMPTY
    return texts.rename("text"), status
