"""`inconcert bench`: how fast, and how right."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from inconcert.manners import Manners, say

if TYPE_CHECKING:
    from rich.table import Table


@click.group(epilog="\b\nExample:\n  inconcert bench speed --accounts 100000 --transfers 1000000")
def command() -> None:
    """Measure speed and accuracy, each beside a yardstick in the same run."""


_JSON = click.option("--json", "path", type=click.Path(path_type=Path), help="Also write JSON.")


@command.command(
    epilog="\b\nExample:\n  inconcert bench speed --accounts 100000 --transfers 1000000"
)
@click.option("--accounts", type=int, default=1_000_000, show_default=True)
@click.option("--transfers", type=int, default=10_000_000, show_default=True)
@_JSON
@click.pass_obj
def speed(manners: Manners, accounts: int, transfers: int, path: Path | None) -> None:
    """Simulate, load, detect at a size, each as a process; peak memory of each.

    The yardstick is merely reading the same input. The figures of the goals are for 2
    processors, 1 M accounts and 10 M transfers. Needs about 2 GB of disk for that size.
    """
    from inconcert.bench.speed import bench_speed

    with tempfile.TemporaryDirectory(prefix="inconcert-bench-") as folder:
        answer = bench_speed(Path(folder), accounts, transfers, lambda name: say(f"… {name}"))
    _write(path, answer)
    from reports.findings_text import show

    table = _table("stage", "seconds", "processor s", "peak MB")
    for one in answer["stages"]:
        table.add_row(
            one["name"],
            f"{one['seconds']:.2f}",
            f"{one['processor_seconds']:.2f}",
            f"{one['peak_mb']:.0f}",
        )
    show(table)
    inside = ", ".join(f"{name} {took:.1f}" for name, took in answer["detect_seconds"].items())
    click.echo(f"\ndetect, seconds by stage: {inside}")
    click.echo(
        f"against merely reading the transfers: load {answer['load_over_reading']} x, "
        f"detect {answer['detect_over_reading']} x"
    )
    plain = answer["networkx"]
    click.echo(
        f"networkx, components then sums, on {plain['transfers']:,} transfers: "
        f"{plain['seconds']} s, {plain['groups_over_5_percent']} component over 5 %, with "
        f"{plain['largest']['accounts'] if plain['largest'] else 0:,} accounts"
    )
    _say_targets(answer)


@command.command(epilog="\b\nExample:\n  inconcert bench accuracy --worlds 3 --empty 2")
@click.option("--worlds", type=click.IntRange(1), default=10, show_default=True)
@click.option("--empty", type=click.IntRange(0), default=5, show_default=True)
@click.option("--accounts", type=int, default=20_000, show_default=True)
@click.option("--transfers", type=int, default=250_000, show_default=True)
@click.option("--seed", type=int, default=3000, show_default=True, help="The first world's.")
@_JSON
@click.pass_obj
def accuracy(
    manners: Manners,
    worlds: int,
    empty: int,
    accounts: int,
    transfers: int,
    seed: int,
    path: Path | None,
) -> None:
    """Find the hidden groups of simulated worlds; count what was found, missed, false.

    Seeds from 3000 on were not used for tuning.
    """
    from inconcert.bench.accuracy import bench_accuracy

    seeds = range(seed, seed + worlds)
    answer = bench_accuracy(
        accounts, transfers, seeds, empty, lambda name: manners.note(f"… {name}")
    )
    _write(path, answer)
    click.echo(f"{'kind':<14}{'groups':>7}{'at 0.8':>8}{'at 0.5':>8}")
    for row in answer["kinds"]:
        click.echo(f"{row['kind']:<14}{row['groups']:>7}{row['at_0.8']:>8}{row['at_0.5']:>8}")
    for name, where in (("false", "worlds with groups"), ("false_in_empty_worlds", "empty worlds")):
        tally = ", ".join(f"{count} {grade}" for grade, count in answer[name].items())
        click.echo(f"false findings in {where}: {tally}")


@command.command(
    epilog="\b\nExamples:\n  inconcert bench neo4j\n"
    "  inconcert bench neo4j --accounts 2000 --transfers 20000 --rounds 1 --json speed.json\n"
    "  inconcert bench neo4j --store neo4j://localhost:7687"
)
@click.option(
    "--store",
    "url",
    metavar="URL",
    help="A server with an empty database.  [default: one that is started for it]",
)
@click.option("--accounts", type=click.IntRange(500), default=20_000, show_default=True)
@click.option("--transfers", type=click.IntRange(1), default=200_000, show_default=True)
@click.option(
    "--rounds", type=click.IntRange(1), default=3, show_default=True, help="Loads of each way."
)
@_JSON
def neo4j(url: str | None, accounts: int, transfers: int, rounds: int, path: Path | None) -> None:
    """Load, read and import transfers on a real Neo4j server, beside its bare driver.

    The yardsticks, in turn with the product: a plain driver that sends the same rows with
    the same statements; reading row by row; the packed queries alone; neo4j-admin on the
    same files. A ratio is the median of its rounds.

    The server is one of its own on free ports, thrown away afterwards (needs Java 17; Maven
    the first time), and about 4 minutes on 2 processors. With --store it is one that runs:
    its database must be empty, and what was measured is removed from it afterwards; bytes on
    disk and the import are left out, since they need the server's own folder.
    """
    from inconcert.bench.neo4j import bench_neo4j

    with tempfile.TemporaryDirectory(prefix="inconcert-bench-") as folder:
        answer = bench_neo4j(
            Path(folder), accounts, transfers, rounds, url, lambda name: say(f"… {name}")
        )
    _write(path, answer)
    from reports.findings_text import show

    table = _table("transfers", "seconds", "rows/s")
    for name, seconds in _ways(answer):
        table.add_row(name, f"{seconds:.2f}", f"{answer['transfers'] / seconds:,.0f}")
    show(table)
    if sizes := answer.get("bytes"):
        click.echo(
            f"\non disk, with indexes: {sizes['transfer']:,} bytes a transfer, "
            f"{sizes['account']:,} an account"
        )
    _say_targets(answer)


def _ways(answer: dict[str, Any]) -> list[tuple[str, float]]:
    """Each way that was measured, and the median of its seconds."""
    load, read, bulk = answer["load"], answer["read"], answer.get("bulk")
    ways = [
        ("load", load["product_seconds"]),
        ("  bare driver", load["bare_seconds"]),
        ("read into a frame", read["product_seconds"]),
        ("  packed queries alone", read["packed_seconds"]),
        ("  row by row", read["row_by_row_seconds"]),
    ]
    if bulk:
        ways += [
            ("bulk: write the files", bulk["export_seconds"]),
            ("  neo4j-admin", bulk["import_seconds"]),
            ("  the schema, afterwards", [bulk["schema_seconds"]]),
        ]
    return [(name, median(seconds)) for name, seconds in ways]


def _table(*columns: str) -> Table:
    """A table of names and figures."""
    from rich.table import Table

    table = Table(*columns, box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _say_targets(answer: dict[str, Any]) -> None:
    for target in answer["targets"]:
        met = "met" if target["met"] else "MISSED"
        click.echo(
            f"{met:>6}  {target['what']}: {target['measured']:,} (goal {target['target']:,})"
        )


def _write(path: Path | None, answer: dict[str, Any]) -> None:
    if path is not None:
        path.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
