"""`inconcert runs`: the detections that the store remembers."""

from __future__ import annotations

import json

import click

from inconcert.manners import Manners, store_option

EXAMPLE = "\b\nExample:\n  inconcert runs"


@click.command(epilog=EXAMPLE)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(manners: Manners, form: str) -> None:
    """List the runs of this store, newest first."""
    from graph.clock import iso

    rows = [
        {
            "run": record.id,
            "created_at": iso(record.created_at),
            "as_of": record.result["run"]["as_of"],
            "detectors": record.result["run"]["detectors"],
            "lines": record.result["lines"],
            "groups": len(record.result["groups"]),
            "seconds": record.result["run"]["seconds"]["total"],
            "result_sha256": record.result["result_sha256"],
        }
        for record in manners.open().runs()
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
    for name in ("run", "as of", "detectors", "lines", "groups", "result"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            row["run"],
            row["as_of"][:19],
            "+".join(row["detectors"]),
            " ".join(f"{line:.4g}" for line in row["lines"]),
            str(row["groups"]),
            row["result_sha256"][:12],
        )
    show(table, pipe_width=WHOLE_WIDTH)
