"""Histories as pictures: who stood over the lines, and how one share evolved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graph.errors import UserError
from reports.history_text import PERIODS, subject
from reports.wording import amount_text, counted, line_name, percent, rounded, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Answer = Mapping[str, Any]

ENDINGS = ("png", "svg")
HEIGHT_INCHES = 7.6
MOST_BASE_MARKS = 8
"""Changes of a base that was set are named up to so many."""

DAYS = {"day": 1, "week": 7, "quarter": 91}
"""How wide a period is."""


def draw(answer: Answer, folder: Path) -> list[Path]:
    """Write a history as PNG and SVG into a folder; returns the files, none where there is
    nothing to draw. UserError where the folder cannot be made."""
    from reports.style import drawing, write

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder} cannot be a folder: a file is in its way.") from None
    written = []
    with drawing():
        for name, figure in _figures(answer):
            for ending in ENDINGS:
                path = folder / f"{name}.{ending}"
                write(figure, path)
                written.append(path)
    return written


def _figures(answer: Answer) -> Iterator[tuple[str, Figure]]:
    if "steps" in answer:
        if answer["steps"]:
            yield f"history-{_file_name(answer)}", _of_share(answer)
        return
    for on in ("accounts", "groups"):
        rows = [row for row in answer["rows"] if row["on"] == on]
        if rows:
            yield f"history-{on}-by-{answer['by']}", _of_lines(answer, on, rows)


def _file_name(answer: Answer) -> str:
    name = next(answer[kind] for kind in ("account", "case", "group") if kind in answer)
    return "".join(char if char.isalnum() or char in "-_" else "_" for char in name[:60])


def _source(answer: Answer) -> str:
    base = f" · base {_base_words(answer)}" if "steps" in answer else ""
    return (
        f"inconcert · known at batch {answer['known_at']} · holdings {answer['rule']}{base} · "
        f"by {PERIODS[answer['by']]}, {answer['time_zone']}"
    )


def _base_words(answer: Answer) -> str:
    kinds = {step["base_is"] for step in answer["steps"]}
    return "as set, counted before" if len(kinds) > 1 else "as " + next(iter(kinds))


def _of_lines(answer: Answer, on: str, rows: Sequence[Answer]) -> Figure:
    """Above how many are over each line, in the middle who crossed and fell, below the largest
    share."""
    from reports.style import sheet

    figure = sheet(_lines_title(answer, on, rows), _lines_note(on, answer), _source(answer), 8.6)
    count, moves, largest = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 3])
    by_line = {
        line: [row for row in rows if row["line"] == line]
        for line in sorted({row["line"] for row in rows}, reverse=True)
    }
    colours = _colours(list(by_line))
    for number, (line, ours) in enumerate(by_line.items()):
        _over(count, on, line, ours, colours[line], size=12 - 3 * min(number, 3))
    _moved(moves, by_line, colours, answer["by"])
    _largest(largest, on, colours, rows)
    _base_marks((count, moves, largest), rows if on == "accounts" else ())
    count.set_ylabel(f"{on.capitalize()} over\nthe line", fontsize=10)
    moves.set_ylabel("crossed (up),\nfell (down)", fontsize=10)
    largest.set_ylabel("Largest share\n(%)", fontsize=10)
    for axes in (count, moves):
        _whole_numbers(axes)
    count.legend(loc="upper left", bbox_to_anchor=(0, 1.22), ncols=6, borderaxespad=0)
    _dates(largest, rows, DAYS[answer["by"]])
    figure.align_ylabels()
    return figure


def _lines_title(answer: Answer, on: str, rows: Sequence[Answer]) -> str:
    highest = max(answer["lines"])
    ours = [row for row in rows if row["line"] == highest] or list(rows)
    line, last = ours[-1]["line"], ours[-1]
    noun = on.removesuffix("s")
    most = max(row["over"] for row in ours)
    largest = percent(max(row["largest"] for row in rows), line)
    if not most:
        return f"No {noun} was over {line_name(line)}; the largest share was {largest}"
    return (
        f"{counted(last['over'], noun)} over {line_name(line)} in the end ({last['period']}), "
        f"{most:,} at most; the largest share was {largest}"
    )


def _lines_note(on: str, answer: Answer) -> str:
    period = PERIODS[answer["by"]]
    if on == "groups":
        return (
            f"A mark: the last run of one {period}. Between runs nothing is known: the dots only "
            "join the marks. Bars: groups that were new over the line, and groups that were not "
            "found any more."
        )
    return (
        f"At the end of each {period} in which holdings or the base changed; in between "
        "what was stays. Bars: crossings, counted day by day. Grey: from then on a base was set."
    )


def _colours(lines: Sequence[float]) -> dict[float, str]:
    """Of each line its colour: that of the usual level, else another of the house's."""
    from reports.style import BLUE, GREEN, LEVELS, PINK, SKY

    known = {share: colour for share, _, colour in LEVELS}
    others = iter([BLUE, GREEN, PINK, SKY] * (1 + len(lines) // 4))
    return {line: known.get(line) or next(others) for line in lines}


def _over(
    axes: Axes, on: str, line: float, rows: Sequence[Answer], colour: str, size: float
) -> None:
    """`size` of a mark: those of several lines at one place are all seen."""
    places = [_place(row) for row in rows]
    over = [row["over"] for row in rows]
    label = f"over {line_name(line)}"
    if on == "accounts":
        axes.step(places, over, where="post", color=colour, linewidth=1.8, label=label)
        axes.plot(places[-1:], over[-1:], marker="o", markersize=4, color=colour)
    else:
        axes.plot(places, over, color=colour, linewidth=0.7, linestyle=":")
        axes.plot(
            places, over, linestyle="none", marker="o", markersize=size, color=colour, label=label
        )
    top = max(axes.get_ylim()[1], 1.15 * max([*over, 1]))
    axes.set_ylim(-0.04 * top, top)


def _moved(
    axes: Axes,
    by_line: Mapping[float, Sequence[Answer]],
    colours: Mapping[float, str],
    by: str,
) -> None:
    """Bars of each line side by side; up: crossed, down: fell."""
    from reports.style import INK

    width = DAYS[by] * 0.8 / max(1, len(by_line))
    for number, (line, rows) in enumerate(by_line.items()):
        shift = timedelta(days=(number - (len(by_line) - 1) / 2) * width)
        known = [row for row in rows if row["crossed"] is not None]
        places = [_place(row) + shift for row in known]
        style: dict[str, Any] = {"width": width * 0.9, "color": colours[line]}
        axes.bar(places, [row["crossed"] for row in known], **style)
        axes.bar(places, [-row["fell"] for row in known], alpha=0.55, **style)
    axes.axhline(0, color=INK, linewidth=0.8)


def _place(row: Answer) -> Any:
    """Where a period stands on the axis: at noon of its last day that has news."""
    from datetime import datetime

    day = date.fromisoformat(row["last_day"])
    return datetime(day.year, day.month, day.day, 12)


def _largest(axes: Axes, on: str, colours: Mapping[float, str], rows: Sequence[Answer]) -> None:
    from reports.style import INK, level_lines

    most: dict[Any, float] = {}
    for row in rows:
        most[_place(row)] = max(most.get(_place(row), 0.0), row["largest"])
    places = sorted(most)
    shares = [100 * most[place] for place in places]
    top = 1.2 * max([*shares, 100 * min(colours)])
    axes.set_ylim(0, top)
    level_lines(axes, list(colours), top / 100, colours)
    if on == "accounts":
        axes.step(places, shares, where="post", color=INK, linewidth=1.8)
    else:
        axes.plot(places, shares, color=INK, linewidth=0.7, linestyle=":")
    axes.plot(places, shares, linestyle="none", marker="o", markersize=3.5, color=INK)
    axes.grid(axis="y", color="#EEEEEE")


def _whole_numbers(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5, min_n_ticks=1))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):,.0f}"))
    axes.grid(axis="y", color="#EEEEEE")


