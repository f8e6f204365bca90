"""Amounts: exact decimals, read from text or numbers without ever rounding."""

from __future__ import annotations

import polars as pl

from graph.schema import AMOUNT
from loaders.cells import text
from loaders.parsed import Fault, Parsed

_BEFORE, _AFTER = 20, 18
_PLAIN = r"^[0-9]{1,20}(?:\.[0-9]{0,18})?$"
_NUMBER = r"^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]{1,6}))?$"
_FITS = f"does not fit: at most {_BEFORE} digits before the point and {_AFTER} after; see --shift"


def amounts(cells: pl.Series, shift: int = 0) -> Parsed:
    """Cells as decimal(38, 18); `shift` moves the point that many places to the left.

    Refused: what is no number, NaN and infinity, negative amounts, what does not fit.
    Scientific notation is read exactly; a float counts as its shortest text.
    """
    if shift == 0 and cells.dtype.is_integer():
        values = cells.cast(AMOUNT, strict=False)
        too_long = values.is_null() & cells.is_not_null()
        return Parsed(values, cells, [Fault(cells < 0, "is negative"), Fault(too_long, _FITS)])
    not_finite = _not_finite(cells)
    raw, bad = text(cells)
    values = _plain(raw) if shift == 0 else pl.repeat(None, len(raw), dtype=AMOUNT, eager=True)
    faults = [Fault(bad, "is not UTF-8"), Fault(not_finite, "is not a finite number")]
    left = values.is_null() & raw.is_not_null()
    if left.any():
        where = left.arg_true()
        rest = _any_number(raw.gather(where), shift)
        values = values.scatter(where, rest.values)
        faults += [Fault.at(where, fault, len(raw)) for fault in rest.faults]
    return Parsed(values, raw, faults)


def _not_finite(cells: pl.Series) -> pl.Series:
    if cells.dtype.is_float():
        return ~cells.is_finite()
    return pl.repeat(False, len(cells), eager=True)


def _plain(raw: pl.Series) -> pl.Series:
    """Plain digits with a point, which Polars casts exactly; null for all else."""
    plain = pl.select(pl.when(raw.str.contains(_PLAIN)).then(raw)).to_series()
    return plain.cast(AMOUNT, strict=False)


def _any_number(raw: pl.Series, shift: int) -> Parsed:
    """Signs, exponents and a shift, by moving the point in the text."""
    frame = (
        raw.rename("raw")
        .to_frame()
        .with_columns(pl.col("raw").str.extract_groups(_NUMBER).alias("part"))
        .select(
            "raw",
            sign=pl.col("part").struct.field("1"),
            digits=pl.col("part").struct.field("2") + pl.col("part").struct.field("3"),
            point=pl.col("part").struct.field("2").str.len_bytes().cast(pl.Int64)
            + pl.col("part").struct.field("4").cast(pl.Int64, strict=False).fill_null(0)
            - shift,
        )
        .with_columns(
            number=pl.col("digits").str.len_bytes().fill_null(0) > 0,
            lead=pl.col("digits").str.len_bytes().cast(pl.Int64)
            - pl.col("digits").str.strip_chars_start("0").str.len_bytes().cast(pl.Int64),
            core=pl.col("digits").str.strip_chars("0"),
        )
        # The core's first digit stands `whole` places before the point.
        .with_columns(whole=pl.col("point") - pl.col("lead"))
        .with_columns(after=pl.col("core").str.len_bytes().cast(pl.Int64) - pl.col("whole"))
    )
    zero = pl.col("core") == ""
    fits = zero | ((pl.col("whole") <= _BEFORE) & (pl.col("after") <= _AFTER))
    whole = pl.col("whole").clip(0, _BEFORE)
    padding = pl.lit("0" * (_BEFORE + _AFTER))
    moved = pl.concat_str(
        padding.str.slice(0, (-pl.col("whole")).clip(0, _AFTER)), pl.col("core"), padding
    )
    value = (
        pl.when(zero)
        .then(pl.lit("0"))
        .otherwise(
            pl.concat_str(
                pl.lit("0"),
                moved.str.slice(0, whole),
                pl.lit("."),
                moved.str.slice(whole, _AFTER),
            )
        )
    )
    word = pl.col("raw").str.to_lowercase().str.strip_chars_start("+-")
    not_finite = word.is_in(["nan", "inf", "infinity"])
    negative = pl.col("number") & (pl.col("sign") == "-") & ~zero
    done = frame.select(
        values=pl.when(pl.col("number") & fits & ~negative).then(value).cast(AMOUNT, strict=False),
        not_finite=not_finite,
        no_number=~pl.col("number"),
        negative=negative,
        too_long=pl.col("number") & ~fits,
    ).with_columns(pl.exclude("values").fill_null(False))
    return Parsed(
        done["values"],
        raw,
        [
            Fault(done["not_finite"], "is not a finite number"),
            Fault(done["no_number"], "is not a number"),
            Fault(done["negative"], "is negative"),
            Fault(done["too_long"], _FITS),
        ],
    )


def canonical(amount: pl.Expr) -> pl.Expr:
    """An amount's shortest text: 1.5, 20, 0."""
    return amount.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
