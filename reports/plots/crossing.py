"""The crossing chart: how the combined share grows as weaker ties are let in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reports.plots import Plot, Subject
from reports.wording import Group, counted, line_name, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, float, int]
"""Bits, share, accounts."""

ROOM_ABOVE = 1.5
"""The share axis reaches this many times as high as what matters."""


@dataclass(frozen=True)
class Crossing:
    """What the chart shows. Curves run from strong to weak ties."""

    own: list[Point]
    """The part of the group around its strongest tie, by ties among members alone."""
    crowd: list[Point]
    """Everybody tied to the group at that strength, members or not."""
    crosses: Point | None
    """Where the group's own curve first reaches the line; None where a member is over it."""
    most_share: float
    """The top of the share axis."""


def crossing(group: Group, details: dict[str, Any]) -> Crossing | None:
    """The chart's numbers; None where the run kept no curve (a single account)."""
    own: list[Point] = [(bits, share, int(n)) for bits, share, n in details.get("own_curve", [])]
    if not own:
        return None
    crowd: list[Point] = [(bits, share, int(n)) for bits, share, n in details["curve"]]
    crosses = next((point for point in own if point[1] >= group["line"]), None)
    top = max(group["share"], group["line"], 0.05) * ROOM_ABOVE
    return Crossing(own, crowd, crosses, top)


def draw(subject: Subject) -> Figure | None:
    """Share in % against bits, strong ties on the left."""
    from reports.style import level_lines, page

    group = subject.group
    assert group is not None
    chart = crossing(group, subject.details)
    if chart is None:
        return None
    figure, axes = page(
        _title(group, chart),
        "Far left: only the strongest ties count, and few accounts are joined. Going right, "
        "weaker ties are let in as well, more accounts are joined, and what they hold is added "
        "up. Each step up is one account, or several, joining.",
        subject,
    )
    _limits(axes, chart)
    _curves(axes, chart)
    level_lines(axes, [group["line"]], chart.most_share)
    axes.set_ylabel("Share of everything, held together (%)")
    axes.set_xlabel(
        "Evidence between two accounts, in bits: strong on the left, weak on the right\n"
        "(each bit more makes a tie half as likely to be chance)"
    )
    _marks(figure, axes, group, chart)
    return figure


def _title(group: Group, chart: Crossing) -> str:
    line, largest = group["line"], max(member["share"] for member in group["members"])
    accounts = counted(len(group["members"]), "account")
    share = percent(group["share"], line)
    if largest < line:
        return (
            f"Each of {accounts} stays below {line_name(line)} (the largest holds "
            f"{percent(largest, line)}); joined by their ties they hold {share}"
        )
    return (
        f"Joined by their ties, {accounts} hold {share}; the largest alone holds {percent(largest)}"
    )


def _limits(axes: Axes, chart: Crossing) -> None:
    from matplotlib.ticker import MaxNLocator

    strongest, weakest = max(chart.own[0][0], chart.crowd[0][0]), chart.own[-1][0]
    margin = max(0.06 * (strongest - weakest), 0.4)
    axes.set_xlim(strongest + margin, weakest - 2.5 * margin)
    axes.set_ylim(0, 100 * chart.most_share)
    axes.xaxis.set_major_locator(MaxNLocator(9, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#EEEEEE")


def corners(points: list[Point], until_bits: float) -> list[tuple[float, float]]:
    """The corners of a curve of steps down to `until_bits`: bits and share in %."""
    seen = [point for point in points if point[0] >= until_bits]
    found = [(seen[0][0], 0.0)] if seen else []
    for place, (bits, share, _) in enumerate(seen):
        until = seen[place + 1][0] if place + 1 < len(seen) else until_bits
        found += [(bits, 100 * share), (until, 100 * share)]
    return found


def _curves(axes: Axes, chart: Crossing) -> None:
    from reports.style import BLUE, GREY, SKY

    until = axes.get_xlim()[1]
    own, crowd = corners(chart.own, until), corners(chart.crowd, until)
    axes.plot(
        *zip(*own, strict=True),
        color=BLUE,
        linewidth=2.6,
        zorder=4,
        label="this group: its members alone, tied this strongly or more",
    )
    bits, shares = zip(*own, strict=True)
    axes.fill_between(bits, shares, color=SKY, alpha=0.18, zorder=1, linewidth=0)
    axes.plot(
        *zip(*crowd, strict=True),
        color=GREY,
        linewidth=1.4,
        linestyle=(0, (4, 2)),
        zorder=3,
        label="the crowd: outsiders tied to them as strongly are let in too",
    )
    axes.legend(loc="upper left")


def _marks(figure: Figure, axes: Axes, group: Group, chart: Crossing) -> None:
    """The crossing, the whole group, and where the crowd goes."""
    import numpy as np

    from reports.style import BLUE, RED, Labels, along

    until, top = axes.get_xlim()[1], 100 * chart.most_share
    whole = chart.own[-1]
    size = f"{counted(len(group['members']), 'account')}, {percent(group['share'], group['line'])}"
    axes.plot([whole[0]], [100 * whole[1]], "s", color=BLUE, markersize=8, zorder=6)
    if chart.crosses is not None:
        axes.plot(
            [chart.crosses[0]], [100 * chart.crosses[1]], "o", color=RED, markersize=9, zorder=7
        )
    line = [(axes.get_xlim()[0], 100 * group["line"]), (until, 100 * group["line"])]
    lines = [corners(chart.own, until), corners(chart.crowd, until), line]
    clear = [along([(bits, min(share, top)) for bits, share in points]) for points in lines]
    labels = Labels(figure, axes, np.concatenate(clear))
    if chart.crosses != whole:
        text = f"the whole group:\n{size}"
        labels.anywhere(text, (whole[0], 100 * whole[1]), color=BLUE, fontweight="bold")
    if chart.crosses is not None:
        bits, share, accounts = chart.crosses
        if chart.crosses == whole:
            text = f"crosses {line_name(group['line'])} in one step:\nthe whole group, {size}"
        else:
            text = (
                f"crosses {line_name(group['line'])} here: {counted(accounts, 'account')}\n"
                f"tied by {bits:.1f} bits or more hold {percent(share, group['line'])}"
            )
        labels.anywhere(text, (bits, 100 * share), color=RED, fontweight="bold")
    crowd = [point for point in chart.crowd if point[0] >= until and point[1] > chart.most_share]
    if crowd:
        text = (
            "let outsiders in, and it goes on growing:\n"
            f"{crowd[-1][2]:,} accounts with {percent(crowd[-1][1])}"
        )
        labels.anywhere(text, (crowd[0][0], 0.985 * top), color="#666666", fontsize=9.5)


PLOT = Plot("crossing", "group", draw)
