"""What a parser returns: values, the cells as text, and what is wrong with some of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl


@dataclass
class Fault:
    """Cells that are refused (a mask over the column), and why."""

    mask: pl.Series
    reason: str

    @staticmethod
    def at(places: pl.Series, fault: Fault, length: int) -> Fault:
        """A fault found in the cells at `places`, as a mask over all `length` cells."""
        mask = np.zeros(length, dtype=bool)
        mask[places.filter(fault.mask).to_numpy()] = True
        return Fault(pl.Series(mask), fault.reason)


@dataclass
class Parsed:
    """One column, parsed. `values` is null where a cell is empty or refused.

    Of several faults of a cell the first counts.
    """

    values: pl.Series
    raw: pl.Series
    """The cells as text (or the numbers of the file), as the quarantine shows them."""
    faults: list[Fault] = field(default_factory=list)
