"""`inconcert trace`: where an account's or a group's points went, or came from."""

from __future__ import annotations

import json

import click

from graph.amount import plain
from graph.clock import parse_time
from inconcert.asking import PrunedError, find_group
from inconcert.manners import Manners, store_option

EXAMPLE = """\b
Examples:
  inconcert trace u0016273 --depth 2
  inconcert trace 4f2a --direction in --from 2026-06-01
"""


@click.command(epilog=EXAMPLE)
@click.argument("subject", metavar="ACCOUNT|GROUP")
@click.option("--depth", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--from", "begin", metavar="TIME", help="Transfers from then on.")
@click.option("--to", "end", metavar="TIME", help="Transfers up to then.")
@click.option(
    "--direction", type=click.Choice(["in", "out", "both"]), default="out", show_default=True
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Rows a hop.")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(
    manners: Manners,
    subject: str,
    depth: int,
    begin: str | None,
    end: str | None,
    direction: str,
    limit: int,
    form: str,
) -> None:
    """Follow transfers hop by hop, forward (out), back (in) or both, in the order of time.

    Institutions (exchanges, merchants, …) are shown where they are reached, not followed.
    """
    store = manners.open()
    from detectors.engine.trace import trace
    from graph.errors import UserError
    from graph.snapshot import snapshot

    with manners.progress("trace") as advance:
        advance(note="reading")
        taken = snapshot(store)
    try:
        accounts = [taken.number_of(subject)]
    except UserError:
        try:
            _, group = find_group(store, subject, None)
        except PrunedError:
            raise
        except UserError:
            raise UserError(f"There is no account and no group '{subject}'.") from None
        accounts = [taken.number_of(member["account"]) for member in group["members"]]
    with manners.progress("trace"):
        found = trace(
            taken,
            sorted(accounts),
            depth,
            direction,
            parse_time(begin) if begin else None,
            parse_time(end) if end else None,
        )
    rows = [
        {**row, "amount": plain(row["amount"])}
        for (_,), hop in found.hops.group_by("hop", maintain_order=True)
        for row in hop.head(limit).iter_rows(named=True)
    ]
    if form == "json":
        answer = {"subject": subject, "direction": direction, "hops": rows, "cut": found.cut}
        answer["left_out"] = len(found.hops) - len(rows)
        click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
        return
    if not rows:
        click.echo(f"No transfers {'reach' if direction == 'in' else 'leave'} {subject}.")
        return
    from rich.table import Table

    from reports.findings_text import WHOLE_WIDTH, show

    table = Table(box=None)
    for name in ("hop", "from", "to", "amount", "transfers", "first", "last"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(str(row[key]) if row[key] is not None else "" for key in row))
    show(table, pipe_width=WHOLE_WIDTH)
    hidden = len(found.hops) - len(rows)
    if hidden or found.cut:
        click.echo(
            f"{hidden} more pairs (--limit shows more); {found.cut} accounts not followed further.",
            err=True,
        )
