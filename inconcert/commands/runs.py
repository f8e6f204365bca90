"""`inconcert runs`: the detections that the store remembers, and how many it keeps whole."""

from __future__ import annotations

import json

import click

from inconcert.manners import Manners, store_option

EXAMPLE = "\b\nExamples:\n  inconcert runs\n  inconcert runs prune --keep 30"


@click.group(invoke_without_command=True, epilog=EXAMPLE)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(manners: Manners, form: str) -> None:
    """List the runs of this store, newest first."""
    if click.get_current_context().invoked_subcommand is None:
        _list(manners, form)


@command.command(epilog="\b\nExample:\n  inconcert runs prune --keep 30")
@click.option(
    "--keep", type=click.IntRange(1), required=True, metavar="N", help="How many stay whole."
)
@store_option
def prune(manners: Manners, keep: int) -> None:
    """Keep the newest runs whole and only the summary of each older one.

    A summary is what `runs` and `groups --run RUN` print: times, lines, supply, the digests of
    settings and result, and of each group id, share, holdings, grade and size. Members,
    reasons, doubts and what plots need are deleted for good; `detect --as-of --known-at` can
    compute them again from the facts.
    """
    gone = manners.open().prune_runs(keep)
    stay = "the newest run stays" if keep == 1 else f"the {keep} newest stay"
    if len(gone) == 1:
        click.echo(f"Pruned run {gone[0]}: its summary is left, {stay} whole.")
    elif gone:
        click.echo(
            f"Pruned {len(gone)} runs, {gone[-1]} to {gone[0]}: summaries are left, {stay} whole."
        )
    else:
        click.echo(f"Nothing to prune: {stay} whole, and no older run is whole.")


def _list(manners: Manners, form: str) -> None:
    from graph.clock import iso

    rows = [
        {
            "run": run.id,
            "created_at": iso(run.created_at),
            "as_of": run.result["run"]["as_of"],
            "detectors": run.result["run"]["detectors"],
            "lines": run.result["lines"],
            "groups": len(run.result["groups"]),
            "seconds": run.result["run"]["seconds"]["total"],
            "result_sha256": run.result["result_sha256"],
            "pruned": run.pruned,
        }
        for run in manners.open().runs()
    ]
    if form == "json":
        click.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        click.echo("No detection has been run on this store.")
        return
    from rich.table import Table

    from reports.findings_text import WHOLE_WIDTH, show

    table = Table(box=None)
    for name in ("run", "as of", "detectors", "lines", "groups", "result", "kept"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            row["run"],
            row["as_of"][:19],
            "+".join(row["detectors"]),
            " ".join(f"{line:.4g}" for line in row["lines"]),
            str(row["groups"]),
            row["result_sha256"][:12],
            "summary" if row["pruned"] else "whole",
        )
    show(table, pipe_width=WHOLE_WIDTH)
