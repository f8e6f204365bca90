"""Looking at the queue, and filling it: fill, list, show, tick, stats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inconcert.commands.review.common import CASE, FORMAT, print_json, queue_option

if TYPE_CHECKING:
    from graph.log import Doc
    from inconcert.reviewing import Queue


@click.command(epilog="\b\nExample:\n  inconcert review fill")
@click.option("--run", "name", metavar="RUN", help="Its id or how it begins.  [default: the last]")
@FORMAT
@queue_option
def fill(queue: Queue, name: str | None, form: str) -> None:
    """Take a run's findings into the queue: each begins a case or continues one.

    What the policy in force orders at once is ordered. A run is taken in once.
    """
    from inconcert.asking import find_run
    from inconcert.scoring import scores_of
    from review.intake import fill as take_in

    run = find_run(queue.store, name)
    filled = take_in(queue.store, queue.person, run, scores_of(queue.store, run))
    if form == "json":
        print_json({"run": run.id, "cases": dict(filled.cases), "orders": dict(filled.orders)})
        return
    from reports.queue_text import filled_text

    click.echo(filled_text(run.id, filled.cases, filled.orders))


@click.command(
    "list",
    epilog="\b\nExamples:\n  inconcert review list --level red --overdue\n"
    "  inconcert review list --mine --format json",
)
@click.option("--level", multiple=True, metavar="LEVEL", help="Of this level only. Repeatable.")
@click.option("--state", multiple=True, metavar="STATE", help="In this state only. Repeatable.")
@click.option("--mine", is_flag=True, help="My cases only.")
@click.option("--unassigned", is_flag=True, help="Cases that nobody has.")
@click.option("--overdue", is_flag=True, help="Cases whose review time is over.")
@click.option("--account", metavar="ACCOUNT", help="Cases with this member.")
@click.option("--all", "closed", is_flag=True, help="Closed cases too.")
@click.option("--most", type=click.IntRange(1), default=50, show_default=True, help="So many.")
@FORMAT
@queue_option
def list_(queue: Queue, closed: bool, most: int, form: str, **wanted: Any) -> None:
    """List the cases that wait, the most urgent first: overdue ones, then by due time.

    That somebody looked for an account is recorded, and whether it was found; not which.
    """
    from graph.clock import now
    from review.clock import urgency
    from review.looking import looked

    moment = now()
    found = [
        case
        for case in queue.cases()
        if (closed or wanted["state"] or case["state"] != "closed")
        and _is_wanted(queue, case, moment, **wanted)
    ]
    if wanted["account"]:
        found = _with_member(queue, found, wanted["account"])
        about = {"found": bool(found)}
        queue.act(lambda desk: looked(desk, queue.person, "the cases of an account", **about))
    found.sort(key=urgency(queue.policy, moment))
    if form == "json":
        print_json(found)
        return
    from reports.queue_text import queue_table, show

    show(queue_table(found[:most], moment, len(found)))


def _is_wanted(queue: Queue, case: Doc, moment: Any, **wanted: Any) -> bool:
    from graph.clock import parse_time

    due = case.get("due")
    return (
        (not wanted["level"] or case["level"] in wanted["level"])
        and (not wanted["state"] or case["state"] in wanted["state"])
        and (not wanted["mine"] or case["owner"] == queue.person.user)
        and (not wanted["unassigned"] or case["owner"] is None)
        and (not wanted["overdue"] or (due is not None and parse_time(due) <= moment))
    )


def _with_member(queue: Queue, cases: list[Doc], account: str) -> list[Doc]:
    from inconcert.accounts import as_kept

    wanted = as_kept(queue.store, account)
    members = queue.store.log.views("members")
    return [
        case
        for case in cases
        if any(one["account"] == wanted for one in members[case["id"]]["members"])
    ]


@click.command(epilog="\b\nExample:\n  inconcert review show g1a2b3c4d5")
@CASE
@click.option("--all-members", is_flag=True, help="All members, not the 20 largest.")
@FORMAT
@queue_option
def show(queue: Queue, case: str, all_members: bool, form: str) -> None:
    """Show a case: who, how much, why, what speaks against it, what happened, what is next.

    That it was looked at is recorded.
    """
    from review.desk import look
    from review.page import page_of

    key = queue.find(case)
    queue.act(lambda desk: look(desk, queue.person, key))
    page = page_of(queue.store, queue.policy, key)
    if form == "json":
        print_json(page)
        return
    from reports.queue_text import case_page
    from reports.queue_text import show as print_text

    print_text(case_page(page, None if all_members else 20))


@click.command(epilog="\b\nExample:\n  inconcert review tick")
@FORMAT
@queue_option
def tick(queue: Queue, form: str) -> None:
    """Record what time has brought about: warnings, expiries, cases that wake.

    At expiry the policy says what follows (default: unfreeze and escalate). To be run now and
    then; doing it again changes nothing.
    """
    from review.clock import tick as tick_cases

    done = tick_cases(queue.store, queue.person, queue.policy)
    if form == "json":
        print_json(done)
        return
    said = ", ".join(f"{count} {what}" for what, count in sorted(done.items()))
    click.echo(f"{said}." if said else "Nothing is due.")


@click.command(epilog="\b\nExample:\n  inconcert review stats")
@FORMAT
@queue_option
def stats(queue: Queue, form: str) -> None:
    """Count cases by state, level and verdict; how long decisions took; what is overdue."""
    from graph.clock import now
    from review.stats import stats_of

    answer = stats_of(queue.cases(), queue.store.log.views("order").values(), now())
    if form == "json":
        print_json(answer)
        return
    from reports.queue_text import show as print_text
    from reports.queue_text import stats_table

    print_text(stats_table(answer))


COMMANDS = (fill, list_, show, tick, stats)
