"""`inconcert groups`: the groups of a run."""

from __future__ import annotations

import json

import click

from inconcert.asking import find_summary
from inconcert.manners import Manners, say, store_option

EXAMPLE = "\b\nExample:\n  inconcert groups\n  inconcert groups --run last --format json"


@click.command(epilog=EXAMPLE)
@click.option("--run", metavar="RUN", help="A run's id.  [default: the last one]")
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@store_option
def command(manners: Manners, run: str | None, form: str) -> None:
    """List the groups that a run found; of a pruned run what its summary says of them."""
    store = manners.open()
    chosen = find_summary(store, run)
    if chosen.pruned:
        say(f"Run {chosen.id} was pruned: this summary of its groups is all that is left.")
    result = chosen.result if chosen.pruned else store.run(chosen.id).result
    if form == "json":
        click.echo(json.dumps(result["groups"], ensure_ascii=False, indent=1))
        return
    from reports.findings_text import findings, show, summaries

    show(summaries(result) if chosen.pruned else findings(result))
