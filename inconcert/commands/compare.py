"""`inconcert compare RUN RUN`: what differs between two saved runs."""

from __future__ import annotations

import json
import sys

import click

from inconcert.manners import Manners, store_option

EXAMPLE = """\b
Examples:
  inconcert compare previous last
  inconcert compare r20260621 r20260628 --format csv
"""


@click.command(epilog=EXAMPLE)
@click.argument("before", metavar="RUN")
@click.argument("after", metavar="RUN")
@click.option("--all", "everyone", is_flag=True, help="All members, not the first 10 a group.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@store_option
def command(manners: Manners, before: str, after: str, everyone: bool, form: str) -> None:
    """Compare two runs: what they were asked, and what became of each group.

    RUN is a run's id, the beginning of it, `last`, or `previous`, the one before the last. The
    first is taken as before, the second as after. A group continues the one that it is most
    alike, as in the queue: born, grew, shrank, unchanged (by less than 0.1 points), merged,
    split, gone. Its change of share has three parts that add up to it: members, holdings, base.
    """
    from inconcert.asking import find_summary
    from review.comparison import compare

    store = manners.open()
    with manners.progress("compare"):
        runs = [find_summary(store, name) for name in (before, after)]
        answer = compare(*(run if run.pruned else store.run(run.id) for run in runs))
    if form == "json":
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
    elif form == "csv":
        from reports.comparison_text import write_csv

        write_csv(answer, sys.stdout)
    else:
        from reports.comparison_text import comparison
        from reports.findings_text import show

        show(comparison(answer, None if everyone else 10))
