"""Share without each member: whose leaving would bring the group below the line?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.plots import Plot, Subject
from reports.wording import Group, line_name, percent, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_BARS = 40


@dataclass(frozen=True)
class Bar:
    """What remains of the group when one member leaves."""

    account: str
    share: float
    share_without: float
    falls_below: bool


def bars(group: Group, most: int = MOST_BARS) -> list[Bar]:
    """One bar a member, the largest effect first, at most `most`."""
    ordered = sorted(
        group["members"], key=lambda member: (member["share_without"], member["account"])
    )
    return [
        Bar(
            member["account"],
            member["share"],
            member["share_without"],
            member["share_without"] < group["line"],
        )
        for member in ordered[:most]
    ]


def draw(subject: Subject) -> Figure | None:
    """One bar a member: blue what remains without it, pale what it holds itself."""
    from reports.style import BLUE, INK, ORANGE, PALE, RED, page

    group = subject.group
    assert group is not None
    if len(group["members"]) < 2:
        return None
    shown = bars(group)
    figure, axes = page(
        _title(group),
        "Each bar is the whole group. The pale end is what that member holds, the dark part what "
        "the others still hold when it is taken out"
        + (
            f". The {len(shown)} largest of {len(group['members'])} members are shown."
            if len(shown) < len(group["members"])
            else "."
        ),
        subject,
        height_inches=2.6 + 0.24 * max(len(shown), 8),
    )
    places = range(len(shown))
    colours = [ORANGE if bar.falls_below else BLUE for bar in shown]
    remains = [100 * bar.share_without for bar in shown]
    axes.barh(places, remains, color=colours, height=0.72)
    held = [100 * bar.share for bar in shown]
    axes.barh(places, held, left=remains, color=PALE, height=0.72)
    for place, bar in zip(places, shown, strict=True):
        axes.annotate(
            percent(bar.share_without, group["line"]),
            (0, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=INK if bar.falls_below else "white",
            fontsize=8.5,
        )
    axes.axvline(100 * group["line"], color=RED, linewidth=2, linestyle="--")
    axes.annotate(
        f"line {line_name(group['line'])}",
        (100 * group["line"], 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=RED,
        fontweight="bold",
    )
    axes.set_yticks(places, [short(bar.account, 20) for bar in shown], fontsize=9)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(0, 100 * max(group["share"], group["line"]) * 1.06)
    axes.set_xlabel("Share of everything (%): what the rest of the group holds without this member")
    axes.set_ylabel("Member taken out")
    return figure


def _title(group: Group) -> str:
    falling = [bar for bar in bars(group, len(group["members"])) if bar.falls_below]
    line = line_name(group["line"])
    if not falling:
        return (
            f"No single member carries it: without any one of its {len(group['members'])} members "
            f"the group is still at or over {line}"
        )
    if len(falling) == 1:
        return (
            f"It hangs on one member: without {short(falling[0].account, 20)} the group holds "
            f"{percent(falling[0].share_without, group['line'])}, below {line}"
        )
    return f"Any one of {len(falling)} members (orange) could leave and bring it below {line}"


PLOT = Plot("share-without", "group", draw)
