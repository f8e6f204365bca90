"""`inconcert store`: make a store, look at it, check it, keep it tidy, hide a wrong load."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graph.clock import iso
from graph.keys import at_hand, named_place
from graph.store import HOLDINGS_RULES
from inconcert.commands import _archive
from inconcert.manners import Manners, say, store_option

if TYPE_CHECKING:
    from rich.table import Table

    from graph.backup import Record
    from graph.store import Batch, CheckReport, Store


@click.group(epilog="\b\nExample:\n  inconcert store info")
def command() -> None:
    """Make, show, check and tidy the store of facts."""


@command.command(
    epilog="\b\nExample:\n  inconcert store init ./platform --holdings replayed --mask\n"
    "  inconcert store init neo4j://localhost:7687"
)
@click.argument("folder", metavar="[URL]", required=False)
@click.option("--mask", is_flag=True, help="Keep account ids as keyed digests only.")
@click.option(
    "--holdings",
    type=click.Choice(HOLDINGS_RULES),
    default="stated",
    show_default=True,
    help="What an account holds: as last stated; last stated plus net transfers since "
    "(rolled); or from transfers alone (replayed).",
)
@click.option(
    "--issuer",
    "issuers",
    multiple=True,
    metavar="ID",
    help="An account that issues: may go below 0, is left out of the base. Repeatable.",
)
@store_option
def init(
    manners: Manners, folder: str | None, mask: bool, holdings: str, issuers: tuple[str, ...]
) -> None:
    """Make a store in a new or empty folder, or in the empty database of a Neo4j server.

    What is set here is fixed for good. A server's constraints and indexes are made too, also
    for a store that `neo4j-admin database import` brought.
    """
    from graph.store import init_store

    url = folder or manners.url
    store = init_store(url, masked=mask, holdings_rule=holdings, issuers=issuers)
    for sentence in store.made:
        click.echo(sentence)
    kept = store.properties
    how = "masked account ids" if kept.masked else "account ids as they are written"
    click.echo(f"Made the store {store.url}: {how}, holdings {kept.holdings_rule}.")
    if at_hand(store.key_place):
        say(
            f"Its key is in {store.key_place}.",
            "Keep a copy apart from the store: when it is lost, rows without an id are no longer "
            "known again, and masked ids and identifiers can no longer be matched.",
        )
    else:
        say(_without_key(store))


@command.command(epilog="\b\nExample:\n  inconcert store info --format json")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@store_option
def info(manners: Manners, form: str) -> None:
    """Show what the store holds: its properties, batches, facts and sizes.

    Sizes are those of a store in a folder: a server does not tell its own (`bytes` is null).
    """
    summary = _summary(manners.open())
    if form == "json":
        click.echo(json.dumps(summary, indent=2))
    else:
        _print_summary(summary)


@command.command(epilog="\b\nExample:\n  inconcert store check --format json")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table")
@store_option
def check(manners: Manners, form: str) -> int:
    """Read everything: is all that was loaded there, whole, and once?

    Changes nothing. Exit code 1 when something is wrong. As JSON: `sound`, `facts` by kind
    (none when something is wrong), `problems` and `notes` as sentences.
    """
    with manners.progress("Checking"):
        store = manners.open()
        report = store.check()
    notes = report.notes if at_hand(store.key_place) else [*report.notes, _without_key(store)]
    if form == "json":
        click.echo(json.dumps(_verdict(store, report, notes), indent=2))
        return 1 if report.problems else 0
    for sentence in (*notes, *report.problems):
        say(sentence)
    if report.problems:
        return 1
    total = sum(report.facts.values())
    click.echo(f"The store is sound: {total:,} facts, each there once, as committed.")
    return 0


def _verdict(store: Store, report: CheckReport, notes: list[str]) -> dict[str, Any]:
    return {
        "store": store.url,
        "sound": not report.problems,
        "facts": report.facts,
        "problems": report.problems,
        "notes": notes,
    }


def _without_key(store: Store) -> str:
    return (
        f"The store's key is not in {store.key_place}: loads, and masked account ids, need it; "
        "looking does not."
    )


@command.command(epilog="\b\nExample:\n  inconcert store compact")
@store_option
def compact(manners: Manners) -> None:
    """Join small files into larger ones. No content changes; readers are not disturbed."""
    store = manners.open()
    with manners.progress("Compacting"):
        files = store.compact()
    for part, (before, after) in files.items():
        if before != after:
            click.echo(f"{part}: {before} files before, {after} after")
    if all(before == after for before, after in files.values()):
        click.echo("Nothing to join.")


@command.command(
    epilog="\b\nExample:\n  inconcert store withdraw 3\n  inconcert store withdraw 3 --undo"
)
@click.argument("batch", type=int)
@click.option("--undo", is_flag=True, help="Bring the batch back.")
@store_option
def withdraw(manners: Manners, batch: int, undo: bool) -> None:
    """Hide a wrong load from every command, as a fact of its own that can be undone."""
    store = manners.open()
    done = store.reinstate(batch) if undo else store.withdraw(batch)
    word = "brought back" if undo else "withdrawn"
    click.echo(f"Batch {batch} is {word} (recorded as batch {done.batch}).")


command.add_command(_archive.archive)
command.add_command(_archive.unarchive)


@command.command(epilog="\b\nExample:\n  inconcert store backup ./backup-2026-03-01")
@click.argument("folder", type=click.Path(path_type=Path))
@store_option
def backup(manners: Manners, folder: Path) -> None:
    """Write all that the store knows to a new folder, for `store restore`.

    It takes what is committed when it begins; loaders and readers go on meanwhile. The
    store's key is not in it: keep a copy of that apart.
    """
    from graph.backup_folder import write_backup

    store = manners.open()
    taken = store.backup()
    with manners.progress("Backing up", taken.record.rows) as advance:
        made = write_backup(taken, folder, lambda done, note: advance(done, note))
    click.echo(
        f"Backed up {_facts(taken.record)}, {made.rows('accounts/'):,} accounts and "
        f"{made.rows('runs'):,} runs as of batch {made.last_batch} to {folder}."
    )
    say(
        f"The store's key ({made.key_fingerprint}) is not in it.",
        f"Keep a copy of {store.key_place} apart." if at_hand(store.key_place) else None,
    )


def _facts(record: Record) -> str:
    """How many rows were taken, which are more than `store check` counts where some are
    superseded or withdrawn."""
    if any(load.has_revisions or load.withdrawn for load in record.loads()):
        return f"{record.rows:,} rows of facts (superseded and withdrawn ones too)"
    return f"{record.rows:,} facts"


@command.command(
    epilog="\b\nExample:\n  inconcert store restore ./backup-2026-03-01 --store ./platform "
    "--key ./platform.key"
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The key of the store that was backed up.  [default: INCONCERT_KEY_FILE]",
)
@store_option
def restore(manners: Manners, folder: Path, key_file: Path | None) -> None:
    """Fill a new store, of either home, from a back-up.

    Every file is checked first. Until the last step there is no store: one that was cut off
    is begun again by the same command.
    """
    from graph.backup import key_for
    from graph.backup import restore as fill
    from graph.backup_folder import FolderBackup
    from review.log import project

    with manners.progress("Checking") as advance:
        taken = FolderBackup.open(folder, lambda done, note: advance(note=note))
    key = key_for(taken.record.properties, key_file or named_place())
    with manners.progress("Restoring", taken.record.rows) as advance:
        store = fill(taken, key, manners.url, lambda done, note: advance(done, note), project)
    click.echo(
        f"Restored {_facts(taken.record)} as of batch {taken.manifest.last_batch} to {store.url}."
    )
    say(f"Its key is in {store.key_place}.")


@command.command(
    name="export-bulk",
    epilog="\b\nExample:\n  inconcert store export-bulk ./import-files --to neo4j://localhost:7687",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "server",
    metavar="URL",
    default="neo4j://localhost:7687",
    show_default=True,
    help="The server that will take it: its prefix of labels, if any, is in the files.",
)
@store_option
def export_bulk(manners: Manners, folder: Path, server: str) -> None:
    """Write all that the store knows as files for `neo4j-admin database import full`.

    The quick way into an empty Neo4j server. The command to run is printed, and is in the
    folder as `import.sh`.
    """
    from inconcert.bulk import command_line, export, next_steps, refuse_log

    store = manners.open()
    refuse_log(store)
    taken = store.backup()
    with manners.progress("Writing", taken.record.rows) as advance:
        words, key_place = export(
            store, taken, folder, server, lambda done, note: advance(done, note)
        )
    click.echo(command_line(folder, words))
    say(next_steps(folder, server, words))
    say(f"The store's key is in {key_place} too, where the server's store will look for it.")


def _summary(store: Store) -> dict[str, Any]:
    properties = store.properties
    return {
        "store": store.url,
        "properties": {
            "format": properties.format,
            "created": iso(properties.created),
            "masked": properties.masked,
            "holdings": properties.holdings_rule,
            "issuers": list(properties.issuers),
            "key_fingerprint": properties.key_fingerprint,
        },
        "facts": store.fact_counts(),
        "batches": [_batch(batch) for batch in store.batches()],
        "archive": _archive.archive_of(store),
        "uncommitted": store.unfinished(),
        "bytes": store.sizes() or None,
    }


def _batch(batch: Batch) -> dict[str, Any]:
    return {
        "batch": batch.batch,
        "action": batch.action,
        "kind": batch.kind,
        "source": batch.source,
        "target": batch.target,
        "loaded": batch.counts.loaded,
        "known": batch.counts.known,
        "conflicts": batch.counts.conflicts,
        "quarantined": batch.counts.quarantined,
        "committed": iso(batch.committed_at),
        "user": batch.user,
        "withdrawn": batch.withdrawn,
    }


def _print_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console

    # A pipe has no width; what is printed there must not be cut.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    for table in (
        _pairs("store", {"store": summary["store"], **summary["properties"]}),
        _pairs("facts", {kind: f"{count:,}" for kind, count in summary["facts"].items()}),
        _batch_table(summary["batches"]),
        _archive_table(summary["archive"]),
        _pairs("bytes", {part: f"{size:,}" for part, size in (summary["bytes"] or {}).items()}),
    ):
        if table.row_count:
            console.print(table)
            console.print()
    for batch in summary["uncommitted"]:
        console.print(f"Load {batch} is not committed: it is running, or was left by a dead one.")


def _pairs(title: str, values: dict[str, Any]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(title, "", box=box.SIMPLE_HEAD)
    for name, value in values.items():
        table.add_row(name, _text(value))
    return table


def _batch_table(batches: list[dict[str, Any]]) -> Table:
    from rich import box
    from rich.table import Table

    numbers = ("batch", "target", "loaded", "known", "conflicts", "quarantined")
    table = Table(box=box.SIMPLE_HEAD)
    for name in batches[0] if batches else ():
        table.add_column(name, justify="right" if name in numbers else "left")
    for batch in batches:
        table.add_row(*(_text(value) for value in batch.values()))
    return table


def _archive_table(archive: dict[str, Any] | None) -> Table:
    """The archived months; without rows where there is none."""
    from rich import box
    from rich.table import Table

    table = Table("archived", "rows", "folder", "digest", box=box.SIMPLE_HEAD)
    if archive is None:
        return table
    for one in archive["months"]:
        rows = ", ".join(f"{rows:,} {kind}" for kind, rows in one["rows"].items())
        table.add_row(one["month"], rows, one["folder"], one["sha256"][:16])
    table.add_row("horizon", archive["horizon"], "", "")
    return table


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
