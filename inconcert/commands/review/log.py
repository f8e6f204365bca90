"""The log and personal data: verify, export, reveal, erase, retain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from inconcert.commands.review.common import FORMAT, print_json, queue_option

if TYPE_CHECKING:
    from inconcert.reviewing import Queue

PURPOSE = click.option(
    "--purpose",
    required=True,
    metavar="PURPOSE",
    help="supervision, audit, court, investigation, appeal or access_request.",
)
REASON = click.option("--reason", required=True, metavar="WORDS", help="Why, in words.")
OF_CASE = click.option("--case", metavar="CASE", help="Of this case only.")


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


@click.command(
    epilog="\b\nExample:\n  inconcert review export --case g1a2b3c4d5 --out case.jsonl "
    '--purpose audit --reason "Yearly audit, letter of 3 May."'
)
@OF_CASE
@click.option(
    "--out", required=True, metavar="FILE", type=click.Path(path_type=Path), help="A new file."
)
@PURPOSE
@REASON
@queue_option
def export(queue: Queue, case: str | None, out: Path, purpose: str, reason: str) -> None:
    """Write the log's events to a file, as JSON Lines.

    Personal words are in it for auditors, seniors and operators only. That it was exported, by
    whom and what for, is recorded before anything is written; for marketing it is refused.
    """
    from review.privacy import export as write

    key = queue.find(case) if case else None
    done = write(queue.store, queue.person, out, purpose=purpose, reason=reason, case=key)
    words = "with" if done.with_words else "without"
    click.echo(f"{done.events:,} events up to event {done.until:,} are in {out}, {words} words.")


@click.command(
    epilog="\b\nExample:\n  inconcert review reveal --candidates accounts.txt "
    '--purpose court --reason "Order 17/26 of the district court."'
)
@click.option(
    "--candidates",
    required=True,
    type=click.File("rb"),
    metavar="FILE",
    help="Account ids as the platform writes them, one a line.",
)
@OF_CASE
@PURPOSE
@REASON
@FORMAT
@queue_option
def reveal(
    queue: Queue, candidates: BinaryIO, case: str | None, purpose: str, reason: str, form: str
) -> None:
    """Tell which of given accounts are members of cases, in a store that masks accounts.

    For auditors, seniors and operators. How many were asked about and how many matched is
    recorded, not which.
    """
    from functools import partial

    from inconcert.accounts import as_kept
    from review.privacy import read_candidates
    from review.privacy import reveal as match

    found = match(
        queue.store,
        queue.person,
        read_candidates(candidates.read(), partial(as_kept, queue.store)),
        purpose=purpose,
        reason=reason,
        case=queue.find(case) if case else None,
    )
    if form == "json":
        print_json(found)
        return
    for one in found:
        click.echo(f"{one['account']}  {one['masked']}  {', '.join(one['cases'])}")
    if not found:
        click.echo("None of them is a member of a case.")


@click.command(
    epilog="\b\nExamples:\n"
    '  inconcert review erase --case g1a2b3c4d5 --reason "Request of 4 May, article 17."\n'
    '  inconcert review erase --event 118 --reason "It names a bystander."'
)
@click.option("--case", metavar="CASE", help="All words of this case.")
@click.option("--event", "events", multiple=True, type=int, metavar="NUMBER", help="Repeatable.")
@REASON
@queue_option
def erase(queue: Queue, case: str | None, events: tuple[int, ...], reason: str) -> None:
    """Erase personal words: comments, reasons, answers. For operators.

    The chain has their digests only, so the log stays whole; that they were erased is an event.
    """
    from review.privacy import erase as erase_words

    if bool(case) == bool(events):
        raise click.UsageError("Name a case, or events.")
    key = queue.find(case) if case else None
    gone = erase_words(queue.store, queue.person, reason=reason, case=key, events=events)
    click.echo(f"The words of {len(gone):,} events are erased." if gone else "No words are left.")


@click.command(epilog="\b\nExample:\n  inconcert review retain")
@queue_option
def retain(queue: Queue) -> None:
    """Erase the words of cases that have been closed longer than the policy keeps them.

    For operators, now and then. Nothing of an open case; doing it again changes nothing.
    """
    from review.privacy import retain as keep

    days = queue.policy.retention_days
    cases, events = keep(queue.store, queue.person, days)
    click.echo(
        f"{cases:,} cases have been closed for more than {days:,} days: the words of {events:,} "
        "events are erased."
    )


COMMANDS = (verify, export, reveal, erase, retain)
