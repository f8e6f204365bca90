"""`inconcert simulate`: a platform with hidden groups and innocent crowds, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inconcert.manners import Manners

if TYPE_CHECKING:
    from inconcert.simulate import World

EXAMPLE = """\b
Example:
  inconcert simulate --accounts 20000 --transfers 250000 --seed 1 --groups 6 --out world
  inconcert load transfers world/transfers.parquet
"""


@click.command(epilog=EXAMPLE)
@click.option("--accounts", default=20_000, show_default=True, help="Accounts, 500 or more.")
@click.option("--transfers", type=int, help="Transfers in all.  [default: 12 an account]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--days", default=60, show_default=True, help="Days, the last 2026-06-30.")
@click.option("--groups", type=int, help="Hidden groups, up to 11.  [default: by size, 3 or 6]")
@click.option("--kinds", metavar="A,B", help="Kinds of group, in rotation; a wrong one lists all.")
@click.option("--empty", is_flag=True, help="No group at all: innocents only.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A new folder for the files."
)
@click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.option("-v", "--verbose", is_flag=True, help="Progress and notes without a terminal.")
@click.pass_obj
def command(
    manners: Manners,
    /,
    accounts: int,
    transfers: int | None,
    seed: int,
    days: int,
    groups: int | None,
    kinds: str | None,
    empty: bool,
    out: Path,
    form: str,
    verbose: bool,
) -> None:
    """Simulate a platform: transfers, holdings and more as files to load, and the truth.

    Every hidden group holds over 5 % together and below 3 % in each member. Innocent crowds
    that look alike (a rich payroll, a club, households, exchanges) are in every world. The
    same numbers give the same world; truth.json says who belongs together.
    """
    from inconcert.simulate import check_directory, make_world, write_world

    if empty and (groups or kinds):
        raise click.UsageError("--empty means no groups: leave out --groups and --kinds.")
    manners.verbose = manners.verbose or verbose
    check_directory(out)
    total = 12 * accounts if transfers is None else transfers
    names = [kind.strip() for kind in kinds.split(",")] if kinds else []
    with manners.progress("Simulating", total) as advance:
        world = make_world(accounts, total, seed, days, 0 if empty else groups, names, advance)
        rows = write_world(world, out, advance)
    click.echo(_json(world, out, rows) if form == "json" else _table(world, out, rows))


def _json(world: World, out: Path, rows: dict[str, int]) -> str:
    groups = [
        {**entry, "members": len(entry["members"]), "holders": len(entry["holders"])}
        for entry in world.truth
    ]
    answer = {"out": str(out), "seed": world.platform.seed, "rows": rows, "groups": groups}
    return json.dumps(answer, indent=1)


def _table(world: World, out: Path, rows: dict[str, int]) -> str:
    lines = [
        f"{out}: {world.platform.calendar.days} days to 2026-06-30, seed {world.platform.seed}"
    ]
    lines += [f"  {file:<20} {count:>12,} rows" for file, count in rows.items()]
    if not world.truth:
        return "\n".join([*lines, "No hidden group: innocent crowds only (truth.json is empty)."])
    lines += ["", f"  {'group':<6} {'kind':<12} {'members':>8} {'together':>9}"]
    lines += [
        f"  {one['group']:<6} {one['kind']:<12} {len(one['members']):>8} {one['share']:>9.2%}"
        for one in world.truth
    ]
    return "\n".join([*lines, "", f"Who they are: {out / 'truth.json'}"])