def _base_marks(panels: Sequence[Axes], rows: Sequence[Answer]) -> None:
    """A grey line where a base that was set came into force, but for one that always was."""
    from datetime import datetime

    from reports.style import GREY

    first = min(rows, key=_place)["base_since"] if rows else None
    changed = {
        datetime.fromisoformat(row["base_since"]): row["base"]
        for row in sorted(rows, key=_place)
        if row["base_since"] not in (None, first)
    }
    for number, (place, base) in enumerate(changed.items()):
        for axes in panels:
            axes.axvline(place, color=GREY, linewidth=1.0, zorder=1)  # type: ignore[arg-type]
        if number < MOST_BASE_MARKS:
            panels[0].annotate(
                f"base set: {amount_text(base)}",
                (place, 0),
                xycoords=("data", "axes fraction"),
                xytext=(3, 6),
                textcoords="offset points",
                rotation=90,
                ha="left",
                va="bottom",
                fontsize=8,
                color="#555555",
                bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.6},
                zorder=7,
            )


def _dates(axes: Axes, rows: Sequence[Answer], bar_days: int) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    places = sorted(_place(row) for row in rows)
    room = max((places[-1] - places[0]) * 0.02, timedelta(days=0.6 * bar_days))
    axes.set_xlim(places[0] - room, places[-1] + room)
    locator = AutoDateLocator(minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _of_share(answer: Answer) -> Figure:
    """Above the share with the lines, below the amount and the base."""
    from reports.style import sheet

    steps = [{**step, "last_day": step["day"]} for step in answer["steps"]]
    figure = sheet(_share_title(answer), _share_note(answer), _source(answer), HEIGHT_INCHES)
    share, amount = figure.subplots(2, 1, sharex=True, height_ratios=[5, 2])
    _share(share, answer, steps)
    _amount(amount, steps)
    _base_marks((share, amount), steps)
    _dates(amount, steps, 1)
    figure.align_ylabels()
    return figure


def _share_title(answer: Answer) -> str:
    steps = answer["steps"]
    highest = max(steps, key=lambda step: step["share"])
    whose = subject(answer)
    whose = f"{short(answer['account'], 24)} held" if "account" in answer else f"{whose}: together"
    whose = whose[0].upper() + whose[1:] if "account" not in answer else whose
    last = percent(steps[-1]["share"])
    if highest["share"] == steps[-1]["share"]:
        return f"{whose} {last} in the end, more than ever before"
    return (
        f"{whose} {last} in the end, and {percent(highest['share'])} at most ({highest['period']})"
    )


def _share_note(answer: Answer) -> str:
    of = "its" if "account" in answer else "their"
    note = (
        f"Blue: {of} share of the base in force, at the end of each {PERIODS[answer['by']]}; "
        "between two steps nothing changed. Triangles: a line was crossed, or fallen below."
    )
    if "account" not in answer:
        note += " The accounts are those of now, also where they were not together yet."
    if answer.get("found"):
        note += " Diamonds: what a run found, with the members of then."
    return note


def _share(axes: Axes, answer: Answer, steps: Sequence[Answer]) -> None:
    from reports.style import BLUE, INK, ORANGE, level_lines

    places = [_place(step) for step in steps]
    shares = [100 * step["share"] for step in steps]
    found = _found(answer)
    top = 1.18 * max([*shares, *(100 * one["share"] for one in found), 100 * min(answer["lines"])])
    axes.set_ylim(0, top)
    level_lines(axes, answer["lines"], top / 100)
    axes.step(places, shares, where="post", color=BLUE, linewidth=2.0, zorder=4)
    axes.plot(places[-1:], shares[-1:], marker="o", markersize=5, color=BLUE, zorder=4)
    for name, marker in (("crossed", "^"), ("fell", "v")):
        ours = [
            (place, share)
            for place, share, step in zip(places, shares, steps, strict=True)
            if step[name]
        ]
        if ours:
            axes.plot(
                *zip(*ours, strict=True),
                linestyle="none",
                marker=marker,
                markersize=8,
                color=INK,
                zorder=6,
            )
    if found:
        axes.plot(
            [one["place"] for one in found],
            [100 * one["share"] for one in found],
            linestyle="none",
            marker="D",
            markersize=6,
            color=ORANGE,
            markeredgecolor="white",
            zorder=5,
        )
    axes.set_ylabel("Share of the base (%)")
    axes.grid(axis="y", color="#EEEEEE")


def _found(answer: Answer) -> list[dict[str, Any]]:
    """What runs found within the days that are drawn; there is none but for a case."""
    from zoneinfo import ZoneInfo

    from graph.clock import parse_time

    zone = ZoneInfo(answer["time_zone"])
    found = [
        {**one, "place": parse_time(one["as_of"]).astimezone(zone).replace(tzinfo=None)}
        for one in answer.get("found", ())
    ]
    begin, end = answer["from"], answer["to"]
    return [
        one
        for one in found
        if (begin is None or one["place"].date().isoformat() >= begin)
        and (end is None or one["place"].date().isoformat() <= end)
    ]


def _amount(axes: Axes, steps: Sequence[Answer]) -> None:
    from matplotlib.ticker import FuncFormatter

    from reports.style import GREEN

    places = [_place(step) for step in steps]
    amounts = [float(step["amount"]) for step in steps]
    axes.fill_between(places, amounts, step="post", color=GREEN, alpha=0.25, linewidth=0)
    axes.step(places, amounts, where="post", color=GREEN, linewidth=1.5)
    axes.set_ylim(0, 1.15 * max([*amounts, 1e-18]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: rounded(value)))
    axes.set_ylabel("Amount held")
    axes.grid(axis="y", color="#EEEEEE")
