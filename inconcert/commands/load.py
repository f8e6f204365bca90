"""`inconcert load KIND FILE…`: one subcommand for each kind that `loaders.kinds` declares."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inconcert.manners import Manners, say, store_option
from loaders.fields import Source
from loaders.kinds import sources

if TYPE_CHECKING:
    from inconcert.bulk import Stage
    from loaders.load import Result
    from loaders.plan import Options

FORMATS = ("csv", "csv.gz", "parquet", "jsonl", "jsonl.gz")
_SOME_QUARANTINED = 3
_REASONS_SHOWN = 5


class Kinds(click.Group):
    """The kinds of fact as subcommands, in the order of their declaration files."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The kinds, by name."""
        return sorted(sources())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of a kind."""
        source = sources().get(cmd_name)
        return _subcommand(source) if source else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown kind names the nearest."""
        import difflib

        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in sources():
            near = difflib.get_close_matches(name, list(sources()), 1)
            hint = f"Did you mean '{near[0]}'?" if near else f"It knows {', '.join(sources())}."
            raise click.UsageError(f"There is no kind of fact '{name}'. {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=Kinds,
    epilog="\b\nExample:\n  inconcert load transfers transfers.csv --map src=from,dst=to",
)
def command() -> None:
    """Load facts from files (CSV, CSV.gz, Parquet, JSON Lines) into the store.

    A load is one numbered batch: all of it is seen at once, or nothing. Rows that cannot be
    read are listed in a quarantine file and the others are loaded (exit code 3).
    """


def _subcommand(source: Source) -> click.Command:
    def run(manners: Manners, files: tuple[str, ...], **options: Any) -> int:
        return _load(manners, source, files, options)

    function: Any = store_option(run)
    for option in reversed([*_COMMON, *(_STATING if source.states else ())]):
        function = option(function)
    function = click.argument("files", metavar="FILE...", nargs=-1, required=True)(function)
    return click.Command(
        source.kind,
        callback=function,
        params=list(reversed(function.__click_params__)),
        help=f"{source.help}\n\n\b\n{_columns(source)}",
        short_help=source.help,
        epilog=f"\b\nExample:\n  {source.example}",
    )


def _columns(source: Source) -> str:
    width = max(len(name) for name in source.names)
    lines = ["Columns (* required):"]
    lines += [
        f"{'*' if field.required else ' '} {field.name:<{width}}  {field.help}"
        for field in source.fields
    ]
    return "\n".join(lines)


_COMMON = (
    click.option(
        "--map",
        multiple=True,
        metavar="FIELD=COLUMN",
        help="Which column feeds a field: src=from,dst=to; a constant: kind==salary; several "
        "columns joined: id=tx_hash+token_id. Repeatable.",
    ),
    click.option("--source", metavar="NAME", help="Where the ids come from.  [default: the kind]"),
    click.option("--distinct", is_flag=True, help="Rows equal in all columns are one fact."),
    click.option("--dry-run", is_flag=True, help="Do all but store anything."),
    click.option(
        "--correct", is_flag=True, help="Rows whose id is known with other content supersede it."
    ),
    click.option("--lower", is_flag=True, help="Fold account ids to lower case."),
    click.option(
        "--shift",
        type=click.IntRange(0, 38),
        default=0,
        metavar="N",
        help="Move the point of amounts N places to the left (18: wei).",
    ),
    click.option(
        "--time-unit",
        type=click.Choice(["s", "ms", "us", "step"]),
        help="What plain numbers in times are: Unix seconds, milliseconds, microseconds, or "
        "steps, an order without dates.  [default: told by their size]",
    ),
    click.option(
        "--input-format",
        type=click.Choice(FORMATS),
        help="The files' format, where their ending does not tell it (- is standard input).",
    ),
    click.option(
        "--format", "form", type=click.Choice(["table", "json"]), default="table", help="Output."
    ),
    click.option(
        "--bulk",
        is_flag=True,
        help="A first load into a Neo4j server: staged in a folder, then imported by neo4j-admin "
        "while the server is stopped. Repeat it for each kind.",
    ),
    click.option(
        "--bulk-folder",
        type=click.Path(file_okay=False, path_type=Path),
        default="inconcert-bulk",
        show_default=True,
        metavar="FOLDER",
        help="Where --bulk stages.",
    ),
)

