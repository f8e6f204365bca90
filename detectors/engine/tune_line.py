"""Which line past decisions would have drawn.

A line does its work where groups lie close to it. Of two lines the decided groups between
them tell which is the better: a higher one leaves the refuted ones alone and misses the
confirmed ones, a lower one the reverse. Another line is proposed only if it is right about
significantly more of the groups between it and the line in force (a sign test, one-sided, at
5 % over all lines that are tried; Bonferroni), so a handful of events says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import comb
from typing import Any

from detectors.engine.tune import Case

LINES = [Fraction(place, 2000) for place in range(90, 111)]
"""4.5 % to 5.5 % in steps of a twentieth of a per cent."""

CHANCE = 0.05
"""How likely a line may be proposed although decisions have nothing to do with shares."""


def fewest_events() -> int:
    """So many decided groups must lie between two lines before they can say anything."""
    events = 1
    while 0.5**events > CHANCE / len(LINES):
        events += 1
    return events


def propose_line(cases: Sequence[Case], line: Fraction) -> dict[str, Any]:
    """The line that tells confirmed from refuted groups best, and whether that is certain
    enough to say.

    `line`: the one in force. Returns `proposed` (None: it stays as it is), a sentence `says`,
    and a row for each line that was tried: `right` and `wrong` are the decided groups between
    it and the line in force about which it would have been right and wrong, `chance` of as
    many right ones if decisions had nothing to do with shares.
    """
    rows = [_tried(cases, line, other) for other in LINES if other != line]
    near = sum(LINES[0] <= case.share < LINES[-1] for case in cases)
    certain = [row for row in rows if row["chance"] <= CHANCE / len(LINES)]
    best = min(certain, key=lambda row: _preferred(row, line), default=None)
    if best is None:
        says = (
            f"Past decisions do not speak for another line than {_percent(line)}: "
            f"{near} decided {'group lies' if near == 1 else 'groups lie'} between "
            f"{_percent(LINES[0])} and {_percent(LINES[-1])}, and at least {fewest_events()} on "
            "one side of it must agree."
        )
    else:
        better = _percent(Fraction(best["exact"]))
        says = (
            f"A line at {better} would have been right about {best['right']} of the decided groups "
            f"between it and {_percent(line)}, the one in force about {best['wrong']}."
        )
    return {
        "in_force": float(line),
        "proposed": best and best["line"],
        "events": near,
        "says": says,
        "lines": [{name: row[name] for name in row if name != "exact"} for row in rows],
    }


def _tried(cases: Sequence[Case], line: Fraction, other: Fraction) -> dict[str, Any]:
    low, high = min(line, other), max(line, other)
    between = [case.confirmed for case in cases if low <= case.share < high]
    confirmed = sum(between)
    right = confirmed if other < line else len(between) - confirmed
    return {
        "exact": str(other),
        "line": float(other),
        "right": right,
        "wrong": len(between) - right,
        "chance": _at_least(right, len(between)),
    }


def _at_least(right: int, events: int) -> float:
    """How likely so many heads or more are in fair tosses."""
    heads = sum(comb(events, count) for count in range(right, events + 1))
    return float(Fraction(heads, 2**events))


def _preferred(row: dict[str, Any], line: Fraction) -> tuple[int, Fraction, Fraction]:
    """The line that is right about most; of equal ones the nearest to the one in force."""
    other = Fraction(row["exact"])
    return row["wrong"] - row["right"], abs(other - line), other


def _percent(line: Fraction) -> str:
    return f"{float(100 * line):.4g} %"
