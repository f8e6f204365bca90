"""`inconcert browser`: guides, saved queries and a style for Neo4j Browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graph.errors import UserError
from inconcert.manners import Manners, say, store_option

if TYPE_CHECKING:
    from cypher import Statement

LINES = """\
Type in Neo4j Browser:

  :style {base}style.grass
  :guide {base}guides/start.html    beside the results
  :play {base}guides/start.html     or among them

In the Browser that follows version 5:

  :guide {base}guides/start.adoc
"""


@click.group(epilog="\b\nExample:\n  inconcert browser serve")
def command() -> None:
    """Guides, saved queries and a style for Neo4j Browser."""


@command.command(epilog="\b\nExample:\n  inconcert browser serve --port 7475")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7475,
    show_default=True,
    help="The port on this machine; 0 takes a free one.",
)
@store_option
def serve(manners: Manners, port: int) -> None:
    """Serve guides, queries and style on this machine, and print the lines to type in Browser.

    Runs until Ctrl-C. Where the store's URL has a label prefix, the queries have it too.
    """
    from inconcert.browser.pages import pages
    from inconcert.browser.serve import PageServer

    prefix = _prefix(manners)
    with PageServer(port, manners.note) as server:
        server.pages = pages(server.base, prefix)
        click.echo(LINES.format(base=server.base))
        say("Serving until Ctrl-C.")
        server.serve_forever()


@command.command(epilog="\b\nExample:\n  inconcert browser queries")
def queries() -> None:
    """List the saved queries."""
    from rich.table import Table

    from cypher import names, statement
    from inconcert.browser.pages import sentence
    from reports.findings_text import WHOLE_WIDTH, show

    table = Table(box=None)
    for heading in ("query", "parameters", "about"):
        table.add_column(heading, overflow="fold")
    for name in names("explore"):
        query = statement(name)
        parameters = " ".join(line.split()[1] for line in query.examples)
        table.add_row(name.split("/")[1], parameters, sentence(query.about))
    show(table, pipe_width=WHOLE_WIDTH)


@command.command(epilog="\b\nExample:\n  inconcert browser query findings")
@click.argument("name")
@store_option
def query(manners: Manners, name: str) -> None:
    """Print one saved query, to paste it into Browser or cypher-shell."""
    click.echo(_saved(name, _prefix(manners)).text)


def _saved(name: str, prefix: str) -> Statement:
    import difflib

    from cypher import names, statement

    known = [path.split("/")[1] for path in names("explore")]
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean '{near[0]}'?" if near else "`inconcert browser queries` lists them."
        raise UserError(f"There is no saved query '{name}'.", hint)
    return statement(f"explore/{name}", prefix)


def _prefix(manners: Manners) -> str:
    """The label prefix in the store's URL; none for a store in a folder."""
    from graph.store import is_server

    if not is_server(manners.url):
        return ""
    from graph.neo4j.server import Address

    return Address.of(manners.url).prefix
