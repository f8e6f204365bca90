"""`inconcert plot`: pictures of a group or of a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graph.errors import UserError
from inconcert.asking import find_group, find_run
from inconcert.manners import Manners, store_option

if TYPE_CHECKING:
    from graph.store import RunRecord, Store

EXAMPLE = (
    "\b\nExamples:\n"
    "  inconcert plot last --out plots\n"
    "  inconcert plot d73645 --out plots --format svg"
)


@click.command(epilog=EXAMPLE)
@click.argument("name", metavar="GROUP|RUN")
@click.option(
    "--out",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files go; made when absent.",
)
@click.option("--run", "run_name", metavar="RUN", help="Look for the group in this run only.")
@click.option(
    "--format", "ending", type=click.Choice(["png", "svg"]), default="png", show_default=True
)
@store_option
def command(manners: Manners, name: str, folder: Path, run_name: str | None, ending: str) -> None:
    """Draw a group or a run and print the paths of the files.

    GROUP is a group's id or the beginning of it, taken from the latest run that has it; RUN a
    run's id, the beginning of it, `last`, or `previous`.

    A group is drawn as crossing chart, graph, share without each member, and flows over time;
    a run as an overview of its groups, and every group.
    """
    from reports.plots import draw_group, draw_run, expected_files

    store = manners.open()
    run, group = _choose(store, name, run_name)
    if group is not None:
        with manners.progress("drawing"):
            paths = draw_group(store, run, group, folder, ending)
        if not paths:
            raise UserError(f"There is nothing to draw of group {group['id']}: no ties, no flows.")
    else:
        with manners.progress("drawing", expected_files(run)) as advance:
            paths = draw_run(store, run, folder, ending, advance)
    for path in paths:
        click.echo(path)


def _choose(
    store: Store, name: str, run_name: str | None
) -> tuple[RunRecord, dict[str, Any] | None]:
    """A run, or a group and the run that has it. Ids of runs begin with r, those of groups
    are hexadecimal."""
    if run_name is None and (name in ("last", "previous") or name.startswith("r")):
        return find_run(store, name), None
    return find_group(store, name, run_name)
