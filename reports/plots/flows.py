"""Flows over time: what stays inside the group, what comes from and goes to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from reports.plots import Plot, Subject
from reports.wording import counted, rounded, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 70
WIDTHS_DAYS = (1, 7, 28, 91, 364)
UNIT_NAMES = {1: "day", 7: "week", 28: "four weeks", 91: "quarter", 364: "year"}
DIRECTIONS = ("inside", "come", "gone", "bought", "sold")


@dataclass(frozen=True)
class Flows:
    """Amounts by interval. `frame`: `begin` (date, or Int64 for steps), `inside` (between
    members), `come` and `gone` (from and to others), `bought` and `sold` (from and to
    institutions), ascending, without gaps."""

    frame: pl.DataFrame
    width: int
    """Days, or steps, of an interval."""
    dated: bool
    undated: int
    """Transfers that no interval can show."""


def flows(transfers: pl.DataFrame) -> Flows | None:
    """Sum a group's transfers by interval; by steps only where nothing has a date.

    `transfers`: as in `reports.material.Material` of this group.
    """
    dated = transfers["day"].is_not_null().any()
    place = "day" if dated else "step"
    shown = transfers.filter(pl.col(place).is_not_null())
    if not len(shown):
        return None
    number = pl.col("day").cast(pl.Int32).cast(pl.Int64) if dated else pl.col("step")
    numbers = shown.select(place=number)["place"].to_numpy()
    first, last = int(numbers.min()), int(numbers.max())
    width = _width(last - first + 1, dated)
    summed = (
        shown.select(
            "amount",
            begin=first + (number - first) // width * width,
            direction=pl.when(pl.col("src").is_null())
            .then(pl.when("institution").then(pl.lit("bought")).otherwise(pl.lit("come")))
            .when(pl.col("dst").is_null())
            .then(pl.when("institution").then(pl.lit("sold")).otherwise(pl.lit("gone")))
            .otherwise(pl.lit("inside")),
        )
        .pivot("direction", index="begin", values="amount", aggregate_function="sum")
        .with_columns(pl.col("begin").cast(pl.Int64))
    )
    every = pl.DataFrame({"begin": range(first, last + 1, width)}, schema={"begin": pl.Int64})
    frame = every.join(summed, on="begin", how="left", maintain_order="left")
    frame = frame.select(
        "begin",
        *(
            (pl.col(name) if name in frame.columns else pl.lit(0.0)).fill_null(0.0).alias(name)
            for name in DIRECTIONS
        ),
    )
    if dated:
        frame = frame.with_columns(pl.col("begin").cast(pl.Int32).cast(pl.Date))
    undated = transfers.filter(pl.col(place).is_null())["count"].sum()
    return Flows(frame, width, bool(dated), int(undated))


def _width(length: int, dated: bool) -> int:
    if not dated:
        return -(-length // MOST_BARS)
    return next((width for width in WIDTHS_DAYS if length <= width * MOST_BARS), WIDTHS_DAYS[-1])


def draw(subject: Subject) -> Figure | None:
    """Bars above zero: inside and incoming; below zero: outgoing."""
    from reports.style import page

    group, material = subject.group, subject.material
    assert group is not None
    found = flows(material.transfers) if material is not None else None
    if found is None:
        return None
    figure, axes = page(_title(subject, found), _note(subject, found), subject)
    _bars(axes, found)
    axes.set_ylabel(f"Points moved in one {_interval(found)}")
    axes.set_xlabel("Date" if found.dated else "Step (the facts have no dates)")
    return figure


def _interval(found: Flows) -> str:
    if found.dated:
        return UNIT_NAMES[found.width]
    return "step" if found.width == 1 else f"interval of {found.width} steps"


def _title(subject: Subject, found: Flows) -> str:
    assert subject.group is not None
    sums = {name: float(found.frame[name].sum()) for name in DIRECTIONS}
    members = subject.group["members"]
    if len(members) == 1:
        return f"What {short(members[0]['account'], 24)} received and sent"
    moved = sums["inside"] + sums["come"] + sums["gone"]
    apart = sums["bought"] + sums["sold"]
    if not moved:
        return f"The {len(members)} members deal with institutions only"
    return (
        f"{100 * sums['inside'] / moved:.0f} % of all that the {len(members)} members move stays "
        f"among them{' (dealings with institutions set apart)' if apart else ''}"
    )


def _note(subject: Subject, found: Flows) -> str:
    missing = (
        f" {counted(found.undated, 'transfer')} without a "
        f"{'date' if found.dated else 'step'} cannot be shown."
        if found.undated
        else ""
    )
    return (
        "Above zero: transfers between members, and on top what others sent to them. Below "
        "zero: what they sent to others. Institutions are merchants, exchanges, payrolls and "
        f"the like. One bar is one {_interval(found)}.{missing}"
    )


def _bars(axes: Axes, found: Flows) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from reports.style import BLUE, GREEN, INK, ORANGE, PALE

    begin = found.frame["begin"].to_numpy()
    inside, come, gone, bought, sold = (found.frame[name].to_numpy() for name in DIRECTIONS)
    wide: dict[str, Any] = {"width": 0.86 * found.width, "align": "edge"}
    if inside.any():
        axes.bar(begin, inside, color=BLUE, label="between members", **wide)
    axes.bar(begin, come, bottom=inside, color=GREEN, label="from others", **wide)
    axes.bar(begin, -gone, color=ORANGE, label="to others", **wide)
    if (bought + sold).any():
        label = "from and to institutions"
        axes.bar(begin, bought, bottom=inside + come, color=PALE, label=label, **wide)
        axes.bar(begin, -sold, bottom=-gone, color=PALE, **wide)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.grid(axis="y", color="#EEEEEE")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.16 * (high - low))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rounded(abs(value))))
    if found.dated:
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(
            ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
        )
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="upper left", ncols=4)


PLOT = Plot("flows", "group", draw)
