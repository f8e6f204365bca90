"""What people do with a case: claim, move, decide, second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from inconcert.commands.review.common import CASE, SEEN, WORDS, queue_option, say_case

if TYPE_CHECKING:
    from graph.log import Doc
    from inconcert.reviewing import Queue


@click.command(epilog="\b\nExample:\n  inconcert review claim g1a2b3c4d5")
@click.argument("cases", nargs=-1, required=True, metavar="CASE…")
@queue_option
def claim(queue: Queue, cases: tuple[str, ...]) -> None:
    """Take cases that nobody has. Of several people at once exactly one gets each.

    Several cases are taken all, or none.
    """
    from review import desk as at

    _all_or_none(queue, cases, partial(at.claim, person=queue.person))


@click.command(epilog="\b\nExample:\n  inconcert review assign g1a2b3c4d5 --to bob")
@click.argument("cases", nargs=-1, required=True, metavar="CASE…")
@click.option("--to", required=True, metavar="USER", help="Whose it becomes.")
@SEEN
@queue_option
def assign(queue: Queue, cases: tuple[str, ...], to: str, seen: int | None) -> None:
    """Give cases to somebody, all or none. To take one from another needs a senior."""
    from review import desk as at

    _all_or_none(queue, cases, partial(at.assign, person=queue.person, to=to, seen=seen))


@click.command(
    epilog="\b\nExamples:\n  inconcert review move g1a2b3c4d5 in_review\n"
    "  inconcert review move g1a2b3c4d5 awaiting_holder"
)
@click.argument("cases", nargs=-1, required=True, metavar="CASE…")
@click.argument("state")
@SEEN
@queue_option
def move(queue: Queue, cases: tuple[str, ...], state: str, seen: int | None) -> None:
    """Move cases to another state: triaged, in_review, awaiting_holder.

    Several at once is bulk triage: review move CASE CASE … triaged. All move, or none.
    """
    from review import desk as at

    step = partial(at.move, person=queue.person, to=state, policy=queue.policy, seen=seen)
    _all_or_none(queue, cases, step)


def _all_or_none(queue: Queue, names: Sequence[str], step: Callable[..., Doc]) -> None:
    """Do a step with several cases, in one transaction."""
    keys = list(dict.fromkeys(map(queue.find, names)))
    for case in queue.act(lambda desk: [step(desk, key=key) for key in keys]):
        say_case(case)


@click.command(epilog="\b\nExample:\n  inconcert review snooze g1a2b3c4d5 --until 2026-07-01")
@CASE
@click.option("--until", required=True, metavar="TIME", help="Until when it rests.")
@SEEN
@queue_option
def snooze(queue: Queue, case: str, until: str, seen: int | None) -> None:
    """Put a case aside. Not while a freeze is in force: its clock does not stop."""
    from graph.clock import parse_time
    from review import desk as at

    moment, key = parse_time(until), queue.find(case)
    say_case(queue.act(lambda desk: at.snooze(desk, queue.person, key, moment, seen)))


@click.command(
    epilog='\b\nExample:\n  inconcert review comment g1a2b3c4d5 --words "Asked for receipts."'
)
@CASE
@click.option("--words", required=True, metavar="WORDS", help="What is to be said.")
@queue_option
def comment(queue: Queue, case: str, words: str) -> None:
    """Say something about a case. Words are personal: they can be erased."""
    from review import desk as at

    key = queue.find(case)
    say_case(queue.act(lambda desk: at.comment(desk, queue.person, key, words)))


@click.command(
    epilog="\b\nExamples:\n"
    '  inconcert review decide g1a2b3c4d5 confirmed --words "They move as one; see the waves."\n'
    "  inconcert review decide g1a2b3c4d5 refuted --reason household\n"
    "  inconcert review decide g1a2b3c4d5 duplicate --of g9f8e7d6c5"
)
@CASE
@click.argument("verdict")
@click.option("--reason", metavar="REASON", help="Why it is refuted: household, payroll, gift, …")
@WORDS
@click.option("--of", metavar="CASE", help="The case that this one doubles.")
@click.option(
    "--exclude", multiple=True, metavar="ACCOUNT", help="Nothing is ordered against it. Repeatable."
)
@SEEN
@queue_option
def decide(
    queue: Queue,
    case: str,
    verdict: str,
    reason: str | None,
    words: str | None,
    of: str | None,
    exclude: tuple[str, ...],
    seen: int | None,
) -> None:
    """Decide a case: confirmed, refuted, inconclusive or duplicate.

    To confirm it, or to declare accounts unrelated, is a proposal to a second person. A case is
    refuted for a reason of a list: household, venue, payroll, custodian, marketplace, team, otc,
    gift, charity, data, below, unrelated, other.
    """
    from inconcert.accounts import as_kept
    from review import desk as at

    key = queue.find(case)
    left_out = [as_kept(queue.store, account) for account in exclude]
    say_case(
        queue.act(
            lambda desk: at.decide(
                desk,
                queue.person,
                key,
                verdict,
                reason=reason,
                words=words,
                of=of,
                exclude=left_out,
                seen=seen,
                fingerprint=queue.fingerprint,
            )
        )
    )


@click.command(
    epilog="\b\nExamples:\n  inconcert review second g1a2b3c4d5 --agree\n"
    '  inconcert review second g1a2b3c4d5 --object --words "The device is a library\'s."'
)
@CASE
@click.option("--agree/--object", "agrees", default=None, help="Whether you agree.")
@WORDS
@SEEN
@queue_option
def second(
    queue: Queue, case: str, agrees: bool | None, words: str | None, seen: int | None
) -> None:
    """Agree to what another proposed, or object. Not to one's own, nor as a member of the group."""
    from review import desk as at

    if agrees is None:
        raise click.UsageError("Say --agree or --object.")
    key = queue.find(case)
    say_case(
        queue.act(
            lambda desk: at.second(
                desk,
                queue.person,
                key,
                agrees,
                words=words,
                seen=seen,
                fingerprint=queue.fingerprint,
            )
        )
    )


@click.command(
    epilog='\b\nExample:\n  inconcert review reopen g1a2b3c4d5 --words "New papers came."'
)
@CASE
@click.option("--words", required=True, metavar="WORDS", help="Why.")
@queue_option
def reopen(queue: Queue, case: str, words: str) -> None:
    """Open a closed case again. A run does so by itself where it changed materially."""
    from review import desk as at

    key = queue.find(case)
    say_case(queue.act(lambda desk: at.reopen(desk, queue.person, key, words)))


@click.command(
    epilog='\b\nExample:\n  inconcert review unfreeze g1a2b3c4d5 --words "Below the line."'
)
@CASE
@click.option("--words", required=True, metavar="WORDS", help="Why.")
@click.option(
    "--account", "accounts", multiple=True, metavar="ACCOUNT", help="Only this one. Repeatable."
)
@queue_option
def unfreeze(queue: Queue, case: str, words: str, accounts: tuple[str, ...]) -> None:
    """Order that what is frozen in a case is unfrozen, all or some accounts.

    Who is frozen for another case too stays frozen for that one.
    """
    from inconcert.accounts import as_kept
    from review import desk as at

    key = queue.find(case)
    kept = [as_kept(queue.store, account) for account in accounts] or None
    step = partial(at.lift, person=queue.person, key=key, words=words, accounts=kept)
    say_case(queue.act(partial(step, fingerprint=queue.fingerprint)))


COMMANDS = (claim, assign, move, snooze, comment, decide, second, reopen, unfreeze)