_STATING = (
    click.option("--at", metavar="TIME", help="The time of rows without one.  [default: now]"),
    click.option(
        "--complete",
        is_flag=True,
        help="The list is complete: accounts not listed hold 0 from its time.",
    ),
)


def _load(manners: Manners, source: Source, files: tuple[str, ...], options: dict[str, Any]) -> int:
    from loaders.files import inputs
    from loaders.load import load

    begun = time.perf_counter()
    form, input_format = options.pop("form"), options.pop("input_format")
    bulk, bulk_folder = options.pop("bulk"), options.pop("bulk_folder")
    wanted = _options(options)
    stage = _stage(manners, bulk_folder) if bulk else None
    store = stage.store if stage else manners.open()
    with inputs(files, input_format) as readers:
        total = sum(reader.size_bytes for reader in readers)
        with manners.progress(f"Loading {source.kind}", total) as progress:
            result = load(store, source, readers, wanted, say=say, progress=progress)
    seconds = time.perf_counter() - begun
    _say_refused(result)
    if form == "json":
        click.echo(json.dumps(_summary(result, seconds), indent=2))
    else:
        _print(source, result, seconds)
    if stage and result.batch is not None:
        _hand_over(manners, stage)
    refused = result.counts.conflicts + result.counts.quarantined
    return _SOME_QUARANTINED if refused else 0


def _stage(manners: Manners, folder: Path) -> Stage:
    from graph import clock
    from inconcert.bulk import open_stage

    clock.now()  # a wrong INCONCERT_NOW is said before any work
    return open_stage(manners.url, folder, say)


def _hand_over(manners: Manners, stage: Stage) -> None:
    from inconcert.bulk import hand_over

    total = sum(batch.counts.loaded for batch in stage.store.batches())
    with manners.progress("Writing the files of the import", total) as advance:
        hand_over(stage, say, lambda done, note: advance(done, note))


def _options(given: dict[str, Any]) -> Options:
    from graph.clock import parse_time
    from loaders.plan import Options

    at = given.pop("at", None)
    return Options(**given, at=parse_time(at) if at else None)


def _say_refused(result: Result) -> None:
    counts = result.counts
    refused = counts.conflicts + counts.quarantined
    if not refused:
        return
    common = sorted(result.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = "; ".join(f"{reason} ({count:,})" for reason, count in common[:_REASONS_SHOWN])
    more = "; …" if len(common) > _REASONS_SHOWN else ""
    rows = "row" if refused == 1 else "rows"
    where = f" See {result.quarantine_file}." if result.quarantine_file else ""
    say(f"{refused:,} {rows} refused: {shown}{more}.{where}")


def _summary(result: Result, seconds: float) -> dict[str, Any]:
    from graph.clock import iso

    counts = result.counts
    return {
        "batch": result.batch,
        "read": counts.read,
        "loaded": counts.loaded,
        "known": counts.known,
        "conflicts": counts.conflicts,
        "quarantined": counts.quarantined,
        "quarantine_file": result.quarantine_file,
        "seconds": round(seconds, 3),
        "self_transfers": result.self_transfers,
        "complete_at": [iso(moment) for moment in result.complete_at],
        "dry_run": result.batch is None,
        "reasons": result.reasons,
    }


def _print(source: Source, result: Result, seconds: float) -> None:
    counts = result.counts
    name = "Dry run, nothing stored" if result.batch is None else f"Batch {result.batch}"
    click.echo(
        f"{name}: {counts.read:,} {source.kind} read in {seconds:.1f} s: {counts.loaded:,} loaded, "
        f"{counts.known:,} known, {counts.conflicts:,} conflicts, "
        f"{counts.quarantined:,} quarantined."
    )
    if result.self_transfers:
        click.echo(f"{result.self_transfers:,} of them from an account to itself; kept.")
