"""Who stands at or over a line: by exact amounts, and by what runs found."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from fractions import Fraction
from math import ceil
from typing import Any

UNIT = 10**18
"""Amounts are whole multiples of 1/UNIT."""

_EXACT = Context(prec=76)
"""Python's own context rounds to 28 digits; amounts have 38."""


def least_over(line: Fraction, base: Fraction) -> Decimal:
    """The least amount that is at or over a line."""
    return Decimal(ceil(line * base * UNIT)).scaleb(-18, _EXACT)


def looked_at(result: Mapping[str, Any], line: Fraction) -> bool:
    """Whether a run looked for groups at a line."""
    said = result["run"]
    several = set(said.get("detectors", ())) - {"whale"}
    return bool(several) and str(line) in said.get("exact_lines", ())


def groups_at(result: Mapping[str, Any], line: Fraction) -> list[dict[str, Any]]:
    """The groups that a run found at a line; single accounts are none. `result`: of a whole
    run or of its summary."""
    return [
        group for group in result["groups"] if group["line"] == float(line) and size_of(group) > 1
    ]


def size_of(group: Mapping[str, Any]) -> int:
    """How many members a group of a result or of a summary has."""
    return int(group["size"] if "size" in group else len(group["members"]))
