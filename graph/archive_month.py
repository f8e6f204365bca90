"""What goes of a month, and what is kept of it: the same for both homes.

All is read and written some rows at a time. In memory are the ids of the accounts, the uids
that have corrections, and what the accounts moved.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from graph.amount import summed
from graph.archive import ADDING_UP, HAPPENED
from graph.archive_folder import ArchiveManifest, MonthDraft, RowsFile, columns_of, frames
from graph.backup import ROWS
from graph.disk import sync
from graph.schema import AMOUNT, KINDS, TIME
from graph.store import Batch, Properties, Tell

KEPT: dict[str, pl.DataType] = {
    "uid": pl.String(),
    "digest": pl.String(),
    "latest": pl.Boolean(),
}
"""Of each visible revision that is archived; `latest`: the one that was the fact."""

CARRIED: dict[str, pl.DataType] = {"account": pl.Int64(), "at": TIME, "amount": AMOUNT}
"""What archived transfers brought to an account (ix) less what they took; `at`: the latest of
those that were added up."""

CARRIED_NAME = "carried"
_DIGEST_CHARACTERS = 16


class Source(Protocol):
    """A store whose facts are to be archived. No other writes to it meanwhile."""

    properties: Properties
    tell: Tell

    def batches(self) -> list[Batch]:
        """See `graph.store.Store`."""

    def accounts(self) -> pl.LazyFrame:
        """See `graph.store.Store`."""

    def every_row(self, kind: str) -> pl.LazyFrame:
        """All rows of the kind's committed loads, withdrawn and superseded ones too."""


@dataclass(frozen=True)
class Written:
    """A month as it was written."""

    place: Path
    manifest: ArchiveManifest
    sha256: str


def months_of(source: Source, before: datetime) -> list[datetime]:
    """The first moments of the months before a time in which something happened, ascending."""
    limit = pl.lit(before).cast(TIME)
    found = pl.concat(
        [
            source.every_row(kind)
            .filter(pl.col("at") < limit)
            .select(month=pl.col("at").dt.truncate("1mo"))
            .unique()
            for kind in HAPPENED
        ]
    )
    months = found.unique().collect(engine="streaming")["month"].sort()
    return [month for month in months.to_list() if isinstance(month, datetime)]


def write_month(
    source: Source, begin: datetime, end: datetime, folder: Path, kept: Path
) -> Written | None:
    """Write a month to the archive and, to the folder `kept`, what the store keeps of it. None
    where nothing of it goes. On disk, and read back, when this returns; the store is as it was."""
    month = f"{begin:%Y-%m}"
    draft = MonthDraft(folder, source.properties.key_fingerprint, month)
    try:
        _write(source, begin, end, draft, kept)
        if not draft.rows:
            draft.drop()
            shutil.rmtree(kept, ignore_errors=True)
            return None
        sync(kept)
        sync(kept.parent)
        return Written(*draft.finish())
    except BaseException:
        draft.drop()
        shutil.rmtree(kept, ignore_errors=True)
        raise


def _write(source: Source, begin: datetime, end: datetime, draft: MonthDraft, kept: Path) -> None:
    kept.mkdir(mode=0o700, parents=True)
    names = _Names(source.accounts().collect(engine="streaming"))
    moved = _Moved(_breaks(source, end))
    for kind in HAPPENED:
        known = RowsFile(kept / f"{kind}.parquet", KEPT)
        with closing(_Closing(known)):
            for frame in _going(source, kind, begin, end):
                draft.write(kind, names.named(frame, kind).select(*columns_of(kind)))
                known.write(_known(frame, kind))
                if kind == "transfers" and source.properties.holdings_rule in ADDING_UP:
                    moved.add(frame.filter("latest"))
                source.tell(f"{draft.rows:,} rows of {begin:%Y-%m} written")
            known.finish()
    carried = RowsFile(kept / f"{CARRIED_NAME}.parquet", CARRIED)
    with closing(_Closing(carried)):
        carried.write(moved.all())
        carried.finish()


@dataclass
class _Closing:
    file: RowsFile

    def close(self) -> None:
        self.file.drop()


# -- which rows --------------------------------------------------------------------------


def _going(source: Source, kind: str, begin: datetime, end: datetime) -> Iterator[pl.DataFrame]:
    """The rows that go: the stored columns, and `visible` and `latest` (whether it is the fact).

    A uid with corrections goes in the month of its latest time, all of its revisions or none.
    """
    rows = source.every_row(kind)
    loads = [batch for batch in source.batches() if batch.kind == kind]
    shown = [batch.batch for batch in loads if not batch.withdrawn]
    low, high = pl.lit(begin).cast(TIME), pl.lit(end).cast(TIME)
    within = (pl.col("at") >= low) & (pl.col("at") < high)
    visible = pl.col("batch").is_in(shown)
    several = _several(rows, [batch.batch for batch in loads if batch.has_revisions])
    single = rows.filter(within & visible)
    if several.is_empty():
        yield from _in_parts(single.with_columns(visible=pl.lit(True), latest=pl.lit(True)))
        return
    single = single.join(several.lazy(), on="uid", how="anti")
    yield from _in_parts(single.with_columns(visible=pl.lit(True), latest=pl.lit(True)))
    history = rows.join(several.lazy(), on="uid", how="semi").with_columns(visible=visible)
    whole = history.group_by("uid").agg(
        top=pl.col("revision").filter("visible").max(),
        at_last=pl.col("at").max(),
        dated=pl.col("at").is_not_null().all(),
    )
    goes = whole.filter(
        "dated",
        pl.col("top").is_not_null() & (pl.col("at_last") >= low) & (pl.col("at_last") < high),
    ).select("uid", "top")
    chosen = history.join(goes.collect(engine="streaming").lazy(), on="uid", how="inner")
    yield from _in_parts(chosen.with_columns(latest=pl.col("revision") == pl.col("top")))


