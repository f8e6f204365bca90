"""Proposers: one file each in this folder; each gives sets of accounts for the judge.

A module is a proposer when it defines `PROPOSER`. A proposer may be generous: it convicts
nobody. Nothing else has to be edited: `proposers()` finds it.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np

from detectors.engine.evidence import Evidence
from detectors.engine.forest import Forest
from detectors.engine.limbs import BASE, Limbs
from detectors.family import Floats, Ints

SEARCH_SHARE = Fraction(3, 5)
"""Of a line: where the search begins. Refinement brings in who is missing."""

CELL_SHARE = Fraction(2, 5)
"""Of a line: what a cell must hold to be joined with others."""

MOST_MEMBERS = 20_000
MOST_MEMBERS_SHARE = 0.05
FEWEST_CROWD = 50


def most_members(accounts: int) -> int:
    """A set of more than so many of the accounts is a crowd, not a group, unless documents
    tie it together."""
    return min(MOST_MEMBERS, max(FEWEST_CROWD, int(MOST_MEMBERS_SHARE * accounts)))


@dataclass(frozen=True)
class Scene:
    """What proposers look at.

    `trees`: the forest of the fused pairs (named "") and those of families; `holdings`:
    limbs of each account; `supply`: the base that lines are shares of.
    """

    evidence: Evidence
    trees: dict[str, Forest]
    holdings: Limbs
    supply: Decimal
    promises: dict[bytes, float] = field(default_factory=dict)
    """What the judge says of a set (its bytes) as it stands, in bits, once asked for."""

    @property
    def accounts(self) -> int:
        """How many accounts there are."""
        return self.evidence.accounts

    @cached_property
    def shares(self) -> Floats:
        """Each account's share of the base, rounded: good enough to search by, not to judge."""
        high, low = self.holdings[:, 0].astype(np.float64), self.holdings[:, 1].astype(np.float64)
        units = high * BASE + low
        shares: Floats = units / max(float(self.supply) * 1e18, 1.0)
        return shares

    @cached_property
    def by_wealth(self) -> Ints:
        """All accounts, the richest first; of equal ones the first first."""
        last_first = -np.arange(self.accounts)
        poorest = np.lexsort((last_first, self.holdings[:, 1], self.holdings[:, 0]))
        richest: Ints = poorest[::-1].astype(np.int32)
        return richest


@dataclass(frozen=True)
class Proposal:
    """A set of accounts (numbers, ascending), and the name of its proposer."""

    members: Ints
    by: str


@runtime_checkable
class Proposer(Protocol):
    """One way to search for sets that may act as one."""

    name: str
    stage: int
    """Proposers of stage 2 build on what those of stage 1 found."""

    def sets(
        self, scene: Scene, lines: Sequence[Fraction], found: Mapping[Fraction, Sequence[Proposal]]
    ) -> dict[Fraction, list[Proposal]]:
        """For each line sets that hold CELL_SHARE of it or more; they must not depend on the
        other lines. `found`: those of earlier stages."""


@functools.cache
def proposers() -> tuple[Proposer, ...]:
    """The `PROPOSER` of every module of this folder that has one, by stage and name."""
    modules = [
        importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    ]
    found = [module.PROPOSER for module in modules if hasattr(module, "PROPOSER")]
    return tuple(sorted(found, key=lambda one: (one.stage, one.name)))
