"""What innocent thing could it be? One file an explanation, found by this room.

A module here is an explanation when it defines `EXPLANATION`. It looks at a finding and its
facts (`detectors.doubts.case.Case`) and says in one sentence with figures how it could hold,
and what fact would settle it; where it is not open, it says nothing.

Some explanations have marks of their own: a payroll, a public line, a tree of recruits. Others
are mere likenesses (a circle of traders, a market, a chain of firms): these are open only
while the evidence that they would not bring about does not suffice by itself.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from typing import Protocol, runtime_checkable

import detectors.doubts as room
from detectors.doubts.case import Case, Doubt


@runtime_checkable
class Explanation(Protocol):
    """An innocent explanation, or a weak spot of a finding."""

    name: str
    help: str
    """What it looks at, and what these facts cannot tell."""
    likeness: int
    """What it rests on: `MARKS` of its own, the `SHAPE` of dealings, `NOTHING_BUT_DEALINGS`."""
    explains: tuple[str, ...]
    """The families whose evidence it would bring about; none: it doubts the extent of a
    finding, or the crossing, and not the evidence."""

    def ask(self, case: Case) -> Doubt | None:
        """The doubt, if the explanation is open."""


@functools.cache
def explanations() -> tuple[Explanation, ...]:
    """Every explanation of this room, by name."""
    modules = [
        importlib.import_module(f"detectors.doubts.{entry.name}")
        for entry in sorted(pkgutil.iter_modules(room.__path__), key=lambda entry: entry.name)
    ]
    found = [module.EXPLANATION for module in modules if hasattr(module, "EXPLANATION")]
    return tuple(sorted(found, key=lambda one: one.name))
