"""Amounts as text."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal

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


def plain(amount: Decimal) -> str:
    """The exact amount without needless zeros or an exponent: 1E+3 is 1000, 1.50 is 1.5.

    (`Decimal.normalize` would round to 28 digits.)
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
