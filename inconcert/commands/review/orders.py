"""Orders: what the platform is to carry out, and what it did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO

import click

from inconcert.commands.review.common import print_json, queue_option
from inconcert.manners import say

if TYPE_CHECKING:
    from graph.log import Doc
    from inconcert.reviewing import Queue


@click.command(
    epilog="\b\nExamples:\n"
    "  inconcert review orders > orders.jsonl\n"
    "  inconcert review orders --ack done.jsonl\n"
    "  inconcert review orders --send"
)
@click.option("--all", "answered", is_flag=True, help="Those that were acknowledged too.")
@click.option("--action", metavar="ACTION", help="Only these: freeze, unfreeze, letter, notice.")
@click.option("--case", metavar="CASE", help="Of this case only.")
@click.option(
    "--ack",
    type=click.File("rb"),
    metavar="FILE",
    help='Record what was carried out: lines {"key": …, "done": true}.',
)
@click.option("--send", is_flag=True, help="Post them to the webhook, those not sent yet.")
@click.option("--again", is_flag=True, help="With --send: those sent already too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "json", "table"]),
    default="jsonl",
    show_default=True,
)
@queue_option
def orders(
    queue: Queue,
    answered: bool,
    action: str | None,
    case: str | None,
    ack: BinaryIO | None,
    send: bool,
    again: bool,
    form: str,
) -> int:
    """Give out the orders that wait for an answer, oldest first, as JSON Lines.

    Each has a key: an order that comes twice is to be carried out once. --ack records what the
    platform did, all lines of a file or none; saying it again changes nothing. --send posts
    them, signed, to the webhook of the settings. A store that masks accounts gives out masked
    ids, which the platform resolves with its own key. That orders were given out is recorded.

    --send goes on where an order cannot be delivered, and says which at the end (exit code 4);
    later orders about the same account wait for it.
    """
    if ack and (send or answered or action or case):
        raise click.UsageError("--ack takes a file's answers; it goes with no other option.")
    if send and answered:
        raise click.UsageError("What was acknowledged is not sent again.")
    if again and not send:
        raise click.UsageError("--again goes with --send.")
    if ack:
        return _record(queue, ack)
    from review.looking import looked
    from review.outbox import given

    key = queue.find(case) if case else None
    found = given(
        queue.store.log.views("order").values(),
        answered=answered,
        action=_action(action),
        case=key,
    )
    if send:
        return _send(queue, [one for one in found if again or "sent" not in one])
    about = {"orders": len(found), "all": answered, "action": action, "case": key}
    queue.act(lambda desk: looked(desk, queue.person, "orders", **about))
    _print(found, answered, form)
    return 0


def _action(name: str | None) -> str | None:
    from graph.errors import UserError
    from review.policy_check import ACTIONS

    known = (*ACTIONS, "unfreeze")
    if name is not None and name not in known:
        raise UserError(f"No order says '{name}'.", f"There are {', '.join(known)}.")
    return name


def _print(found: list[Doc], answered: bool, form: str) -> None:
    from review.outbox import as_given

    if form == "table":
        from reports.orders_text import orders_table, show

        show(orders_table(found))
        return
    said = [as_given(order, became=answered) for order in found]
    if form == "json":
        print_json(said)
        return
    for order in said:
        click.echo(json.dumps(order, ensure_ascii=False))


def _record(queue: Queue, file: BinaryIO) -> int:
    from review.outbox import read_answers, record_answers

    answers = read_answers(file.read())
    new = queue.act(lambda desk: record_answers(desk, queue.person, answers))
    known = f", {len(answers) - new:,} known before" if new < len(answers) else ""
    click.echo(f"{len(answers):,} answers: {new:,} recorded{known}.")
    return 0


def _send(queue: Queue, found: list[Doc]) -> int:
    from graph.errors import UnreachableError
    from inconcert.settings import settings
    from review.webhook import hook_of, send

    hook = hook_of(settings().review)
    done = send(queue.store, queue.person, hook, found)
    for sentence in (*done.refused, *done.failed):
        say(sentence)
    counts = {
        "refused": len(done.refused),
        "not delivered": len(done.failed),
        "waiting behind one about the same account": len(done.waiting),
    }
    rest = len(found) - len(done.delivered) - sum(counts.values())
    counts["not tried after so many refusals"] = rest
    others = "".join(f", {count:,} {what}" for what, count in counts.items() if count)
    click.echo(f"{len(done.delivered):,} orders sent to {hook.host}{others}.")
    if done.failed:
        return UnreachableError.exit_code
    return 1 if done.refused else 0


COMMANDS = (orders,)
