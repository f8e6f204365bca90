"""Printed findings: a result of the contract as text for a terminal or a pipe."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TextIO

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.console import Group as Stack
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.wording import (
    GRADES,
    Group,
    Result,
    amount_text,
    bits_text,
    counted,
    doubt_names,
    headline,
    line_name,
    percent,
    printable,
)

PIPE_WIDTH = 120
"""Columns where there is no terminal that says how wide it is."""

WHOLE_WIDTH = 10_000
"""For tables of ids in a pipe: as wide as they are, for a cut id is none."""

NARROW_WIDTH = 96
"""Below it the table of groups takes its narrow form."""

MOST_MEMBERS = 20

MOST_NAMED = 3
"""Of the members that two groups share."""

MOST_SHARED = 5
"""Pairs of groups of which that is said."""

GRADE_STYLES = {"conclusive": "bold red", "corroborated": "bold yellow", "indication": "cyan"}


def findings(result: Result) -> RenderableType:
    """All groups of a result in one table, what the words mean, what to do next."""
    if not result["groups"]:
        return Text(result["message"] or "No group was found.")
    return Stack(
        Text(_first_sentence(result), style="bold"),
        _Overview(result),
        *_in_two(result["groups"]),
        _grades(result["groups"]),
    )


def summaries(result: Result) -> RenderableType:
    """The groups of a pruned run: what is left of each, in one table."""
    if not result["groups"]:
        return Text(result["message"] or "No group was found.")
    table = _table()
    table.add_column("group", no_wrap=True)
    for name in ("share", "line", "accounts", "holdings"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("grade", no_wrap=True)
    for group in result["groups"]:
        table.add_row(
            group["id"],
            percent(group["share"], group["line"]),
            line_name(group["line"]),
            f"{group['size']:,}",
            amount_text(group["holdings"]),
            Text(group["grade"], style=GRADE_STYLES.get(group["grade"], "")),
        )
    return table


def finding(group: Group, most_members: int | None = MOST_MEMBERS) -> RenderableType:
    """One group in full. `most_members`: None shows all of them."""
    title = Text.assemble(
        ("Group " + group["id"], "bold"),
        "  ",
        (group["grade"], GRADE_STYLES.get(group["grade"], "")),
    )
    parts: list[RenderableType] = [title, Text(headline(group)), Text(_amounts(group))]
    parts += [_in_short(group), Text("")]
    parts += _reasons(group)
    parts += _doubts(group)
    parts += _members(group, most_members)
    return Stack(*parts)


def all_findings(result: Result, most_members: int | None = MOST_MEMBERS) -> RenderableType:
    """The table of all groups, then each in full."""
    parts = [findings(result)]
    for group in result["groups"]:
        parts += [Text(""), finding(group, most_members)]
    return Stack(*parts)


def to_text(what: RenderableType, width: int = PIPE_WIDTH) -> str:
    """Plain text without colour, lines of at most `width` columns, no trailing blanks."""
    console = Console(
        file=io.StringIO(),
        width=width,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as captured:
        console.print(what)
    return "".join(line.rstrip() + "\n" for line in captured.get().splitlines())


def show(what: RenderableType, stream: TextIO | None = None, pipe_width: int = PIPE_WIDTH) -> None:
    """Print to a stream (stdout): in colour and as wide as the terminal, plain in a pipe."""
    stream = stream or sys.stdout
    if stream.isatty():
        Console(file=stream, highlight=False, markup=False, emoji=False).print(what)
        return
    columns = os.environ.get("COLUMNS", "")
    stream.write(to_text(what, int(columns) if columns.isdigit() and int(columns) else pipe_width))


def _first_sentence(result: Result) -> str:
    groups = result["groups"]
    *others, last = [line_name(line) for line in sorted(result["lines"])]
    lines = f"{', '.join(others)} or {last}" if others else last
    several = [group for group in groups if len(group["members"]) > 1]
    hidden = [
        group
        for group in several
        if all(member["share"] < group["line"] for member in group["members"])
    ]
    where = f"at or over {lines} among {counted(result['accounts'], 'account')}"
    if not several:
        return f"{counted(len(groups), 'single account')} {where}."
    sentence = f"{counted(len(groups), 'finding')} {where}"
    empty = [line for line in sorted(result["lines"]) if line not in {g["line"] for g in several}]
    none = f" None at or over {' or '.join(line_name(line) for line in empty)}." if empty else ""
    alone = len(groups) - len(several)
    besides = f" and {counted(alone, 'single account')}" if alone else ""
    seen = "none" if len(hidden) == len(several) else f"{len(several) - len(hidden)}"
    return (
        f"{sentence}: {counted(len(several), 'group')}{besides}; "
        f"{seen} of the groups has a member over the line by itself.{none}"
    )


def _in_two(groups: Sequence[Group]) -> Iterator[RenderableType]:
    """Who is in two groups of one line neither of which is inside the other."""
    said = []
    for one, other in combinations(groups, 2):
        members = {member["account"] for member in one["members"]}
        both = [member["account"] for member in other["members"] if member["account"] in members]
        inside = len(both) in (len(members), len(other["members"]))
        if both and one["line"] == other["line"] and not inside:
            named = ", ".join(printable(account) for account in both[:MOST_NAMED])
            more = f" and {len(both) - MOST_NAMED:,} more" if len(both) > MOST_NAMED else ""
            is_in, counts = ("is", "counts") if len(both) == 1 else ("are", "count")
            where = f"both {one['id']} and {other['id']}"
            said.append(f"{named}{more} {is_in} in {where}, and {counts} in each.")
    if len(said) > MOST_SHARED:
        rest = len(said) - MOST_SHARED
        said[MOST_SHARED:] = [f"Members are shared by {counted(rest, 'more pair')} of groups."]
    if said:
        yield Text("\n".join(said) + "\n")


@dataclass(frozen=True)
class _Overview:
    """One row a group; on a narrow screen the doubts stand below the grade."""

    result: Result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _overview(self.result, narrow=options.max_width < NARROW_WIDTH)


def _overview(result: Result, narrow: bool) -> Table:
    table = _table()
    table.add_column("group", no_wrap=True)
    for name in ("share", "line", "accounts", "largest\nmember"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("grade, or\nelse this" if narrow else "grade", min_width=12)
    table.add_column("bits" if narrow else "strength\nin bits", justify="right", no_wrap=True)
    table.add_column("families", min_width=10)
    if not narrow:
        table.add_column("could also be")
    for group in result["groups"]:
        largest = max(member["share"] for member in group["members"])
        over = "bold" if largest >= group["line"] else ""
        named = Text(group["grade"], style=GRADE_STYLES.get(group["grade"], ""))
        doubted = Text(", ".join(doubt_names(group)) or "–")
        row: list[RenderableType] = [
            Text(group["id"]),
            percent(group["share"], group["line"]),
            line_name(group["line"]),
            f"{len(group['members']):,}",
            Text(percent(largest, group["line"]), style=over),
            Stack(named, doubted) if narrow and group["doubts"] else named,
            _strength(group, narrow),
            Text(", ".join(group["detectors"])),
        ]
        table.add_row(*row, *([] if narrow else [doubted]))
    return table


def _strength(group: Group, narrow: bool) -> str:
    if len(group["members"]) == 1:
        return "–"
    return f"{group['strength_bits']:,.0f}" if narrow else bits_text(group["strength_bits"])


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")


def _grades(groups: Sequence[Group]) -> RenderableType:
    given = {group["grade"] for group in groups}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for grade, meaning in GRADES.items():
        if grade in given:
            grid.add_row(Text(grade, style=GRADE_STYLES[grade]), Text(meaning))
    if any(len(group["members"]) > 1 for group in groups):
        grid.add_row(
            Text("bits", style="bold"),
            Text("each bit makes `one will` twice as likely against `strangers by chance`"),
        )
    return grid


def _in_short(group: Group) -> RenderableType:
    """One sentence for it and one against it; runs of earlier versions have none."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for name, key in (("For it", "because"), ("Against it", "against")):
        if group.get(key):
            grid.add_row(Text(name, style="bold"), Text(printable(group[key])))
    return grid


