"""Rows against the store: new, known, in conflict, or a correction."""

from __future__ import annotations

import polars as pl

from loaders.repeats import CONFLICT, KNOWN, NEW


def against_store(
    rows: pl.DataFrame, existing: pl.DataFrame, content: list[str], correct: bool
) -> pl.DataFrame:
    """Adds `fate` and `revision` to rows with `uid` and the columns named in `content`.

    `existing`: the committed rows with these uids (see `Load.existing`). Equal to any visible
    revision is known, else in conflict; with `correct` equal to the latest visible one is
    known, else a new revision. A uid of withdrawn batches only is new, in a higher revision.
    """
    if existing.is_empty():
        return rows.with_columns(fate=pl.lit(NEW), revision=pl.lit(1, pl.Int32))
    places = rows.with_row_index("place")
    old = existing.select(
        "uid", "visible", "revision", *(pl.col(c).name.suffix("_old") for c in content)
    )
    same = pl.all_horizontal(pl.col(c).eq_missing(pl.col(f"{c}_old")) for c in content)
    latest = pl.col("revision").filter("visible").max()
    found = (
        places.select("place", "uid", *content)
        .join(old, on="uid")
        .with_columns(same=same & pl.col("visible"))
        .group_by("place")
        .agg(
            pl.col("visible").any(),
            same=pl.col("same").any(),
            same_latest=(pl.col("same") & (pl.col("revision") == latest)).any(),
            highest=pl.col("revision").max(),
        )
    )
    known = pl.col("same_latest") if correct else pl.col("same")
    fate = (
        pl.when(pl.col("highest").is_null() | ~pl.col("visible"))
        .then(pl.lit(NEW))
        .when(known)
        .then(pl.lit(KNOWN))
        .otherwise(pl.lit(NEW if correct else CONFLICT))
    )
    return (
        places.join(found, on="place", how="left", maintain_order="left")
        .with_columns(fate=fate, revision=(pl.col("highest").fill_null(0) + 1).cast(pl.Int32))
        .drop("place", "visible", "same", "same_latest", "highest")
    )
