"""Raw cells as text, whatever type the file gave them."""

from __future__ import annotations

import polars as pl
import pyarrow.compute as pc

from loaders.byte_streams import NUL

# Every byte sequence that is UTF-8 (Unicode 15, table 3-7).
_UTF8 = (
    r"(?s)^(?:[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]"
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}"
    r"|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})*\z"
)


def utf8(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Bytes as text (null where they are not UTF-8), and a mask of where they are not."""
    try:
        text = cells.cast(pl.String)
        return text, pl.repeat(False, len(cells), eager=True)
    except pl.exceptions.ComputeError:
        valid = pl.Series(pc.match_substring_regex(cells.to_arrow(), _UTF8)).fill_null(True)
        kept = pl.select(pl.when(valid).then(cells).otherwise(pl.lit(b""))).to_series()
        known = pl.select(pl.when(valid).then(kept.cast(pl.String))).to_series()
        return known.rename(cells.name), ~valid


def as_text(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Cells as text, and a mask of those that are not UTF-8 (null there).

    Numbers become their shortest exact text, times ISO 8601, nested values JSON.
    """
    dtype = cells.dtype
    bad = pl.repeat(False, len(cells), eager=True)
    if dtype == pl.String:
        bad = cells.str.contains(NUL, literal=True).fill_null(False)
        if bad.any():
            cells = pl.select(pl.when(~bad).then(cells)).to_series()
    elif dtype == pl.Binary:
        cells, bad = utf8(cells)
    elif dtype.is_float():
        cells = cells.fill_nan(None).cast(pl.String)
    elif dtype.is_nested():
        cells = pl.select(pl.struct(cells.alias("v")).struct.json_encode()).to_series()
    elif dtype == pl.Datetime:
        cells = cells.dt.to_string("iso:strict")
    else:
        cells = cells.cast(pl.String)
    return cells, bad


def text(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    """`as_text`, trimmed, and null where empty."""
    texts, bad = as_text(cells)
    return empty_as_null(texts.str.strip_chars()), bad


def empty_as_null(texts: pl.Series) -> pl.Series:
    """Empty text becomes null."""
    return pl.select(pl.when(texts.str.len_bytes() > 0).then(texts)).to_series().rename(texts.name)


def nfc(texts: pl.Series) -> pl.Series:
    """Text in Unicode's composed form (NFC)."""
    if (texts.str.len_bytes() == texts.str.len_chars()).all():
        return texts  # ASCII is composed already; normalising is slow
    return texts.str.normalize("NFC")
