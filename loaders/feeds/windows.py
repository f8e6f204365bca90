"""Whether rows are the same as before, in whatever order a database gives them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Window:
    """The rows from a position on, of which only digests are kept: 16 bytes a row."""

    def __init__(self) -> None:
        self._parts: list[tuple[pl.Series, pl.Series]] = []

    def add(self, digests: pl.Series, positions: pl.Series) -> None:
        """Rows by their digests, with their positions."""
        self._parts.append((digests, positions))

    def drop_before(self, since: int) -> None:
        """Leave out rows of lower positions."""
        parts = [_from(part, since) for part in self._parts]
        self._parts = [part for part in parts if len(part[0])]

    def sha256(self) -> str:
        """The digest of them all."""
        return digest_of([digests for digests, _ in self._parts])


def _from(part: tuple[pl.Series, pl.Series], since: int) -> tuple[pl.Series, pl.Series]:
    digests, positions = part
    keep = positions >= since
    return part if keep.all() else (digests.filter(keep), positions.filter(keep))


def digest_of(parts: list[pl.Series]) -> str:
    """One digest of the digests of rows."""
    import polars as pl

    every = pl.concat(parts) if parts else pl.Series(dtype=pl.Int64)
    return hashlib.sha256(every.sort().to_numpy().tobytes()).hexdigest()


def digests(table: pa.Table) -> pl.Series:
    """Each row's digest as Int64: 60 bits of the SHA-256 of its cells and their names."""
    import polars as pl
    import polars_hash as plh

    frame = pl.DataFrame(pl.from_arrow(table))
    # A cell is framed by its length, so no two rows have one text; an empty one has none.
    cells = [
        pl.concat_str(
            pl.lit(f"{name}="), text.str.len_bytes().cast(pl.String), pl.lit(":"), text
        ).fill_null(f"{name}")
        for name in frame.columns
        for text in (pl.col(name).cast(pl.String),)
    ]
    return frame.select(
        plh.concat_str(cells, separator=";")
        .chash.sha2_256()
        .str.slice(0, 15)
        .str.to_integer(base=16, dtype=pl.Int64)
        .alias("digest")
    )["digest"]
