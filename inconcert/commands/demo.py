"""`inconcert demo`: a first look, without any data of one's own."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from graph.clock import now
from inconcert.manners import Manners, store_option

MOST_CASES = 10

EXAMPLE = "\b\nExample:\n  inconcert demo --out my-demo"


@click.command(epilog=EXAMPLE)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="The folder for files, store and plots.",
)
@store_option
def command(manners: Manners, out: Path) -> None:
    """Simulate a platform, load it, detect, and say what was found and what was missed.

    A simulated platform of 20,000 accounts with hidden groups and innocent crowds. Because
    it is simulated, the end compares the findings with the truth.
    """
    from inconcert.demo import ACCOUNTS, LINE, best_match, run_demo
    from reports.findings_text import all_findings, show
    from reports.queue_text import queue_table
    from review.clock import urgency

    url = manners.store_url or os.environ.get("INCONCERT_STORE")
    demo = run_demo(manners, out, url)
    line = f"{float(LINE):.0%}"
    click.echo(
        f"A simulated platform: {ACCOUNTS:,} accounts, {demo.counts['transfers.parquet']:,} "
        f"transfers, {len(demo.truth)} hidden groups and many innocent crowds.\n"
    )
    alone = len(demo.whales)
    click.echo(
        f"What a per-account check sees: {alone or 'no'} account{'' if alone == 1 else 's'} at or "
        f"over {line}. The largest, {demo.largest['account']}, holds {demo.largest['share']:.2%}.\n"
    )
    click.echo(f"What inconcert sees at {line}:\n")
    show(all_findings(demo.run.result, 5))
    click.echo("\nThe truth, known because the platform is simulated:\n")
    for group in demo.truth:
        jaccard, found = best_match(group["members"], demo.run)
        verdict = f"found as {found['id']}, overlap {jaccard:.0%}" if found else "not found"
        click.echo(
            f"  {group['kind']:<12} {len(group['members']):>4} accounts {group['share']:>7.2%}  "
            f"{verdict}"
        )
    for name, members in demo.crowds.items():
        jaccard, found = best_match(members, demo.run)
        said = f"shown as {found['grade']} {found['id']}" if found else "left alone"
        click.echo(f"  {name + ' (innocent)':<18} {len(members):>4} accounts  {said}")
    click.echo("\nThe review queue, where people decide:\n")
    moment = now()
    cases = sorted(demo.cases, key=urgency(demo.policy, moment))
    show(queue_table(cases[:MOST_CASES], moment, len(cases)))
    click.echo(f"\nPlots: {len(demo.plots)} in {out / 'plots'}, begin with {demo.plots[0]}")
    store = url or str(out / "store")
    if demo.run.result["groups"]:
        first = demo.run.result["groups"][0]["id"]
        click.echo(f"Next:  inconcert review list --store {shlex.quote(store)}")
        click.echo(f"Next:  inconcert show {first} --store {shlex.quote(store)}")
