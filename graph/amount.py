"""Exact sums, and amounts as text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from graph.errors import UserError

if TYPE_CHECKING:  # commands that add up nothing must start quickly
    import polars as pl

_EXACT = Context(prec=76)
"""Python's own context rounds to 28 digits; amounts have 38, and sums a few more."""


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = Decimal(0)
    for amount in amounts:
        result = _EXACT.add(result, amount)
    return result


def less(amount: Decimal, other: Decimal) -> Decimal:
    """The exact difference."""
    return _EXACT.subtract(amount, other)


def summed(frame: pl.LazyFrame) -> pl.DataFrame:
    """Collect a frame that adds up amounts. UserError when a sum needs more than 38 digits.

    Streaming, which checks every addition: collected in memory, sums of groups would go
    round in silence.
    """
    import polars as pl

    try:
        return frame.collect(engine="streaming")
    except pl.exceptions.ComputeError as error:
        if "overflow in decimal" not in str(error):
            raise
        raise UserError(
            "The amounts add up to more than 20 digits before the point.",
            "Load them with --shift to move the point.",
        ) from None


def plain(amount: Decimal) -> str:
    """The exact amount without needless zeros or an exponent: 1E+3 is 1000, 1.50 is 1.5.

    (`Decimal.normalize` would round to 28 digits.)
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