def _amounts(group: Group) -> str:
    parent = f"; inside the larger group {group['parent']}" if group["parent"] else ""
    return f"Holdings {amount_text(group['holdings'])}{parent}."


def _reasons(group: Group) -> Iterator[RenderableType]:
    yield Text("Why", style="bold")
    if len(group["members"]) == 1:
        for reason in group["reasons"]:
            yield _indented(Text(printable(reason["text"])))
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for place, reason in enumerate(group["reasons"]):
        grid.add_row(
            f"{'+ ' if place else ''}{reason['bits']:,.3f}",
            Text(reason["family"], style="bold"),
            Text(printable(reason["text"])),
        )
    for sign, bits, name, meaning in (
        ("=", group["evidence_bits"], "evidence", "what one will explains better than chance"),
        ("-", group["cost_bits"], "cost", "of picking this set among all sets of its size"),
        ("=", group["strength_bits"], "strength", "bits that remain"),
    ):
        grid.add_row(f"{sign} {bits:,.3f}", Text(name, style="bold"), meaning)
    yield _indented(grid)
    if group["p_value"] is not None:
        yield _indented(
            Text(
                f"p = {group['p_value']:.3g}: the part of trials in which holdings dealt out at "
                f"random cross {line_name(group['line'])} by ties as strong as these."
            )
        )
    yield Text("")


