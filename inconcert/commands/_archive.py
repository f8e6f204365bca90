"""`inconcert store archive` and `unarchive`: whole months of facts to a folder, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inconcert.manners import Manners, say, store_option

if TYPE_CHECKING:
    from graph.archive import Archived
    from graph.store import Store

FORMAT = click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")


@click.command(
    epilog="\b\nExample:\n  inconcert store archive --before 2026-01 --to ./platform-archive"
)
@click.option(
    "--before",
    required=True,
    metavar="YYYY-MM",
    help="The first month that stays.",
)
@click.option(
    "--to",
    "folder",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Where the archive is or is to be: a folder for each month.",
)
@FORMAT
@store_option
def archive(manners: Manners, before: str, folder: Path, form: str) -> None:
    """Move whole months of transfers, sightings, referrals and purchases to a folder.

    Each month is written, seen onto the disk and read back before anything of it is taken out
    of the store. What the accounts held stays known exactly, and facts that are delivered again
    are known again. Nothing goes that an open case needs. What was true before the horizon
    cannot be asked until the months are brought back.
    """
    from graph.archive import before_of
    from inconcert.reviewing import Queue
    from review.retention import record_moves, refuse_needed

    moment = before_of(before)
    queue = Queue.of(manners)
    store = queue.store
    try:
        with manners.progress("Archiving"):
            moved = store.archive(moment, folder, lambda month: refuse_needed(store, month))
    finally:
        record_moves(store, queue.person)
    if form == "json":
        click.echo(json.dumps(_answer(store, moved), indent=2))
        return
    for one in moved:
        click.echo(f"{one.month}: {_rows(one)} to {one.folder} ({one.sha256[:16]}…)")
    if not moved:
        click.echo(f"Nothing before {before} is in the store.")
        return
    say(_edge(store))


@click.command(
    epilog="\b\nExample:\n  inconcert store unarchive ./platform-archive/2025-12 "
    "./platform-archive/2025-11"
)
@click.argument(
    "places", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FOLDER/YYYY-MM…"
)
@FORMAT
@store_option
def unarchive(manners: Manners, places: tuple[Path, ...], form: str) -> None:
    """Bring archived months back into the store: later ones with, or before, earlier ones.

    Every file is checked against its digest first. The folders stay as they are.
    """
    from inconcert.reviewing import Queue
    from review.retention import record_moves

    queue = Queue.of(manners)
    store = queue.store
    record_moves(store, queue.person)
    try:
        with manners.progress("Bringing back"):
            back = store.unarchive(places)
    finally:
        record_moves(store, queue.person)
    if form == "json":
        click.echo(json.dumps(_answer(store, back), indent=2))
        return
    for one in back:
        click.echo(f"{one.month}: {_rows(one)} back from {one.folder}")
    say(_edge(store))


def _edge(store: Store) -> str:
    from graph.archive import horizon

    edge = horizon(store.archived())
    if edge is None:
        return "Nothing is archived any more."
    return f"The horizon is {edge:%Y-%m-%d}: what happened before is in the archive."


def _rows(one: Archived) -> str:
    return ", ".join(f"{rows:,} {kind}" for kind, rows in one.rows.items())


def _answer(store: Store, months: Sequence[Archived]) -> dict[str, Any]:
    from graph.archive import summary

    return {"months": [summary(one) for one in months], "horizon": _horizon(store)}


def _horizon(store: Store) -> str | None:
    from graph.archive import horizon
    from graph.clock import iso

    edge = horizon(store.archived())
    return iso(edge) if edge else None


def archive_of(store: Store) -> dict[str, Any] | None:
    """What `store info` says of the archive; None where nothing is archived."""
    from graph.archive import summary

    months = store.archived()
    if not months:
        return None
    return {"horizon": _horizon(store), "months": [summary(one) for one in months]}
