"""What a holder answers, and what a holder may be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from inconcert.commands.review.common import CASE, FORMAT, SEEN, print_json, queue_option

if TYPE_CHECKING:
    from inconcert.reviewing import Queue
    from review.appeal_file import Appeal


@click.command(
    epilog="\b\nExamples:\n  inconcert review appeal g1a2b3c4d5 answer.toml\n"
    '  inconcert review appeal g1a2b3c4d5 --outcome upheld --words "The receipts are genuine."'
)
@CASE
@click.argument("file", required=False, type=click.Path(allow_dash=True, dir_okay=False))
@click.option("--outcome", type=click.Choice(["upheld", "rejected"]), help="What comes of it.")
@click.option("--words", metavar="WORDS", help="Why.")
@click.option("--account", metavar="ACCOUNT", help="Whose appeal, where several are open.")
@SEEN
@FORMAT
@queue_option
def appeal(
    queue: Queue,
    case: str,
    file: str | None,
    outcome: str | None,
    words: str | None,
    account: str | None,
    seen: int | None,
    form: str,
) -> None:
    """Take a holder's answer into a case, or say what comes of it.

    FILE (TOML or JSON) has the holder's receipts, corrected holdings and explanation: what they
    change is worked out as of then and known then, before and after side by side. A receipt is
    used once. To uphold an appeal against what two people confirmed takes two people.
    """
    if (file is None) == (outcome is None):
        raise click.UsageError("Name a FILE with an appeal, or an --outcome of the open one.")
    key = queue.find(case)
    if outcome is not None:
        _answer(queue, key, outcome, words or "", account, seen, form)
        return
    if words or account or seen is not None:
        raise click.UsageError("--words, --account and --seen go with --outcome.")
    from inconcert.asking import request_of
    from review.appeals import enter

    document = enter(queue.store, queue.person, key, _read(str(file)), request_of)
    if form == "json":
        print_json(document)
        return
    from reports.holder_page import comparison, show

    show(comparison(document))


def _read(file: str) -> Appeal:
    """The appeal of a file; `-` is standard input."""
    from graph.errors import UserError
    from review.appeal_file import parse

    name = "standard input" if file == "-" else file
    try:
        with click.open_file(file, "rb") as opened:
            text = opened.read().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{name} is not text in UTF-8.") from None
    return parse(text, name)


def _answer(
    queue: Queue,
    key: str,
    outcome: str,
    words: str,
    account: str | None,
    seen: int | None,
    form: str,
) -> None:
    from inconcert.accounts import as_kept
    from review.appeals import answer

    whose = as_kept(queue.store, account) if account else None
    answered = queue.act(
        lambda desk: answer(
            desk,
            queue.person,
            key,
            outcome,
            words,
            fingerprint=queue.fingerprint,
            account=whose,
            seen=seen,
        )
    )
    if form == "json":
        print_json(answered)
        return
    from reports.holder_page import answered_text

    click.echo(answered_text(key, answered))


@click.command(
    "holder-page",
    epilog="\b\nExamples:\n  inconcert review holder-page g1a2b3c4d5 --account u0016273\n"
    "  inconcert review holder-page g1a2b3c4d5 --account u0016273 --out page.txt",
)
@CASE
@click.option("--account", required=True, metavar="ACCOUNT", help="Who is to be told.")
@click.option("--out", type=click.Path(dir_okay=False), metavar="FILE", help="Write it to a file.")
@FORMAT
@queue_option
def holder_page(queue: Queue, case: str, account: str, out: str | None, form: str) -> None:
    """Say what one holder may be told: their own figures, the rule, the reasons, how to appeal.

    No other member is named, nor any identifier. That it was printed is recorded.
    """
    from inconcert.accounts import as_kept
    from review.holder import holder_page as page_of
    from review.holder import told

    key, whose = queue.find(case), as_kept(queue.store, account)
    page = page_of(queue.store, queue.policy, key, whose)
    queue.act(lambda desk: told(desk, queue.person, key, whose))
    if out:
        _write(out, page, form)
    elif form == "json":
        print_json(page)
    else:
        from reports.holder_page import page_text, show

        show(page_text(page))


def _write(out: str, page: dict[str, Any], form: str) -> None:
    """A page into a file of its user alone, also where there was one that others could read."""
    import json
    import os
    import stat
    from pathlib import Path

    from graph.errors import UserError

    if form == "json":
        text = json.dumps(page, ensure_ascii=False, indent=1) + "\n"
    else:
        from reports.holder_page import as_text, page_text

        text = as_text(page_text(page))
    try:
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                os.fchmod(file.fileno(), 0o600)
                file.truncate(0)
            file.write(text)
    except OSError as error:
        raise UserError(f"{Path(out)} cannot be written: {error.strerror}.") from None


COMMANDS = (appeal, holder_page)
