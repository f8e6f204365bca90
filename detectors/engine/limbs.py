"""Exact sums in compiled code: an amount of 38 digits as two 64-bit limbs.

An amount x, a whole number of 10^-18 units below 10^38, is held as (high, low) with
x = high * 10^18 + low and 0 <= low < 10^18. Adding and comparing limbs is exact, so sums
do not depend on their order, and "exactly 5 %" is over a 5 % line.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

BASE = 10**18
Limbs = npt.NDArray[np.int64]
"""Shape (n, 2): high and low limb."""


def to_limbs(amounts: pl.Series) -> Limbs:
    """Decimal(38, 18) amounts, not negative, as limbs of shape (n, 2)."""
    units = amounts.to_physical().cast(pl.Int128)
    frame = units.to_frame("units").select(
        high=(pl.col("units") // BASE).cast(pl.Int64), low=(pl.col("units") % BASE).cast(pl.Int64)
    )
    return np.ascontiguousarray(frame.to_numpy())


def line_limbs(line: Fraction, supply: Decimal) -> tuple[int, int]:
    """The smallest amount that is at or over `line` x `supply`, as (high, low)."""
    exact = line * Fraction(supply) * BASE
    units = -((-exact.numerator) // exact.denominator)
    return units // BASE, units % BASE


def amount_of(high: int, low: int) -> Decimal:
    """The amount that a pair of limbs stands for."""
    return Decimal((0, tuple(map(int, str(int(high) * BASE + int(low)))), -18))


@njit(cache=True, inline="always")
def add(
    high: np.int64, low: np.int64, more_high: np.int64, more_low: np.int64
) -> tuple[np.int64, np.int64]:
    """The sum of two amounts in limbs."""
    low = low + more_low
    high = high + more_high
    if low >= 1_000_000_000_000_000_000:
        low -= 1_000_000_000_000_000_000
        high += 1
    return high, low


@njit(cache=True, inline="always")
def at_least(high: np.int64, low: np.int64, other_high: np.int64, other_low: np.int64) -> bool:
    """Whether the first amount is the second or more."""
    return bool(high > other_high or (high == other_high and low >= other_low))
