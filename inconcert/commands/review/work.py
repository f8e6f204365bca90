"""The queue, one case at a time: work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from inconcert.commands.review.common import queue_option

if TYPE_CHECKING:
    from inconcert.reviewing import Queue


@click.command(
    epilog="\b\nExamples:\n  inconcert review work\n  inconcert review work --level red\n"
    "  inconcert review work g1a2b3c4d5"
)
@click.argument("cases", nargs=-1, metavar="[CASE]…")
@click.option("--level", multiple=True, metavar="LEVEL", help="Of this level only. Repeatable.")
@queue_option
def work(queue: Queue, cases: tuple[str, ...], level: tuple[str, ...]) -> None:
    """Walk through the queue, the most urgent case first.

    A case that nobody has is claimed, its page is shown, and a letter says what to do: r review,
    c confirm, f refute, w wait for the holder, s snooze, b back to the queue, m comment, n next,
    q quit; `?` tells what else. What somebody else did meanwhile is shown before anything is
    decided, and words that were typed are never lost. Letters may come from a pipe.
    """
    from inconcert.walking import Walk

    shown = Walk(queue, level).go([queue.find(case) for case in cases])
    click.echo(f"{shown:,} cases were shown." if shown else "No case waits for you.")


COMMANDS = (work,)
