"""`python -m inconcert.devserver`: a Neo4j server in the foreground, to try things on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, SimpleQueue

import click

from graph import scratch
from graph.errors import InconcertError
from inconcert.devserver.install import prepare
from inconcert.devserver.server import Server, is_free, make_ready, start

USUAL_BOLT, USUAL_HTTP = 7687, 7474
PASSWORD = "NEO4J_PASSWORD"


@click.command(name="python -m inconcert.devserver")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    help="Where its data lie, and stay; without it they go at the end.",
)
@click.option(
    "--bolt", type=click.IntRange(1, 65535), help=f"Port; default {USUAL_BOLT}, or a free one."
)
@click.option(
    "--http",
    type=click.IntRange(1, 65535),
    help=f"Port of Browser; default {USUAL_HTTP}, or a free one.",
)
@click.option("--heap", default="512m", show_default=True, help="Memory of its Java.")
@click.option("--page-cache", default="256m", show_default=True, help="Memory for its files.")
@click.option("--prepare-only", is_flag=True, help="Fetch what a server needs and end.")
def main(
    folder: Path | None,
    bolt: int | None,
    http: int | None,
    heap: str,
    page_cache: str,
    prepare_only: bool,
) -> None:
    """Runs a real Neo4j Community server until Ctrl-C.

    It listens on this machine only and asks for no password, unless NEO4J_PASSWORD is set
    (8 characters or more): then it is that of the user neo4j.

    Example: python -m inconcert.devserver --dir build/neo4j
    """
    click.echo("Neo4j starts (the first time it is fetched: 140 MB) …", err=True)
    prepare()
    if prepare_only:
        make_ready()
        return
    with _place(folder) as home:
        server = start(
            home,
            bolt=bolt or _usual(USUAL_BOLT),
            http=http or _usual(USUAL_HTTP),
            password=os.environ.get(PASSWORD) or None,
            heap=heap,
            page_cache=page_cache,
            steady=True,
        )
        with server:
            server.wait_for_browser()
            ended = _on_signals()
            _say(server, folder)
            _wait(ended, server)


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with scratch.folder() as place:
        yield place


def _usual(port: int) -> int | None:
    """The port that everybody knows, where nobody has it."""
    return port if is_free(port) else None


def _say(server: Server, folder: Path | None) -> None:
    user = "no password" if server.password is None else f"user neo4j, password in {PASSWORD}"
    click.echo(f"Neo4j     {server.url}   ({user})")
    click.echo(f"Browser   {server.browser_url}")
    click.echo(f"Data      {'gone at the end' if folder is None else server.home}")
    click.echo(f"Try       inconcert demo --store {server.url}")
    click.echo("Stop      Ctrl-C")


def _on_signals() -> SimpleQueue[None]:
    """Filled by each signal to end."""
    ended: SimpleQueue[None] = SimpleQueue()  # an Event would wait for itself in a handler
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: ended.put(None))
    return ended


def _wait(ended: SimpleQueue[None], server: Server) -> None:
    while True:
        with contextlib.suppress(Empty):
            return ended.get(timeout=0.5)
        if server.pid is None:
            raise InconcertError(f"The server ended by itself; its logs are in {server.home}/logs.")


if __name__ == "__main__":
    try:
        main()
    except InconcertError as error:
        click.echo(f"inconcert: {error}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
