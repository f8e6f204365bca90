"""Lines and shares over time, as text and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.wording import amount_text, counted, line_name, percent, printable, short

Answer = Mapping[str, Any]

LINE_COLUMNS = (
    "period",
    "begins",
    "on",
    "line",
    "over",
    "crossed",
    "fell",
    "largest",
    "base",
    "run",
    "may_lead_to_an_order",
)
STEP_COLUMNS = ("period", "day", "amount", "base", "base_is", "rule", "share", "crossed", "fell")

PERIODS = {"day": "day", "week": "ISO week", "quarter": "quarter"}


def history(answer: Answer) -> RenderableType:
    """A history as a table: of lines, or of one share."""
    return _of_share(answer) if "steps" in answer else _of_lines(answer)


def subject(answer: Answer) -> str:
    """Whose share it is: `account u001`, `case g12, 14 accounts`."""
    if "account" in answer:
        return f"account {short(answer['account'], 40)}"
    kind = "case" if "case" in answer else "group"
    return f"{kind} {answer[kind]}, {counted(answer['accounts'], 'account')}"


def write_csv(answer: Answer, stream: TextIO) -> None:
    """One row a period and line, or one row a step. Shares and lines are numbers between 0 and
    1, in full precision; several lines are separated by blanks; what is not known is empty."""
    steps = "steps" in answer
    columns = STEP_COLUMNS if steps else LINE_COLUMNS
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    for row in answer["steps" if steps else "rows"]:
        writer.writerow([_cell(row.get(name)) for name in columns])


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _of_lines(answer: Answer) -> RenderableType:
    if not answer["rows"]:
        return Text("Nothing is known of these days.")
    parts: list[RenderableType] = []
    for on in ("accounts", "groups"):
        rows = [row for row in answer["rows"] if row["on"] == on]
        if rows:
            title = f"{on.capitalize()} over the line, by {PERIODS[answer['by']]}"
            parts += [Text(f"{title} ({answer['time_zone']})", style="bold")]
            parts += [_indented(_lines_table(rows, on)), Text("")]
    return Stack(*parts, *_remarks(answer["rows"]))


def _lines_table(rows: Sequence[Answer], on: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("period", no_wrap=True)
    for name in ("line", "over", "crossed", "fell", "largest", "base"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("run" if on == "groups" else "base is", no_wrap=True)
    for row in sorted(rows, key=lambda one: (one["begins"], -one["line"])):
        table.add_row(
            row["period"],
            line_name(row["line"]),
            f"{row['over']:,}",
            _number(row["crossed"]),
            _number(row["fell"]),
            percent(row["largest"], row["line"]) if row["largest"] else "–",
            amount_text(row["base"]),
            row["run"] if on == "groups" else row["base_is"],
        )
    return table


def _number(number: int | None) -> str:
    return "–" if number is None else f"{number:,}"


def _remarks(rows: Sequence[Answer]) -> Iterator[Text]:
    yield Text(
        "Over: at the end of the period. Crossed and fell: day by day within it. Largest: at the "
        "end of any of its days."
    )
    groups = [row for row in rows if row["on"] == "groups"]
    if groups:
        yield Text(
            "Groups: by the last run of each day, and of each period the last that is named."
        )
    if any(row["crossed"] is None for row in groups):
        yield Text(
            "–: not known; there is no run before it, or one of the two was pruned and its "
            "members are gone."
        )


def _of_share(answer: Answer) -> RenderableType:
    parts: list[RenderableType] = [
        Text(f"The share of {subject(answer)}", style="bold"),
    ]
    if answer.get("found"):
        parts += [Text("What runs said:"), _indented(_found_table(answer["found"])), Text("")]
        parts += [Text("What those who are in it now held together:")]
    if not answer["steps"]:
        days = " in these days" if answer["from"] or answer["to"] else ""
        return Stack(*parts, Text(f"Nothing changed{days}: there is no step to show."))
    parts.append(_indented(_steps_table(answer["steps"], answer["lines"])))
    parts.append(
        Text(
            f"At the end of each {PERIODS[answer['by']]} ({answer['time_zone']}); holdings "
            f"{answer['rule']}."
        )
    )
    return Stack(*parts)


def _steps_table(steps: Sequence[Answer], lines: Sequence[float]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("period", no_wrap=True)
    for name in ("share", "amount", "base"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("base is", no_wrap=True)
    table.add_column("lines", overflow="fold")
    for step in steps:
        share = step["share"]
        table.add_row(
            step["period"],
            percent(share, min(lines, key=lambda line: abs(line - share))),
            amount_text(step["amount"]),
            amount_text(step["base"]),
            step["base_is"],
            crossings(step),
        )
    return table


def crossings(step: Answer) -> str:
    """Which lines a step crossed: `over 3 %`, `below 5 %`, `over and below 4 %`."""
    both = [line for line in step["crossed"] if line in step["fell"]]
    up = [line for line in step["crossed"] if line not in both]
    down = [line for line in step["fell"] if line not in both]
    said = (("over", up), ("below", down), ("over and below", both))
    return ", ".join(f"{how} {' and '.join(map(line_name, lines))}" for how, lines in said if lines)


def _found_table(found: Sequence[Answer]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("as of", "run"):
        table.add_column(name, no_wrap=True)
    for name in ("share", "amount", "base", "accounts"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("base is", "grade", "last run"):
        table.add_column(name, no_wrap=True)
    for one in found:
        table.add_row(
            one["as_of"],
            one["run"],
            percent(one["share"], one["line"]),
            amount_text(one["amount"]),
            amount_text(one["base"]),
            f"{one['accounts']:,}",
            one["rule"],
            one["grade"],
            printable(one["change"]),
        )
    return table


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2))
