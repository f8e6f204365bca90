"""Amounts as text."""

from __future__ import annotations

from decimal import Decimal


def plain(amount: Decimal) -> str:
    """The exact amount without needless zeros or an exponent: 1E+3 is 1000, 1.50 is 1.5.

    (`Decimal.normalize` would round to 28 digits.)
    """
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
