"""Free text, and words from a list."""

from __future__ import annotations

import polars as pl

from loaders.cells import nfc, text
from loaders.parsed import Fault, Parsed

LONGEST_BYTES = 4096


def texts(cells: pl.Series) -> Parsed:
    """Trimmed text in NFC; refused when longer than 4096 bytes or with control characters."""
    raw, bad = text(cells)
    values = nfc(raw)
    return Parsed(
        values,
        raw,
        [
            Fault(bad, "is not UTF-8"),
            Fault(values.str.len_bytes() > LONGEST_BYTES, f"is longer than {LONGEST_BYTES} bytes"),
            Fault(
                values.str.contains(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"),
                "holds a control character",
            ),
        ],
    )


def choices(cells: pl.Series, words: tuple[str, ...]) -> Parsed:
    """One of `words`, written with any case."""
    raw, bad = text(cells)
    values = raw.str.to_lowercase()
    strange = ~values.is_in(words)
    return Parsed(
        values,
        raw,
        [Fault(bad, "is not UTF-8"), Fault(strange, f"is none of {', '.join(words)}")],
    )
