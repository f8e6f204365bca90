"""The history of the lines: how many stood over each, came over it and fell below it.

Crossings are counted from the end of one day to the end of the next that has news, and added
up over longer periods: so the days of a week add up to the week, and who was over a line on
Tuesday and below it on Friday counts as one that crossed and one that fell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

import polars as pl

from graph.amount import plain
from graph.by_day import ByDay, in_force
from graph.clock import parse_time
from graph.schema import AMOUNT
from graph.store import RunSummary, Store, Tell
from review.lineage import match, sets_of
from review.periods import By, first_day_of, period_of
from review.standing import groups_at, least_over, looked_at

Answer = dict[str, Any]

CELLS_AT_ONCE = 20_000_000
"""Accounts times days that are held in memory."""

ZERO = pl.lit(Decimal(0), dtype=AMOUNT)


@dataclass(frozen=True)
class Span:
    """The days that are shown, both inclusive; None: from the first, to the last."""

    begin: date | None = None
    end: date | None = None

    def has(self, day: date) -> bool:
        """Whether a day is shown."""
        return (self.begin is None or day >= self.begin) and (self.end is None or day <= self.end)


@dataclass(frozen=True)
class Day:
    """What one day says of one line. `over`: at its end; `crossed`, `fell`: since the day before
    it that has news, None where that cannot be known; `largest`: the largest share."""

    day: date
    over: int
    crossed: int | None
    fell: int | None
    largest: float
    more: Mapping[str, Any]
    """What else is said of the period that this is the last day of."""


def account_rows(
    held: ByDay, lines: Sequence[Fraction], by: By, span: Span, tell: Tell
) -> list[Answer]:
    """A row for each period in which holdings or the base changed, and line."""
    tell("holdings by day")
    days, tops = _survey(held)
    bases = dict(zip(days, bases_at(held, days), strict=True))
    figures = _account_days(held, days, bases, tops, sorted(lines), tell)
    return [row for line in lines for row in _by_period("accounts", line, figures[line], by, span)]


def group_rows(
    store: Store,
    lines: Sequence[Fraction],
    by: By,
    zone: ZoneInfo,
    span: Span,
    tell: Tell,
    known_at: int | None = None,
) -> list[Answer]:
    """A row for each period with a run that looked at the line, and line. Of several runs of a
    day, as of which they are, the last by its as-of counts."""
    runs = [run for run in store.runs() if known_at is None or _known_at(run) <= known_at]
    rows: list[Answer] = []
    members: dict[str, dict[str, Any]] = {}
    for line in lines:
        counting = _counting(runs, line, zone)
        tell(f"groups at {float(line):.4g}")
        rows += _by_period(
            "groups", line, list(_group_days(store, counting, line, members)), by, span
        )
    return rows


def _known_at(run: RunSummary) -> int:
    return int(run.result["run"]["known_at"] or 0)


def _by_period(
    on: Literal["accounts", "groups"], line: Fraction, days: Sequence[Day], by: By, span: Span
) -> list[Answer]:
    """The days of each period put together: at its end who is over, within it who crossed."""
    periods: dict[str, list[Day]] = {}
    for day in days:
        if span.has(day.day):
            periods.setdefault(period_of(day.day, by), []).append(day)
    return [
        {
            "period": name,
            "begins": first_day_of(ours[-1].day, by).isoformat(),
            "on": on,
            "line": float(line),
            "over": ours[-1].over,
            "crossed": _sum([day.crossed for day in ours]),
            "fell": _sum([day.fell for day in ours]),
            "largest": max(day.largest for day in ours),
            "last_day": ours[-1].day.isoformat(),
            **ours[-1].more,
        }
        for name, ours in periods.items()
    ]


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _survey(held: ByDay) -> tuple[list[date], list[int]]:
    """All days with news, ascending, and the accounts (ix) that have the largest holding among
    those that changed on some day."""
    days: set[date] = set(held.base["day"])
    tops: set[int] = set()
    for part in held.parts():
        top = part.group_by("day").agg(pl.col("ix").get(pl.col("amount").arg_max()))
        days.update(top["day"])
        tops.update(top["ix"])
    return sorted(days), sorted(tops)


@dataclass(frozen=True)
class BaseThen:
    """The base in force at the end of a day: as it was set, since a day, or as it was counted."""

    amount: Decimal
    how: Literal["set", "counted"]
    since: date | None = None
    """The day from which a base that was set was in force; None: counted, or there was none."""

    @property
    def said(self) -> Answer:
        """As an answer has it."""
        since = None if self.since is None else self.since.isoformat()
        return {"base": plain(self.amount), "base_is": self.how, "base_since": since}


def bases_at(held: ByDay, days: Sequence[date]) -> Iterator[BaseThen]:
    """The base in force at the end of each day; before there was any it is 0."""
    since, rows = held.base["day"].to_list(), held.base.select("amount", "base").rows()
    for day in days:
        place = in_force(since, day)
        if place is None:
            yield BaseThen(Decimal(0), "counted")
        else:
            amount, how = rows[place]
            yield BaseThen(amount, how, since[place] if how == "set" else None)


def _account_days(
    held: ByDay,
    days: Sequence[date],
    bases: Mapping[date, BaseThen],
    tops: Sequence[int],
    lines: Sequence[Fraction],
    tell: Tell,
) -> dict[Fraction, list[Day]]:
    """By line what each day says of the accounts over it."""
    least = {line: [_least(line, bases[day].amount) for day in days] for line in lines}
    grid = pl.DataFrame(
        {"day": list(days), **{_name(n): least[line] for n, line in enumerate(lines)}},
        schema={"day": pl.Date(), **{_name(n): AMOUNT for n in range(len(lines))}},
    )
    chosen = _candidates(held, grid, tops)
    tell(f"{len(chosen):,} accounts at a line")
    size = max(1, CELLS_AT_ONCE // max(1, len(days)))
    counted = [
        _counted(held.changes(chosen[begin : begin + size]), grid, len(lines))
        for begin in range(0, len(chosen), size)
    ]
    sums = pl.concat(counted or [_counted(held.changes([]), grid, len(lines))])
    by_day = (
        sums.group_by("day")
        .agg(pl.col("^(over|crossed|fell)_.*$").sum(), pl.col("largest").max())
        .sort("day")
    )
    return {line: list(_days(by_day, n, bases)) for n, line in enumerate(lines)}


def _days(by_day: pl.DataFrame, place: int, bases: Mapping[date, BaseThen]) -> Iterator[Day]:
    columns = ("day", f"over_{place}", f"crossed_{place}", f"fell_{place}", "largest")
    for day, over, crossed, fell, largest in by_day.select(columns).iter_rows():
        base = bases[day]
        share = float(Fraction(largest) / Fraction(base.amount)) if base.amount else 0.0
        yield Day(day, over, crossed, fell, share, base.said)


def _name(place: int) -> str:
    return f"least_{place}"


def _least(line: Fraction, base: Decimal) -> Decimal | None:
    """The least amount over a line. None: without a base nobody has a share of it."""
    return least_over(line, Fraction(base)) if base else None


def _candidates(held: ByDay, grid: pl.DataFrame, tops: Sequence[int]) -> list[int]:
    """The accounts (ix) that may be over the lowest line, or the largest, on some day: what they
    hold reaches what is needed on that day or a later one. All others need no second look."""
    of_tops = _on_grid(held.changes(tops), grid).group_by("day").agg(most=pl.col("amount").max())
    needed = (
        grid.select("day", least="least_0")
        .join(of_tops, on="day", how="left")
        .sort("day", descending=True)
        .select("day", pl.col("least", "most").cum_min().fill_null(strategy="forward"))
    )
    found = set(tops)
    for part in held.parts():
        may = part.join(needed, on="day").filter(
            (pl.col("amount") >= pl.col("least")) | (pl.col("amount") > pl.col("most"))
        )
        found.update(may["ix"].unique())
    return sorted(found)


def _on_grid(changes: pl.DataFrame, grid: pl.DataFrame) -> pl.DataFrame:
    """What each account of some changes holds on every day of the grid: `ix`, `day`, `amount`."""
    return (
        changes.select(pl.col("ix").unique())
        .join(grid, how="cross")
        .join(changes, on=["ix", "day"], how="left")
        .sort("ix", "day")
        .with_columns(pl.col("amount").forward_fill().over("ix").fill_null(ZERO))
    )


def _counted(changes: pl.DataFrame, grid: pl.DataFrame, lines: int) -> pl.DataFrame:
    """Of some accounts, by day: how many are over each line, crossed it, fell below it, and the
    largest holding. A row for every day, whether or not there are accounts."""
    places = range(lines)
    over = _on_grid(changes, grid).with_columns(
        (pl.col("amount") >= pl.col(_name(n))).fill_null(False).alias(f"over_{n}") for n in places
    )
    was = [pl.col(f"over_{n}").shift(1).over("ix").fill_null(False) for n in places]
    moved = over.with_columns(
        *((pl.col(f"over_{n}") & ~was[n]).alias(f"crossed_{n}") for n in places),
        *((~pl.col(f"over_{n}") & was[n]).alias(f"fell_{n}") for n in places),
    )
    sums = moved.group_by("day").agg(
        pl.col("^(over|crossed|fell)_.*$").sum(), largest=pl.col("amount").max()
    )
    return (
        grid.select("day")
        .join(sums, on="day", how="left")
        .with_columns(
            pl.col("^(over|crossed|fell)_.*$").fill_null(0), pl.col("largest").fill_null(ZERO)
        )
    )


def _counting(
    runs: Sequence[RunSummary], line: Fraction, zone: ZoneInfo
) -> list[tuple[date, RunSummary]]:
    """The run that counts for each day, ascending: of those that looked at the line the last by
    its as-of; of equal ones that which knew more, then that which was saved last."""
    found: dict[date, RunSummary] = {}
    for run in sorted(runs, key=_age):
        if looked_at(run.result, line):
            found[parse_time(run.result["run"]["as_of"]).astimezone(zone).date()] = run
    return sorted(found.items(), key=lambda one: one[0])


def _age(run: RunSummary) -> tuple[Any, ...]:
    return (parse_time(run.result["run"]["as_of"]), _known_at(run), run.created_at, run.id)


def _group_days(
    store: Store,
    counting: Sequence[tuple[date, RunSummary]],
    line: Fraction,
    members: dict[str, dict[str, Any]],
) -> Iterator[Day]:
    """`members`: whole results that were read already, by run."""
    moved: list[tuple[int | None, int | None]] = [(None, None)] if counting else []
    for (_, before), (_, now) in pairwise(counting):
        moved.append(_moved(store, before, now, line, members))
    for (day, run), (crossed, fell) in zip(counting, moved, strict=True):
        groups = groups_at(run.result, line)
        largest = max((group["share"] for group in groups), default=0.0)
        may_order = sum(group["grade"] != "indication" for group in groups)
        more = {
            "base": run.result["supply"],
            "run": run.id,
            "may_lead_to_an_order": may_order,
            "pruned": run.pruned,
        }
        yield Day(day, len(groups), crossed, fell, largest, more)


def _moved(
    store: Store,
    before: RunSummary,
    now: RunSummary,
    line: Fraction,
    results: dict[str, dict[str, Any]],
) -> tuple[int | None, int | None]:
    """How many groups of a run continue none of the one before it, and how many of that one no
    group continues. Known where the members of both are kept, or one has no group."""
    was, own = groups_at(before.result, line), groups_at(now.result, line)
    if not was or not own:
        return len(own), len(was)
    if before.pruned or now.pruned:
        return None, None
    for run in (before, now):
        if run.id not in results:
            results[run.id] = store.run(run.id).result
    sets = [sets_of(groups_at(results[run.id], line)) for run in (before, now)]
    continued = {
        one.case for one in match(*sets).findings.values() if one.change not in ("born", "split")
    }
    return len(own) - len(continued), len(was) - len(continued)
