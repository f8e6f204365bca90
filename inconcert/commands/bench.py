"""`inconcert bench`: how fast, and how right."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import click

from graph import scratch
from graph.errors import UserError
from inconcert.manners import Manners, say

if TYPE_CHECKING:
    from rich.table import Table

    from inconcert.bench.accuracy import Plan


@click.group(epilog="\b\nExample:\n  inconcert bench speed --accounts 100000 --transfers 1000000")
def command() -> None:
    """Measure speed and accuracy, each beside a yardstick in the same run."""


_JSON = click.option("--json", "path", type=click.Path(path_type=Path), help="Also write JSON.")


@command.command(
    epilog="\b\nExamples:\n  inconcert bench speed --accounts 100000 --transfers 1000000\n"
    "  inconcert bench speed --hub --accounts 1000000 --transfers 3000000\n"
    "  inconcert bench speed --increment --accounts 20000 --transfers 200000 --rounds 1\n"
    "  inconcert bench speed --night --accounts 20000 --transfers 200000"
)
@click.option("--accounts", type=int, default=1_000_000, show_default=True)
@click.option("--transfers", type=int, default=10_000_000, show_default=True)
@click.option("--hub", is_flag=True, help="Only this: what one account that all deal with costs.")
@click.option(
    "--increment", is_flag=True, help="Only this: a detection that takes over what was kept."
)
@click.option("--night", is_flag=True, help="Only this: a nightly refresh with 1 % new transfers.")
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="How often --increment measures both ways.",
)
@_JSON
@click.pass_obj
def speed(
    manners: Manners,
    accounts: int,
    transfers: int,
    hub: bool,
    increment: bool,
    night: bool,
    rounds: int,
    path: Path | None,
) -> None:
    """Simulate, load, detect at a size, each as a process; peak memory of each.

    The yardstick is merely reading the same input. The figures of the goals are for 2
    processors, 1 M accounts and 10 M transfers. Needs about 2 GB of disk for that size.

    With --hub the same world is looked at twice, with as many facts: as it is, and with one
    account that deals with all others, one device that all were seen with, and one referrer
    of half of them.

    With --increment a detection keeps what pays for the next one, the newest 1 % of transfers
    come, and the same facts are looked at from nothing and with what was kept.

    With --night a refresh takes in the newest 1 % of transfers: feeds, detection at the lines of
    the policy, queue, orders.
    """
    if night:
        _night(accounts, transfers, path)
        return
    if increment:
        _increment(accounts, transfers, rounds, path)
        return
    if hub:
        _hub(accounts, transfers, path)
        return
    from inconcert.bench.speed import bench_speed

    with scratch.folder() as folder:
        answer = bench_speed(folder, accounts, transfers, lambda name: say(f"… {name}"))
    _write(path, answer)
    _show_stages(answer)
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


def _hub(accounts: int, transfers: int, path: Path | None) -> None:
    """The case of one hub."""
    from inconcert.bench.hub import bench_hub

    if transfers < accounts:
        raise UserError(
            f"A hub of {accounts:,} accounts needs as many transfers, and {transfers:,} are asked "
            "for."
        )
    with scratch.folder() as folder:
        answer = bench_hub(folder, accounts, transfers, lambda name: say(f"… {name}"))
    _write(path, answer)
    _show_stages(answer)
    hub, seconds = answer["hub"], answer["detect_seconds"]
    click.echo(
        f"\nthe hub deals with {hub['counterparties']:,} accounts and brought in "
        f"{hub['brought_in']:,}; one device has {hub['holders']:,} holders; findings with the hub "
        f"in them: {answer['accused']}"
    )
    for name in seconds:
        stages = ", ".join(f"{stage} {took:.1f}" for stage, took in seconds[name].items())
        click.echo(f"detect, {name}, seconds by stage: {stages}")
    _say_targets(answer)


def _night(accounts: int, transfers: int, path: Path | None) -> None:
    """The case of a nightly refresh."""
    from inconcert.bench.night import bench_night

    with scratch.folder() as folder:
        answer = bench_night(folder, accounts, transfers, lambda name: say(f"… {name}"))
    _write(path, answer)
    _show_stages(answer)
    took = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in answer["seconds"].items())
    click.echo(f"\n{answer['new']:,} new transfers; a night's seconds by stage: {took}")
    _say_targets(answer)


def _increment(accounts: int, transfers: int, rounds: int, path: Path | None) -> None:
    """The case of 1 % new transfers."""
    from inconcert.bench.increment import bench_increment

    with scratch.folder() as folder:
        answer = bench_increment(folder, accounts, transfers, rounds, lambda name: say(f"… {name}"))
    _write(path, answer)
    _show_stages(answer)
    same = "the same result" if answer["same_result"] else "DIFFERENT RESULTS"
    click.echo(
        f"\n{answer['new']:,} new transfers; kept: {answer['kept_bytes'] / 1e6:,.0f} MB; {same} "
        "both ways"
    )
    for name, seconds in answer["detect_seconds"].items():
        stages = ", ".join(f"{stage} {took:.1f}" for stage, took in seconds.items())
        click.echo(f"detect, {name}, seconds by stage: {stages}")
    _say_targets(answer)


def _show_stages(answer: dict[str, Any]) -> None:
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


QUICK = {"worlds": 4, "empty": 4, "near": 0, "robustness": 0}
WHOLE = {"worlds": 26, "empty": 300, "near": 13, "robustness": 7}
"""How many worlds of each generator."""


@command.command(
    epilog="\b\nExamples:\n  inconcert bench accuracy --worlds 2 --empty 2\n"
    "  inconcert bench accuracy --full --report docs/accuracy.md --keep accuracy.jsonl"
)
@click.option("--worlds", type=click.IntRange(1), help="With groups.  [default: 4; --full: 26]")
@click.option("--empty", type=click.IntRange(0), help="Without.  [default: 4; --full: 300]")
@click.option("--near", type=click.IntRange(0), help="Near the line.  [default: 0; --full: 13]")
@click.option(
    "--robustness", type=click.IntRange(0), help="Changed, each way.  [default: 0; --full: 7]"
)
@click.option("--peers/--no-peers", default=None, help="Other methods too.  [default: --full]")
@click.option("--full", is_flag=True, help="All of it: some hours on 2 processors.")
@click.option("--accounts", type=click.IntRange(2000), default=20_000, show_default=True)
@click.option("--transfers", type=int, help="In each world.  [default: 12.5 an account]")
@click.option("--seed", type=int, default=7000, show_default=True, help="The first world's.")
@click.option(
    "--generator",
    "generators",
    multiple=True,
    type=click.Choice(["plain", "adversary"]),
    help="Only this one's worlds.  [default: both]",
)
@click.option(
    "--keep",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep what is measured, world by world, and take it up again from here.",
)
@click.option(
    "--report",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the answer as a page, such as docs/accuracy.md.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@_JSON
def accuracy(
    worlds: int | None,
    empty: int | None,
    near: int | None,
    robustness: int | None,
    peers: bool | None,
    full: bool,
    accounts: int,
    transfers: int | None,
    seed: int,
    generators: tuple[str, ...],
    keep: Path | None,
    page: Path | None,
    form: str,
    path: Path | None,
) -> None:
    """Find the hidden groups of simulated worlds; count what was found, missed, false.

    Numbers of worlds are for each of two generators: a plain one, and an adversary's, whose
    operators know that they are watched. Seeds from 7000 on were not used for tuning. --peers
    has other methods look at the same worlds, each at the best of its settings;
    --robustness takes facts away. The page docs/accuracy.md is the answer to --full.
    """
    from inconcert.bench.accuracy import Plan, bench_accuracy
    from inconcert.bench.accuracy.report import report

    _check_places(keep, page, path)
    asked = {"worlds": worlds, "empty": empty, "near": near, "robustness": robustness}
    usual = WHOLE if full else QUICK
    plan = Plan(
        accounts=accounts,
        transfers=transfers if transfers is not None else accounts * 25 // 2,
        seed=seed,
        **{name: usual[name] if count is None else count for name, count in asked.items()},
        peers=full if peers is None else peers,
        generators=generators or ("plain", "adversary"),
    )
    answer = bench_accuracy(plan, lambda name: say(f"… {name}"), keep)
    _write(path, answer)
    if page is not None:
        page.write_text(report(answer, _typed(plan, full, page)), encoding="utf-8")
    if form == "json":
        click.echo(json.dumps(answer, indent=1))
        return
    _show_accuracy(answer)


def _check_places(*files: Path | None) -> None:
    """UserError before hours of work, not after them."""
    for file in files:
        if file is not None and not file.absolute().parent.is_dir():
            raise UserError(f"There is no folder {file.parent} to write {file.name} into.")


def _typed(plan: Plan, full: bool, page: Path) -> str:
    """The command line that gives a plan; of a page that is elsewhere only its name."""
    here, where = Path.cwd(), page.absolute()
    told = where.relative_to(here) if where.is_relative_to(here) else where.name
    words = ["inconcert bench accuracy"] + (["--full"] if full else [])
    usual = WHOLE if full else QUICK
    counts = {name: getattr(plan, name) for name in usual}
    words += [f"--{name} {count}" for name, count in counts.items() if count != usual[name]]
    if plan.peers != full:
        words.append("--peers" if plan.peers else "--no-peers")
    if plan.accounts != 20_000:
        words.append(f"--accounts {plan.accounts}")
    if plan.transfers != plan.accounts * 25 // 2:
        words.append(f"--transfers {plan.transfers}")
    if plan.seed != 7000:
        words.append(f"--seed {plan.seed}")
    if len(plan.generators) == 1:
        words.append(f"--generator {plan.generators[0]}")
    return " ".join([*words, f"--report {told}"])


def _show_accuracy(answer: dict[str, Any]) -> None:
    from inconcert.bench.accuracy.tables import tables
    from reports.findings_text import show

    for one in tables(answer)[1:]:
        click.echo(f"\n{one.heading}. {one.words}")
        table = _table(*one.columns)
        for row in one.rows:
            table.add_row(*row)
        show(table)
    click.echo()
    _say_targets(answer)


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

    with scratch.folder() as folder:
        answer = bench_neo4j(
            folder, accounts, transfers, rounds, url, lambda name: say(f"… {name}")
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


@command.command(epilog="\b\nExample:\n  inconcert bench review --cases 1000 --events 20000")
@click.option("--cases", type=click.IntRange(1), default=10_000, show_default=True)
@click.option("--events", type=click.IntRange(1), default=1_000_000, show_default=True)
@_JSON
def review(cases: int, events: int, path: Path | None) -> None:
    """List, claim and verify with a long log, embedded.

    The yardsticks: a command that does nothing, a bare transaction of one row, and the digests
    of the same events alone.
    """
    from inconcert.bench.review import bench_review

    if events < cases:
        raise UserError(f"{cases:,} cases take {cases:,} events at least.")
    with scratch.folder() as folder:
        answer = bench_review(folder, cases, events, lambda name: say(f"… {name}"))
    _write(path, answer)
    click.echo(
        f"list {answer['list_seconds']:.2f} s, {answer['list_over_nothing']} x a command that does "
        "nothing"
    )
    click.echo(
        f"claim {1000 * answer['claim_seconds']:.1f} ms, {answer['claim_over_bare']} x a bare "
        "transaction"
    )
    click.echo(
        f"verify {answer['verify_seconds']:.1f} s, {answer['verify_over_digests']} x the digests "
        "alone"
    )
    for problem in answer["problems"]:
        click.echo(problem)
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
