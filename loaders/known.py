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
    latest = pl.when("visible").then("revision").max()
    several = existing["revision"].max() != 1
    old = existing.select(
        "uid",
        "visible",
        pl.col("revision").alias("highest"),
        # Rarely is there more than one revision of any uid; then this window costs nothing.
        (latest.over("uid") if several else pl.lit(1, pl.Int32)).alias("latest"),
        *(pl.col(name).name.suffix("_old") for name in content),
    )
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_old")) for name in content)
    met = rows.with_row_index("place").join(old, on="uid", how="left", maintain_order="left")
    met = met.with_columns(same=same & pl.col("visible"))
    met = met.with_columns(same_latest=pl.col("same") & (pl.col("highest") == pl.col("latest")))
    met = met.drop("latest", *(f"{name}_old" for name in content))
    return _fates(_one_each(met) if several else met, correct).drop(
        "place", "visible", "same", "same_latest", "highest"
    )


def against_archive(
    rows: pl.DataFrame, archived: pl.DataFrame, kind: str, correct: bool
) -> pl.DataFrame:
    """Sets `fate` and `reason` of rows whose uid is archived (and so not in the store).

    `archived`: see `Load.archived`. Equal to any visible revision is known; else in conflict,
    for what is archived cannot be corrected. With `correct` only the latest counts.
    """
    if archived.is_empty():
        return rows
    from graph.archive_month import content_digests

    said = rows.select("uid", digest=content_digests(rows, kind)).with_row_index("place")
    equal = archived.filter("latest") if correct else archived
    met = said.join(archived.select("uid").unique(), on="uid", how="semi")["place"]
    same = said.join(equal, on=["uid", "digest"], how="semi")["place"]
    place = pl.int_range(pl.len(), dtype=pl.UInt32)
    gone, known = place.is_in(met.implode()), place.is_in(same.implode())
    fate = pl.when(gone & known).then(pl.lit(KNOWN)).when(gone).then(pl.lit(CONFLICT))
    reason = pl.when(gone & ~known).then(
        pl.lit("a fact with this id is archived with other content; see store unarchive")
    )
    return rows.with_columns(
        fate=fate.otherwise(pl.col("fate")), reason=reason.otherwise(pl.col("reason"))
    )


def _one_each(met: pl.DataFrame) -> pl.DataFrame:
    """One line a row out of one line for each revision that it met."""
    told = ("visible", "same", "same_latest")
    found = met.group_by("place").agg(
        *(pl.col(name).any() for name in told), pl.col("highest").max()
    )
    rows = met.drop(*told, "highest").unique("place", keep="first", maintain_order=True)
    return rows.join(found, on="place", how="left", maintain_order="left")


def _fates(met: pl.DataFrame, correct: bool) -> pl.DataFrame:
    known = pl.col("same_latest") if correct else pl.col("same")
    fate = (
        pl.when(pl.col("highest").is_null() | ~pl.col("visible"))
        .then(pl.lit(NEW))
        .when(known)
        .then(pl.lit(KNOWN))
        .otherwise(pl.lit(NEW if correct else CONFLICT))
    )
    revision = (pl.col("highest").fill_null(0) + 1).cast(pl.Int32)
    return met.with_columns(fate=fate, revision=revision)
