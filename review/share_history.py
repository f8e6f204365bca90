"""How the share of one account, or of some accounts together, evolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from graph.amount import plain
from graph.by_day import ByDay, added_up, in_force
from graph.clock import parse_time
from graph.log import Event
from review.line_history import BaseThen, Span, bases_at
from review.periods import By, period_of

Answer = dict[str, Any]


def share_steps(
    held: ByDay, accounts: Sequence[int], lines: Sequence[Fraction], by: By, span: Span
) -> list[Answer]:
    """The steps of a share: one for each period at the end of which the amount or the base is
    another. `accounts`: their ix; what they hold is added up.

    Which lines it crossed and fell below is looked at day by day, as of `review.line_history`.
    """
    periods: dict[str, Answer] = {}
    for step in _days(held, accounts, sorted(lines)):
        if not span.has(step["day"]):
            continue
        name = period_of(step["day"], by)
        before = periods.get(name, {"crossed": [], "fell": []})
        periods[name] = {
            "period": name,
            **step,
            "day": step["day"].isoformat(),
            "crossed": sorted({*before["crossed"], *step["crossed"]}),
            "fell": sorted({*before["fell"], *step["fell"]}),
        }
    return list(periods.values())


def found_steps(events: Sequence[Event]) -> list[Answer]:
    """What runs said of a case, from the events of its log: who was found, with what share."""
    return [
        {
            "as_of": said["as_of"],
            "run": said["run"],
            "change": said["change"],
            "share": said["share"],
            "amount": said["holdings"],
            "base": said["base"]["supply"],
            "rule": said["base"]["rule"],
            "line": said["line"],
            "grade": said["grade"],
            "accounts": said["size"],
        }
        for said in sorted(
            (event.facts for event in events if event.action in ("found", "seen")),
            key=lambda said: parse_time(said["as_of"]),
        )
    ]


def _days(held: ByDay, accounts: Sequence[int], lines: Sequence[Fraction]) -> Iterator[Answer]:
    """A step for each day with another amount or base, from the first amount on."""
    amounts: dict[date, Decimal] = dict(added_up([held.changes(accounts)]).iter_rows())
    if not amounts:
        return
    own = list(amounts)
    days = sorted({*own, *(one for one in held.base["day"] if one > own[0])})
    over: list[Fraction] = []
    last: tuple[Decimal, BaseThen] | None = None
    for day, base in zip(days, bases_at(held, days), strict=True):
        amount = amounts[own[in_force(own, day) or 0]]
        if last == (amount, base):
            continue
        share = Fraction(amount) / Fraction(base.amount) if base.amount else Fraction(0)
        now = [line for line in lines if base.amount and share >= line]
        yield {
            "day": day,
            "amount": plain(amount),
            **base.said,
            "rule": held.rule,
            "share": float(share),
            "crossed": [float(line) for line in now if line not in over],
            "fell": [float(line) for line in over if line not in now],
            "over": [float(line) for line in now],
        }
        over, last = now, (amount, base)
