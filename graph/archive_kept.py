"""What a store keeps of archived months, and which months come back: the same for both homes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from graph.archive import Archived, chosen_to_return
from graph.archive_folder import open_month, read_manifest
from graph.archive_month import CARRIED, CARRIED_NAME, KEPT, Written
from graph.errors import UserError
from graph.store import Properties, Tell


@dataclass(frozen=True)
class Kept:
    """What is kept of an archived month: a folder of files that never change."""

    folder: Path

    def facts(self, kind: str) -> pl.LazyFrame:
        """`uid`, `digest`, `latest` of the archived facts of a kind."""
        return self._scan(kind, KEPT)

    def carried(self) -> pl.LazyFrame:
        """`account`, `at`, `amount`: what its transfers moved."""
        return self._scan(CARRIED_NAME, CARRIED)

    def files(self) -> Iterator[Path]:
        """All of its files."""
        yield from sorted(self.folder.glob("*.parquet"))

    def _scan(self, name: str, columns: dict[str, pl.DataType]) -> pl.LazyFrame:
        path = self.folder / f"{name}.parquet"
        if not path.exists():
            return pl.LazyFrame(schema=columns)
        return pl.scan_parquet(path, schema=columns, glob=False)


class Keeper(Protocol):
    """A store with archived months."""

    properties: Properties
    tell: Tell

    def archived(self) -> list[Archived]:
        """See `graph.store.Store`."""

    def kept(self, month: Archived) -> Kept:
        """What is kept of an archived month."""


def carried(store: Keeper) -> pl.LazyFrame:
    """What archived transfers moved, of all months."""
    parts = [store.kept(month).carried() for month in store.archived()]
    return pl.concat([pl.LazyFrame(schema=CARRIED), *parts])


def known(store: Keeper, kind: str, uids: pl.Series) -> pl.DataFrame:
    """`uid`, `digest`, `latest` of the archived facts with one of these uids."""
    wanted = uids.cast(pl.String).unique().alias("uid").to_frame().lazy()
    parts = [store.kept(month).facts(kind) for month in store.archived() if kind in month.rows]
    every = pl.concat([pl.LazyFrame(schema=KEPT), *parts])
    return every.join(wanted, on="uid", how="semi").collect(engine="streaming")


def unsettled(store: Keeper, archived: Sequence[Archived], kind: str) -> list[pl.LazyFrame]:
    """`uid` of the archived facts of a kind whose rows may still, or again, be in the tables."""
    return [
        store.kept(month).facts(kind).select("uid")
        for month in archived
        if not month.settled and kind in month.rows
    ]


def without(rows: pl.LazyFrame, gone: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Rows whose uid is in none of some frames."""
    for uids in gone:
        rows = rows.join(uids, on="uid", how="anti", maintain_order="left")
    return rows


def as_archived(written: Written, name: str) -> Archived:
    """A month that was written, as it is recorded. `name`: of what is kept of it."""
    manifest = written.manifest
    return Archived(
        batch=0,
        month=manifest.month,
        folder=str(written.place),
        sha256=written.sha256,
        rows=manifest.rows,
        batches=manifest.batches,
        kept=name,
        settled=False,
    )


def to_return(store: Keeper, places: Sequence[Path]) -> tuple[list[Archived], dict[str, Path]]:
    """The months in some folders, newest first, and where each is, by the digest of its
    manifest; all files are checked. Errors as of `graph.store.Store.unarchive`."""
    months = store.archived()
    found: dict[str, Path] = {}
    for place in places:
        manifest, digest = read_manifest(place)
        own = store.properties.key_fingerprint
        if manifest.store != own:
            raise UserError(f"{place} is of another store (key {manifest.store}, not {own}).")
        if digest not in {month.sha256 for month in months}:
            raise UserError(
                f"{place} is no month that is archived from here: its facts are in the store, or "
                "it was changed.",
                "`inconcert store info` lists what is archived.",
            )
        store.tell(f"checking {place}")
        open_month(place)
        found[digest] = place
    return chosen_to_return(months, list(found)), found


def problems(store: Keeper) -> Iterator[str]:
    """What is missing or wrong of what is kept of archived months, one sentence each."""
    for month in store.archived():
        kept = store.kept(month)
        for kind, archived in month.rows.items():
            path = kept.folder / f"{kind}.parquet"
            try:
                rows = kept.facts(kind).select(pl.col("uid").n_unique()).collect().item()
            except (OSError, pl.exceptions.PolarsError) as error:
                yield f"The file {path} is damaged: {str(error).splitlines()[0]}."
                continue
            if not 0 < rows <= archived:
                yield f"{path} knows {rows} {kind} where {archived} rows were archived."


def notes(store: Keeper) -> Iterator[str]:
    """What is worth knowing of archived months."""
    for month in store.archived():
        if not Path(month.folder).exists():
            yield f"The archive of {month.month} is not at hand: {month.folder} is not there."
