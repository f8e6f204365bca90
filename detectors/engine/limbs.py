"""Exact sums in compiled code: an amount of 38 digits as two 64-bit limbs.

An amount x, a whole number of 10^-18 units below 10^38, is held as (high, low) with
x = high * 2^64 + low, both unsigned: 10^38 is more than two signed limbs hold. Adding and
comparing limbs is exact, so sums do not depend on their order, and "exactly 5 %" is over a
5 % line.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

UNITS = 10**18
"""Units in an amount of 1."""
BASE = 2**64
Limbs = npt.NDArray[np.uint64]
"""Shape (n, 2): high and low limb."""


def to_limbs(amounts: pl.Series) -> Limbs:
    """Decimal(38, 18) amounts, not negative, as limbs of shape (n, 2)."""
    units = amounts.to_physical().cast(pl.Int128)
    base = pl.lit(BASE, dtype=pl.Int128())
    frame = units.to_frame("units").select(
        high=(pl.col("units") // base).cast(pl.UInt64), low=(pl.col("units") % base).cast(pl.UInt64)
    )
    return np.ascontiguousarray(frame.to_numpy())


def line_units(line: Fraction, supply: Decimal) -> int:
    """The smallest amount that is at or over `line` x `supply`, in units."""
    exact = line * Fraction(supply) * UNITS
    return -((-exact.numerator) // exact.denominator)


def line_limbs(line: Fraction, supply: Decimal) -> tuple[int, int]:
    """The smallest amount that is at or over `line` x `supply`, as (high, low)."""
    return divmod(line_units(line, supply), BASE)


def most_limbs(share: Fraction, supply: Decimal) -> tuple[int, int]:
    """The largest amount that is not over `share` x `supply`, as (high, low)."""
    exact = share * Fraction(supply) * UNITS
    return divmod(exact.numerator // exact.denominator, BASE)


def amount_of(high: int, low: int) -> Decimal:
    """The amount that a pair of limbs stands for."""
    return Decimal((0, tuple(map(int, str(int(high) * BASE + int(low)))), -18))


@njit(cache=True, nogil=True, inline="always")
def add(
    high: np.uint64, low: np.uint64, more_high: np.uint64, more_low: np.uint64
) -> tuple[np.uint64, np.uint64]:
    """The sum of two amounts in limbs."""
    low = low + more_low
    high = high + more_high
    if low < more_low:  # it went round
        high = high + np.uint64(1)
    return high, low


@njit(cache=True, nogil=True)
def _total(limbs, rows):  # type: ignore[no-untyped-def]
    high, low = np.uint64(0), np.uint64(0)
    for row in rows:
        high, low = add(high, low, limbs[row, 0], limbs[row, 1])
    return high, low


def total(limbs: Limbs, rows: npt.NDArray[np.int32]) -> tuple[int, int]:
    """The exact sum of some rows, as (high, low)."""
    high, low = _total(limbs, rows)
    return int(high), int(low)


@njit(cache=True, nogil=True, inline="always")
def at_least(high: np.uint64, low: np.uint64, other_high: np.uint64, other_low: np.uint64) -> bool:
    """Whether the first amount is the second or more."""
    return bool(high > other_high or (high == other_high and low >= other_low))
