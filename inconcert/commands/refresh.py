"""`inconcert refresh`: the day from the feeds into the queue, unattended."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from inconcert.manners import Manners, say, store_option

if TYPE_CHECKING:
    from graph.log import Doc
    from inconcert.refresh.work import Work

_SOME_QUARANTINED = 3

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
NUMBER = click.argument("number", metavar="REFRESH", type=int)
REASON = click.option("--reason", required=True, metavar="WORDS", help="Why, in words.")


@click.group(
    invoke_without_command=True,
    epilog="\b\nExamples:\n"
    "  inconcert refresh                     every night\n"
    "  inconcert refresh --increment         every ten minutes\n"
    "  inconcert refresh show 17             why is it held?\n"
    '  inconcert refresh release 17 --reason "The base was raised on 1 July, notice 12/26."',
)
@click.option("--increment", is_flag=True, help="What came in since; nothing new: leave at once.")
@FORMAT
@store_option
def command(manners: Manners, increment: bool, form: str) -> int | None:
    """Take in what the feeds have, detect, compare, fill the queue.

    Feeds are the [[feed]] tables of inconcert.toml, the rest is in [refresh]. What was stopped
    at any moment goes on where it stopped. One refresh at a time: another one says who is at it
    and leaves, with exit code 1; an increment with 0, for the next one takes in what came.

    Where something is so unlikely that it may be a fault of the facts, the refresh is held (exit
    code 5): nothing of it reaches the queue until a person releases it, and the last good result
    stays in view. Exit code 3: rows were refused; the others are in.
    """
    if (sub := click.get_current_context().invoked_subcommand) is not None:
        _refuse_before(sub, increment, form)
        return None
    from inconcert.refresh.held import AtWorkError
    from inconcert.refresh.run import refresh
    from review.refreshes import INCREMENT, NIGHTLY

    sort = INCREMENT if increment else NIGHTLY
    try:
        return _run(manners, form, f"refreshing ({sort})", lambda work: refresh(work, sort))
    except AtWorkError as other:
        if not increment:
            raise
        if form == "json":
            say(other.sentence)
        return _nothing(form, f"{other.sentence} The next increment takes in what came.")


@command.command("list", epilog="\b\nExample:\n  inconcert refresh list")
@click.option("--most", type=click.IntRange(1), default=20, show_default=True, metavar="N")
@FORMAT
@store_option
def list_(manners: Manners, most: int, form: str) -> None:
    """List the last refreshes, newest first."""
    from review.refreshes import newest

    found = newest(manners.open().log.view, most)
    if form == "json":
        _print_json(found)
        return
    if not found:
        click.echo("There was no refresh of this store.")
        return
    from reports.findings_text import show as print_table
    from reports.refresh_text import refreshes_table

    print_table(refreshes_table(found))


@command.command(epilog="\b\nExample:\n  inconcert refresh show 17")
@NUMBER
@FORMAT
@store_option
def show(manners: Manners, number: int, form: str) -> None:
    """Show a refresh: what it took in and found, what it is held for."""
    from review.refreshes import refresh_of

    store = manners.open()
    _tell(store, refresh_of(store.log.view, number), form)


@command.command(
    epilog='\b\nExample:\n  inconcert refresh release 17 --reason "It is right: notice 12/26."'
)
@NUMBER
@REASON
@FORMAT
@store_option
def release(manners: Manners, number: int, reason: str, form: str) -> int:
    """Go on with a refresh that is held: a person has looked at what it is held for.

    For seniors and operators; who released it, and why, is recorded.
    """
    from inconcert.refresh.run import release as go_on

    return _run(manners, form, "releasing", lambda work: go_on(work, number, reason))


@command.command(
    epilog='\b\nExample:\n  inconcert refresh drop 17 --reason "The export was cut off: batch 88."'
)
@NUMBER
@REASON
@FORMAT
@store_option
def drop(manners: Manners, number: int, reason: str, form: str) -> int:
    """Give up a refresh that is held or was stopped: it goes no further.

    Nothing of one that is held is in the queue. How far one had come that was stopped says
    `refresh show`: its cases and orders stay. What it loaded stays, too; `inconcert store withdraw
    BATCH` takes a wrong batch back. For seniors and operators; who gave it up, and why, is
    recorded.
    """
    from inconcert.refresh.run import drop as give_up

    return _run(manners, form, "dropping", lambda work: give_up(work, number, reason))


def _refuse_before(sub: str, increment: bool, form: str) -> None:
    """UsageError where an option stands before `list`, `show` …, which would not see it."""
    if increment:
        raise click.UsageError(f"--increment is not for `refresh {sub}`.")
    if form != "table":
        raise click.UsageError(f"--format is not for here: `refresh {sub} --format {form}`.")


def _run(manners: Manners, form: str, doing: str, do: Callable[[Work], Doc | None]) -> int:
    from inconcert.refresh.run import refreshing
    from inconcert.reviewing import Queue

    queue = Queue.of(manners)
    with manners.progress("refresh") as advance:
        tell = functools.partial(_told, advance)
        with refreshing(queue, tell, manners.note, doing) as work:
            try:
                done = do(work)
            finally:
                written = _write_figures(work)
    if done is None:
        code = _nothing(form, "Nothing new.") or _failed(_undelivered(work.undelivered))
    else:
        code = _tell(queue.store, done, form)
    return code if written else 1


def _write_figures(work: Work) -> bool:
    """Write them where they are asked for; False, said on stderr, where they cannot be. What the
    refresh itself ended with is not to be hidden by that."""
    from inconcert.refresh.metrics import write_metrics

    place = work.options.metrics
    if place is None:
        return True
    try:
        write_metrics(work.store, place)
    except OSError as error:
        say(f"The figures could not be written to {place}: {error.strerror}.", prefix="inconcert: ")
        return False
    return True


def _nothing(form: str, why: str) -> int:
    """Say that there was nothing to do."""
    if form == "json":
        _print_json(None)
    else:
        click.echo(why)
    return 0


def _told(advance: Callable[..., None], note: str) -> None:
    advance(note=note)


def _tell(store: Any, refresh: Doc, form: str) -> int:
    """Print a refresh; its exit code."""
    from review.refreshes import DELIVERY

    taken = [
        one for one in store.log.views(DELIVERY).values() if one["refresh"] == refresh["number"]
    ]
    if form == "json":
        _print_json({**refresh, "deliveries": taken})
    else:
        from reports.refresh_text import refresh_text

        click.echo(refresh_text(refresh, taken))
    if _failed(_failures(refresh["stages"])):
        return 1
    return _SOME_QUARANTINED if any(one["quarantined"] + one["conflicts"] for one in taken) else 0


def _failures(stages: Doc) -> Iterator[str]:
    """What did not work, though the refresh went to its end."""
    outs = {stage: done["out"] for stage, done in stages.items()}
    yield from _undelivered(outs.get("orders", {}).get("failed", 0))
    if why := outs.get("retention", {}).get("failed"):
        yield f"Old months were not archived: {why}"


def _undelivered(count: int) -> Iterator[str]:
    if count:
        yield f"{count:,} orders were not delivered; the next refresh tries again."


def _failed(sentences: Iterator[str]) -> int:
    """Say what did not work; the exit code."""
    said = list(sentences)
    for sentence in said:
        say(sentence)
    return int(bool(said))


def _print_json(answer: Any) -> None:
    import json

    click.echo(json.dumps(answer, ensure_ascii=False, indent=1))
