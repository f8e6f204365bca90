"""`inconcert history`: lines, accounts and groups over time."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inconcert.asking import LINE
from inconcert.manners import Manners, say, store_option

if TYPE_CHECKING:
    from datetime import date
    from fractions import Fraction

    from inconcert.histories import Asked

EXAMPLE = """\b
Examples:
  inconcert history --by week --line 5% --line 3%
  inconcert history --on groups --by quarter --plot plots
  inconcert history --account u0016273 --plot plots
"""


@click.command(epilog=EXAMPLE)
@click.option(
    "--by",
    type=click.Choice(["day", "week", "quarter"]),
    default="day",
    show_default=True,
    help="A row for each day, ISO week or calendar quarter, in the policy's time zone.",
)
@click.option(
    "--line",
    "lines",
    type=LINE,
    multiple=True,
    metavar="LINE",
    help="5% or 0.05. Repeatable.  [default: the lines of the policy in force]",
)
@click.option("--from", "begin", metavar="DAY", help="The first day that is shown.")
@click.option("--to", "end", metavar="DAY", help="The last day whose facts count.")
@click.option(
    "--on",
    type=click.Choice(["accounts", "groups", "both"]),
    default="both",
    show_default=True,
    help="Accounts by their holdings, groups by saved runs.",
)
@click.option("--account", metavar="ACCOUNT", help="How the share of an account evolved.")
@click.option("--case", metavar="CASE", help="The same of those in a case of the queue.")
@click.option("--group", metavar="GROUP", help="The same of those in a group.")
@click.option("--run", "run_name", metavar="RUN", help="Look for the group in this run only.")
@click.option("--known-at", type=int, metavar="BATCH", help="As it was known at this batch.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@click.option(
    "--plot",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw it too, as PNG and SVG, into a folder.",
)
@store_option
def command(
    manners: Manners,
    by: Any,
    lines: tuple[Fraction, ...],
    begin: str | None,
    end: str | None,
    known_at: int | None,
    form: str,
    folder: Path | None,
    **about: Any,
) -> None:
    """Show over time who stood over each line, or how one share evolved.

    Without a name: for each period how many accounts and groups stood over each line at its
    end, how many crossed it and fell below it within, and the largest share. Crossings are
    counted day by day, so days add up to weeks. Accounts are told by what they held at the end
    of each day, on the base in force then; groups by the last run of each day.

    With --account, --case or --group: each step of the share, with the amount, the base in force
    and the lines that were crossed.
    """
    from inconcert.histories import Asked
    from review.line_history import Span

    if sum(about[name] is not None for name in ("account", "case", "group")) > 1:
        raise click.UsageError("Name one: --account, --case or --group.")
    if about["run_name"] and not about["group"]:
        raise click.UsageError("--run says where --group is looked for.")
    span = Span(_day(begin), _day(end))
    if span.begin and span.end and span.begin > span.end:
        raise click.UsageError("--from is later than --to.")
    asked = Asked(by, span, lines, known_at)
    answer = _answer(manners, asked, **about)
    paths = _drawn(manners, answer, folder) if folder else []
    if answer["horizon"] and begin is None and about["on"] != "groups":
        say(f"Holdings are told from {answer['horizon']} on: what they rest on before is archived.")
    _print(answer, form)
    for path in paths:
        if form == "table":
            click.echo(path)
        else:
            manners.note(str(path))


def _answer(
    manners: Manners,
    asked: Asked,
    on: Any,
    account: str | None,
    case: str | None,
    group: str | None,
    run_name: str | None,
) -> dict[str, Any]:
    from inconcert import histories

    if case is not None:
        return _of_case(manners, asked, case)
    store = manners.open()
    with manners.progress("history") as advance:
        if account is not None:
            return histories.history_of_account(store, asked, account)
        if group is not None:
            return histories.history_of_group(store, asked, group, run_name)
        return histories.history_of_lines(store, asked, on, lambda note: advance(note=note))


def _of_case(manners: Manners, asked: Asked, name: str) -> dict[str, Any]:
    """That somebody looked at it is recorded."""
    from inconcert.histories import history_of_case
    from inconcert.reviewing import Queue
    from review.looking import looked

    queue = Queue.of(manners)
    key = queue.find(name)
    queue.act(lambda desk: looked(desk, queue.person, "the share of a case over time", case=key))
    with manners.progress("history"):
        return history_of_case(queue.store, asked, key)


def _day(text: str | None) -> date | None:
    from datetime import date

    from graph.errors import UserError

    if text is None:
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UserError(f"'{text}' is not a day.", "Write it as 2026-03-01.") from None


def _drawn(manners: Manners, answer: dict[str, Any], folder: Path) -> list[Path]:
    from reports.history_plots import draw

    with manners.progress("drawing"):
        return draw(answer, folder)


def _print(answer: dict[str, Any], form: str) -> None:
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    from reports import history_text

    if form == "csv":
        history_text.write_csv(answer, sys.stdout)
        return
    from reports.findings_text import show

    show(history_text.history(answer))
