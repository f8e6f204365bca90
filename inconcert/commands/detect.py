"""`inconcert detect`: find the groups that cross a line together."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import click

from graph.errors import InconcertError, UserError
from inconcert.asking import LINE, by_policy_in_force, by_settings_in_force, make_request
from inconcert.manners import Manners, store_option

EXAMPLE = """\b
Examples:
  inconcert detect                          all detectors, fused, at 5 %
  inconcert detect --line 3% --line 5%      two lines in one pass
  inconcert detect flow --format json       one detector, as JSON
  inconcert detect whale                    the plain per-account check
  inconcert detect --keep kept              a little sooner the next time, same result
"""


@click.command(epilog=EXAMPLE)
@click.argument("detectors", nargs=-1, metavar="[DETECTOR]...")
@click.option(
    "--line",
    "lines",
    type=LINE,
    multiple=True,
    help="5% or 0.05.  [default: by the policy in force, else 5%]",
)
@click.option("--as-of", metavar="TIME", help="Facts up to then.  [default: the latest fact]")
@click.option("--known-at", type=int, metavar="BATCH", help="As known when this batch was last.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--permutations", type=click.IntRange(0, 100_000), default=99, show_default=True)
@click.option(
    "--keep",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Take over from this folder what still holds of the last detection, and keep it there for "
    "the next. The result is the same.",
)
@click.option("--no-save", is_flag=True, help="Do not keep the run in the store.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
@click.option("--engine", type=click.Choice(["local", "spark"]), default="local", show_default=True)
@store_option
def command(
    manners: Manners,
    detectors: tuple[str, ...],
    lines: tuple[Fraction, ...],
    as_of: str | None,
    known_at: int | None,
    seed: int,
    permutations: int,
    folder: Path | None,
    no_save: bool,
    form: str,
    engine: str,
) -> None:
    """Find groups whose holdings cross a line together.

    DETECTOR is one or more of: clique, flow, funding, funnel, identifier, links, lockstep,
    onset, provenance, referral, refund, relay (evidence, fused when several run), whale (who is
    over the line alone). None named: all evidence, fused.

    The answer is on stdout; a run is kept in the store (see `inconcert runs`, `show`,
    `plot`) unless --no-save. Exit 0 with or without findings.
    """
    if engine == "spark":
        raise click.UsageError("The Spark engine is not part of this version; use --engine local.")
    request = make_request(detectors, lines, as_of, known_at, seed, permutations)
    store = manners.open()
    request = by_settings_in_force(request, store)
    if not lines:
        request = by_policy_in_force(request, store)
    from detectors.engine.detect import detect
    from detectors.engine.record import save
    from detectors.kept import NOTHING_KEPT
    from inconcert.keeping import kept_in

    kept = kept_in(folder, store, request) if folder else NOTHING_KEPT

    with manners.progress("detect") as advance:
        store.refuse_damaged()  # reading a flipped bit gives another fact, and no error
        detection = detect(store, request, lambda stage: advance(note=stage), kept)
    result = detection.result
    unsaved: Exception | None = None
    if not no_save:
        try:
            save(store, detection)
        except (InconcertError, OSError) as error:
            unsaved = error  # the answer is worth more than its record: print it first
    for account in detection.snapshot.negative[:5]:
        click.echo(f"{account} would hold less than nothing; it counts 0.", err=True)
    if (more := len(detection.snapshot.negative) - 5) > 0:
        click.echo(f"{more} more would hold less than nothing; they count 0.", err=True)
    if form == "json":
        import json

        json.dump(result, sys.stdout, ensure_ascii=False, indent=1)
        click.echo()
    elif form == "csv":
        from reports.findings_csv import write_csv

        write_csv(result, sys.stdout)
    else:
        from reports.findings_text import all_findings, show

        show(all_findings(result))
    if unsaved is not None:
        raise UserError(
            f"The answer is printed, but the run could not be kept: {unsaved}",
            "--no-save does not try.",
        )
