"""The log: verify, export, erase; and the orders that are to be carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inconcert.commands.review.common import FORMAT, print_json, queue_option

if TYPE_CHECKING:
    from inconcert.reviewing import Queue


@click.command(
    epilog="\b\nExamples:\n  inconcert review verify\n  inconcert review verify --anchor 3f9a…"
)
@click.option("--anchor", metavar="DIGEST", help="A digest that was the head once.")
@FORMAT
@queue_option
def verify(queue: Queue, anchor: str | None, form: str) -> int:
    """Recompute the log: its chain, and what its events come to.

    A changed, removed or inserted event is named by its number. That the end was cut off shows
    only against an anchor: a head's digest that was kept elsewhere. Exit code 1 where anything
    is not as it was written.
    """
    from dataclasses import asdict

    from review.verify import verify as verify_log

    found = verify_log(queue.store, anchor)
    if form == "json":
        print_json(asdict(found))
    else:
        for problem in found.problems:
            click.echo(problem)
        if not found.problems:
            click.echo(
                f"The log is whole: {found.events:,} events, {found.views:,} views as the events "
                f"say, words of {found.erased:,} erased."
            )
        click.echo(f"Head: event {found.head.number}, {found.head.digest}")
    return 1 if found.problems else 0


COMMANDS = (verify,)