def _doubts(group: Group) -> Iterator[RenderableType]:
    if not group["doubts"]:
        return
    yield Text("What innocent thing could explain it", style="bold")
    for doubt in group["doubts"]:
        yield _indented(
            Text.assemble((doubt["explanation"], "bold"), ": ", printable(doubt["text"]))
        )
        yield _indented(Text(f"What would settle it: {printable(doubt['settles'])}"), 4)
    yield Text("")


def _members(group: Group, most: int | None) -> Iterator[RenderableType]:
    if len(group["members"]) == 1:
        return
    members = group["members"][:most]
    yield Text("Members, largest first", style="bold")
    table = _table()
    table.add_column("account", overflow="fold")
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("group\nwithout it", justify="right", no_wrap=True)
    table.add_column("brings\nbits", justify="right", no_wrap=True)
    table.add_column("strongest reason")
    below = False
    for member in members:
        without = percent(member["share_without"], group["line"])
        falls = member["share_without"] < group["line"]
        below = below or falls
        table.add_row(
            Text(printable(member["account"])),
            percent(member["share"], group["line"]),
            without + (" ▼" if falls else "  "),
            _brings(member),
            Text(printable(member["reasons"][0]) if member["reasons"] else "–"),
        )
    yield _indented(table)
    if below:
        yield _indented(
            Text(f"▼ without this account the group is below {line_name(group['line'])}")
        )
    if unsure := [member for member in group["members"] if not member.get("named", True)]:
        share = percent(sum(member["share"] for member in unsure))
        yield _indented(
            Text(
                f"? too few bits to name it in an order: {len(unsure):,} of "
                f"{len(group['members']):,} members, who hold {share} together"
            )
        )
    if rest := group["members"][len(members) :]:
        share = percent(sum(member["share"] for member in rest))
        yield _indented(Text(f"… and {len(rest):,} more, who hold {share} together"))


def _brings(member: Mapping[str, Any]) -> str:
    """What it brings to the group; runs of earlier versions do not say."""
    if "bits" not in member:
        return "–"
    return f"{member['bits']:,.1f}" + ("  " if member["named"] else " ?")


def _indented(what: RenderableType, columns: int = 2) -> Padding:
    return Padding(what, (0, 0, 0, columns))
