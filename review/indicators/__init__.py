"""What an indicator is: one file in this folder, found by its name.

A module here is an indicator when it defines `INDICATOR`, whose name is the module's. It
measures one thing of every account; the score ranks what it measures in the population.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import review.indicators as room

if TYPE_CHECKING:  # who asks for names alone must start quickly
    import polars as pl

    from review.population import Population


@runtime_checkable
class Indicator(Protocol):
    """One of the things that a score is made of."""

    name: str
    title: str
    unit: str
    formula: str
    """How the value comes about, in words that are printed with it."""
    innocent: str
    """What innocent thing raises it."""
    high: bool
    """Whether high values are suspicious; else low ones are."""
    nothing: float | None
    """The value of who did nothing of the kind: it counts 0 points, however many have it.
    None: every value is ranked."""
    more: str
    """How who is more suspicious than others compares: `more concentrated`."""
    absent: str
    """Why an account has no value."""

    def measure(self, population: Population) -> pl.DataFrame:
        """`account` (number), `value`, and columns for the sentence, one row for each account
        that has the facts for it, in any order."""

    def sentence(self, row: Mapping[str, Any]) -> str:
        """What was measured of an account, for a person; without a full stop."""


@functools.cache
def names() -> tuple[str, ...]:
    """The names of all indicators, in order of the alphabet; none is imported."""
    return tuple(sorted(entry.name for entry in pkgutil.iter_modules(room.__path__)))


@functools.cache
def indicators() -> dict[str, Indicator]:
    """Every indicator, by name."""
    return {
        name: importlib.import_module(f"review.indicators.{name}").INDICATOR for name in names()
    }
