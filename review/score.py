"""The score: twelve indicators, each by its percentile in the population, weighed and added up.

An indicator's percentile is 100 x (accounts less suspicious + half of those that are equal,
itself among them) / accounts with a value; where an account did nothing of the kind, or
there are no facts to tell, it counts 0. Percentiles are rounded to one decimal, then points =
weight x percentile / 100 to two; the score is the sum of these points, so that it can be
added up by hand. Halves are rounded up.

A group's percentile is the mean of its members' printed ones, weighted by what they hold
(all alike where nobody holds anything); a member without a value counts 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from detectors.meetings import Meetings
from graph.errors import UserError
from graph.snapshot import Snapshot
from graph.threads import Threads
from review.indicators import Indicator, indicators
from review.population import Population, counted

RED_FROM = 60.0

THREADS = 2
"""Indicators that are measured at a time: more would need more memory."""

Document = dict[str, Any]
Weight = float | Decimal | Fraction


def scores(
    snapshot: Snapshot,
    weights: Mapping[str, Weight],
    groups: Mapping[str, Sequence[int]],
    accounts: Iterable[int] | None = None,
    *,
    red_from: float = RED_FROM,
    mixing: str = "pro_rata",
    receipts_needed: bool = False,
    limits: Iterable[float] = (),
    met: Meetings | None = None,
) -> Document:
    """The scores of accounts (numbers; None: all members) and of groups (members' numbers).

    `met`: who meets whom, of a detection that looked at the same facts: it is costly.
    Returns `{"population", "red_from", "mixing", "accounts": {id: score}, "groups": {name:
    score}}`, a score being `{"score", "red", "indicators": [{"name", "title", "value", "unit",
    "percentile", "weight", "points", "text", "formula"}], "genuine"}` (see `Genuine.of`), ready
    for JSON. Indicators without a weight weigh 0. Raises UserError for weights that do not sum
    to 100, of indicators that there are not, and for an unknown rule of mixing.
    """
    weighed = checked(weights)
    ascending = tuple(sorted(float(limit) for limit in limits))
    population = Population(snapshot, groups, mixing, receipts_needed, ascending, met=met)
    members = np.unique(np.array([one for who in groups.values() for one in who], np.int64))
    wanted = members if accounts is None else np.unique(np.fromiter(accounts, np.int64))
    both = np.union1d(wanted, members)
    if len(both) and not 0 <= both[0] <= both[-1] < population.size:
        raise UserError("An account that is to be scored is not among these facts.")
    with closing(Threads(THREADS)) as threads:
        tasks = {
            name: threads.begin(partial(_ranked, indicator, population, both))
            for name, indicator in indicators().items()
        }
        measured = {name: task.result() for name, task in tasks.items()}
    chosen = snapshot.accounts[both].with_columns(
        number=pl.Series(both), compared=pl.Series(population.compared[both])
    )
    about = {row["number"]: row for row in chosen.to_dicts()}
    alone = {
        number: [
            _of_account(indicator, row, measured[name].get(number), weighed[name])
            for name, indicator in indicators().items()
        ]
        for number, row in about.items()
    }
    return {
        "population": int(population.compared.sum()),
        "red_from": red_from,
        "mixing": mixing,
        "accounts": {
            about[number]["account"]: {
                **_added_up(alone[number], red_from),
                "genuine": population.genuine.of([number]),
            }
            for number in wanted.tolist()
        },
        "groups": {
            name: {
                **_added_up(_of_group(alone, about, sorted(set(who)), weighed), red_from),
                "genuine": population.genuine.of(who),
            }
            for name, who in groups.items()
        },
    }


def checked(weights: Mapping[str, Weight]) -> dict[str, Fraction]:
    """The weight of every indicator, exactly. UserError as for `scores`."""
    unknown = sorted(set(weights) - set(indicators()))
    if unknown:
        raise UserError(f"There is no indicator '{unknown[0]}'.")
    weighed = {name: Fraction(str(weights.get(name, 0))) for name in indicators()}
    if any(weight < 0 for weight in weighed.values()):
        raise UserError("A weight of the score is below 0.")
    if (added := sum(weighed.values())) != 100:
        raise UserError(f"The weights of the score sum to {float(added):g}, not to 100.")
    return weighed


def _ranked(
    indicator: Indicator, population: Population, wanted: npt.NDArray[np.int64]
) -> dict[int, Document]:
    """What the wanted accounts have of an indicator, by number: the columns it measures,
    `less` and `alike` (how many accounts are less suspicious and as much), `total`."""
    value = pl.col("value")
    measured = indicator.measure(population).filter(value.is_not_null() & value.is_not_nan())
    rows = measured.filter(pl.Series(population.compared[measured["account"].to_numpy()]))
    less = value.rank("min", descending=not indicator.high).cast(pl.Int64) - 1
    upto = value.rank("max", descending=not indicator.high).cast(pl.Int64)
    ours = pl.Series(wanted).cast(pl.Int32).implode()
    ranked = rows.with_columns(less=less, alike=upto - less, total=pl.lit(len(rows)))
    return {row["account"]: row for row in ranked.filter(pl.col("account").is_in(ours)).to_dicts()}


def _of_account(
    indicator: Indicator, about: Document, row: Document | None, weight: Fraction
) -> Document:
    if row is None:
        return _entry(indicator, weight, None, None, _why_nothing(indicator, about))
    sentence = indicator.sentence(row)
    if row["value"] == indicator.nothing:
        return _entry(indicator, weight, row["value"], Decimal("0.0"), f"{sentence}: counts 0.")
    rank = Fraction(100 * (2 * row["less"] + row["alike"]), 2 * row["total"])
    text = f"{sentence}: {indicator.more} than {100 * row['less'] // row['total']} % of accounts"
    if (alike := 100 * row["alike"] // row["total"]) >= 1 and row["alike"] > 1:
        text += f", as much as {alike} %"
    return _entry(indicator, weight, row["value"], _half_up(rank, 1), f"{text}.")


def _why_nothing(indicator: Indicator, about: Document) -> str:
    if about["excluded"]:
        return "Not compared: it is left out of the base. Counts 0."
    if not about["compared"]:
        return "Not compared: it holds nothing and deals with nobody. Counts 0."
    return f"No value: it {indicator.absent}. Counts 0."


def _of_group(
    alone: Mapping[int, Sequence[Document]],
    about: Mapping[int, Document],
    members: Sequence[int],
    weighed: Mapping[str, Fraction],
) -> list[Document]:
    """A group's entries, from those of its members."""
    held = [Fraction(about[member]["holdings"]) for member in members]
    if not any(held):
        held = [Fraction(1)] * len(members)
    entries = []
    for place, (name, indicator) in enumerate(indicators().items()):
        theirs = [alone[member][place] for member in members]
        known = [entry for entry in theirs if entry["percentile"] is not None]
        if not known:
            text = f"No value for any of {counted(len(members), 'member')}. Counts 0."
            entries.append(_entry(indicator, weighed[name], None, None, text))
            continue
        ranks = [Fraction(str(entry["percentile"] or 0.0)) for entry in theirs]
        rank = sum((x * y for x, y in zip(held, ranks, strict=True)), Fraction(0)) / sum(held)
        pairs = [
            (x, entry["value"])
            for x, entry in zip(held, theirs, strict=True)
            if entry["value"] is not None
        ]
        over = float(sum(x for x, _ in pairs))
        value = sum(float(x) * y for x, y in pairs) / over if over else 0.0
        low, high = min(map(float, ranks)), max(map(float, ranks))
        text = (
            f"Mean percentile of {counted(len(members), 'member')}, weighted by holdings; "
            f"from {low} to {high}"
        )
        if absent := len(theirs) - len(known):
            text += f"; {counted(absent, 'member')} without a value counted as 0"
        entries.append(_entry(indicator, weighed[name], value, _half_up(rank, 1), f"{text}."))
    return entries


def _entry(
    indicator: Indicator,
    weight: Fraction,
    value: float | None,
    percentile: Decimal | None,
    text: str,
) -> Document:
    points = _half_up(weight * Fraction(percentile or 0) / 100, 2)
    return {
        "name": indicator.name,
        "title": indicator.title,
        "value": None if value is None else float(f"{value:.6g}"),
        "unit": indicator.unit,
        "percentile": None if percentile is None else float(percentile),
        "weight": float(weight),
        "points": float(points),
        "text": text,
        "formula": indicator.formula,
    }


def _added_up(entries: list[Document], red_from: float) -> Document:
    added = sum((Decimal(str(entry["points"])) for entry in entries), Decimal(0))
    red = added >= Decimal(str(red_from))
    return {"score": float(added), "red": red, "indicators": entries}


def _half_up(number: Fraction, places: int) -> Decimal:
    """Rounded to some decimals, halves up; of a number not below 0."""
    scaled = (2 * number * 10**places + 1) // 2
    return Decimal(scaled).scaleb(-places)