def _several(rows: pl.LazyFrame, revised: list[int]) -> pl.DataFrame:
    """`uid` of the facts that have corrections."""
    corrected = rows.filter(pl.col("batch").is_in(revised), pl.col("revision") > 1)
    return corrected.select(pl.col("uid").unique()).collect(engine="streaming")


def _in_parts(rows: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Frames of `ROWS` rows, the last one of fewer: the same rows make the same files."""
    waiting: list[pl.DataFrame] = []
    for frame in rows.collect_batches(chunk_size=ROWS, maintain_order=True):
        waiting.append(frame)
        while sum(part.height for part in waiting) >= ROWS:
            joined = pl.concat(waiting)
            yield joined[:ROWS]
            waiting = [joined[ROWS:]]
    if any(part.height for part in waiting):
        yield pl.concat(waiting)


@dataclass
class _Names:
    """The ids of accounts, by their numbers in the store."""

    accounts: pl.DataFrame
    _places: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        ix = self.accounts["ix"].to_numpy()
        self._places = np.full(int(ix.max(initial=0)) + 1, -1, np.int64)
        self._places[ix] = np.arange(len(ix))

    def named(self, frame: pl.DataFrame, kind: str) -> pl.DataFrame:
        """Rows with ids in place of numbers."""
        return frame.with_columns(
            self.accounts["account"].gather(self._places[frame[name].to_numpy()]).alias(name)
            for name in KINDS[kind].accounts
        )


# -- what is kept ------------------------------------------------------------------------


def _known(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    shown = frame.filter("visible")
    return shown.select("uid", digest=content_digests(shown, kind), latest="latest")


def content_digests(frame: pl.DataFrame, kind: str) -> pl.Series:
    """A digest of what each row says: of the kind's own columns, accounts by their numbers in
    the store. It is kept, so it must not change from version to version."""
    import polars_hash as plh

    parts = []
    for name, dtype in KINDS[kind].columns.items():
        column = pl.col(name).cast(dtype)
        text = (column.dt.epoch("us") if dtype == TIME else column).cast(pl.String)
        size = text.str.len_bytes().cast(pl.String)
        parts.append(pl.concat_str(size, pl.lit(":"), text).fill_null("-"))
    said = frame.select(said=pl.concat_str(parts))
    hashed = plh.col("said").chash.sha2_256().str.slice(0, _DIGEST_CHARACTERS)
    return said.select(hashed).to_series().alias("digest")


def _breaks(source: Source, end: datetime) -> pl.Series:
    """The times at which holdings were stated, ascending. Between two of them it makes no
    difference when exactly something was transferred."""
    if source.properties.holdings_rule != "rolled":
        return pl.Series("at", [], TIME)
    stated = source.every_row("holdings").filter(pl.col("at") < pl.lit(end).cast(TIME))
    return stated.select(pl.col("at").unique()).collect(engine="streaming")["at"].sort()


class _Moved:
    """What came to accounts less what left them, between two statements each."""

    def __init__(self, breaks: pl.Series) -> None:
        self._breaks = breaks
        self._sums = pl.DataFrame(schema={**CARRIED, "after": pl.Int64})

    def add(self, facts: pl.DataFrame) -> None:
        """Add transfers."""
        moved = facts.filter(pl.col("src") != pl.col("dst"))
        # a statement of the very moment of a transfer has it already: it is not after it
        after = self._breaks.search_sorted(moved["at"], side="left").cast(pl.Int64)
        moved = moved.with_columns(after=after)
        parts = [
            self._sums.select("account", "at", "amount", "after"),
            moved.select("at", "after", account="src", amount=-pl.col("amount")).select(
                "account", "at", "amount", "after"
            ),
            moved.select("at", "after", account="dst", amount="amount").select(
                "account", "at", "amount", "after"
            ),
        ]
        self._sums = summed(
            pl.concat(parts)
            .lazy()
            .group_by("account", "after")
            .agg(pl.col("at").max(), pl.col("amount").sum())
            .select("account", "at", "amount", "after")
        )

    def all(self) -> pl.DataFrame:
        """`account`, `at`, `amount`: what did not come to nothing, in a fixed order."""
        return self._sums.filter(pl.col("amount") != 0).select(*CARRIED).sort("account", "at")


# -- bringing back -----------------------------------------------------------------------


def rows_of_month(
    place: Path, manifest: ArchiveManifest, kind: str, accounts: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """The rows of a kind as they were stored. `accounts`: `account` and `ix` of every one."""
    numbers = accounts.select("account", "ix")
    for file in manifest.files:
        if file.kind != kind:
            continue
        for frame in frames(place / file.path, columns_of(kind)):
            for name in KINDS[kind].accounts:
                found = frame.select(pl.col(name).alias("account")).join(
                    numbers, on="account", how="left", maintain_order="left"
                )
                frame = frame.with_columns(found["ix"].alias(name))
            yield frame.select(*KINDS[kind].stored)
