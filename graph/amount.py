"""Exact sums, and amounts as text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import TYPE_CHECKING

from graph.errors import UserError

if TYPE_CHECKING:  # commands that add up nothing must start quickly
    import numpy as np
    import numpy.typing as npt
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
        raise too_large() from None


def too_large() -> UserError:
    """What is said of a sum that needs more than 38 digits."""
    return UserError(
        "The amounts add up to more than 20 digits before the point.",
        "Load them with --shift to move the point.",
    )


def limbs_of(amounts: pl.Series) -> npt.NDArray[np.uint64]:
    """Decimal(38, 18) amounts without nulls in 128 bits each: shape (n, 2), the low limb first,
    in two's complement. For compiled code that adds up exactly."""
    import numpy as np

    arrow = amounts.rechunk().to_arrow()
    limbs = np.frombuffer(arrow.buffers()[1], np.uint64)
    return limbs[2 * arrow.offset : 2 * (arrow.offset + len(arrow))].reshape(-1, 2)


def of_limbs(limbs: npt.NDArray[np.uint64]) -> pl.Series:
    """The amounts again: the way back from `limbs_of`."""
    import numpy as np
    import polars as pl
    import pyarrow as pa

    data = pa.py_buffer(np.ascontiguousarray(limbs))
    amounts = pa.Array.from_buffers(pa.decimal128(38, 18), len(limbs), [None, data])
    return pl.Series("amount", amounts)


def plain(amount: Decimal) -> str:
    """The exact amount without needless zeros or an exponent: 1E+3 is 1000, 1.50 is 1.5.

    (`Decimal.normalize` would round to 28 digits.)
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
