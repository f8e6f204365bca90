"""Options that the commands of the queue share."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from inconcert.manners import Manners, store_option

FORMAT = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
CASE = click.argument("case")
SEEN = click.option(
    "--seen", type=int, metavar="VERSION", help="The version of the case that you act on."
)
WORDS = click.option("--words", metavar="WORDS", help="What is to be said about it.")


def queue_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command `--store`, `-v` and `--as`, and passes the queue as its first argument."""

    @store_option
    @click.option("--as", "acting_as", metavar="USER", help="For somebody else, as operator.")
    @functools.wraps(function)
    def wrapped(manners: Manners, /, *args: Any, acting_as: str | None, **kwargs: Any) -> Any:
        from inconcert.reviewing import Queue

        return function(Queue.of(manners, acting_as), *args, **kwargs)

    return wrapped


def print_json(answer: Any) -> None:
    """An answer for programs."""
    click.echo(json.dumps(answer, ensure_ascii=False, indent=1))


def say_case(case: dict[str, Any]) -> None:
    """What has become of a case, in one line."""
    owner = f", {case['owner']}'s" if case.get("owner") else ""
    click.echo(f"Case {case['id']} is {case['state']}{owner} (version {case['version']}).")
