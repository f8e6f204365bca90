"""A whole run at a glance: every group's share and how strong the evidence is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.plots import Plot, Subject
from reports.wording import Result, counted, line_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MARKERS = {"conclusive": "*", "corroborated": "o", "indication": "^"}
SIZES = {"conclusive": 190, "corroborated": 90, "indication": 80}


@dataclass(frozen=True)
class Mark:
    """One set of accounts; found at several lines it is one mark."""

    groups: tuple[str, ...]
    share: float
    strength_bits: float
    grade: str
    accounts: int


def marks(result: Result) -> list[Mark]:
    """One mark a set of accounts, largest share first."""
    sets: dict[tuple[str, ...], list[dict[str, object]]] = {}
    for group in result["groups"]:
        members = tuple(sorted(member["account"] for member in group["members"]))
        sets.setdefault(members, []).append(group)
    found = []
    for members, groups in sets.items():
        best = min(groups, key=lambda group: list(MARKERS).index(str(group["grade"])))
        found.append(
            Mark(
                tuple(str(group["id"]) for group in groups),
                float(best["share"]),  # type: ignore[arg-type]
                float(best["strength_bits"]),  # type: ignore[arg-type]
                str(best["grade"]),
                len(members),
            )
        )
    return sorted(found, key=lambda mark: (-mark.share, mark.groups))


def draw(subject: Subject) -> Figure | None:
    """Share in % against strength in bits, the grade as marker."""
    import numpy as np

    from reports.style import BLUE, ORANGE, RED, Labels, level_lines, page
    from reports.wording import GRADES

    result = subject.run.result
    shown = marks(result)
    several = [mark for mark in shown if mark.accounts > 1]
    note = (
        "Higher: they hold more together. Further right: one will explains what they did that "
        "much better than chance (each bit twice as well)."
    )
    if len(several) < len(shown):
        note += " Single accounts over a line stand at 0: they need no evidence."
    figure, axes = page(_title(result, shown), note, subject)
    most_share = max([mark.share for mark in shown] + [0.05])
    most_bits = max([mark.strength_bits for mark in shown] + [10.0])
    axes.set_ylim(0, 100 * most_share * 1.25)
    axes.set_xlim(-0.06 * most_bits, 1.14 * most_bits)
    level_lines(axes, result["lines"], most_share * 1.25)
    axes.grid(color="#EEEEEE")
    colours = {"conclusive": RED, "corroborated": ORANGE, "indication": BLUE}
    for grade, marker in MARKERS.items():
        ours = [mark for mark in shown if mark.grade == grade]
        if ours:
            axes.scatter(
                [mark.strength_bits for mark in ours],
                [100 * mark.share for mark in ours],
                marker=marker,
                s=SIZES[grade],
                color=colours[grade],
                edgecolor="white",
                zorder=5,
                label=f"{grade}: {GRADES[grade]}",
            )
    axes.set_ylabel("Share of everything, held together (%)")
    axes.set_xlabel("Strength of the evidence, in bits")
    if shown:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.13), borderaxespad=0, handletextpad=0.4)
    points = np.array([(mark.strength_bits, 100 * mark.share) for mark in shown])
    labels = Labels(figure, axes, points.reshape(-1, 2))
    for mark in shown:
        text = f"{counted(mark.accounts, 'account')}\n{mark.groups[0]}"
        labels.beside(text, (mark.strength_bits, 100 * mark.share), 8.0, fontsize=9)
    return figure


def _title(result: Result, shown: list[Mark]) -> str:
    lines = ", ".join(line_name(line) for line in sorted(result["lines"]))
    among = counted(result["accounts"], "account")
    if not shown:
        return f"No group among {among} is at or over {lines}"
    several = sum(mark.accounts > 1 for mark in shown)
    alone = len(shown) - several
    parts = [counted(several, "group")] if several else []
    parts += [counted(alone, "single account")] if alone else []
    return f"{' and '.join(parts)} at or over {lines} among {among}"


PLOT = Plot("overview", "run", draw)
