"""`inconcert simulate`: a platform with hidden groups and innocent crowds, as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from inconcert.manners import Manners

if TYPE_CHECKING:
    from inconcert.simulate import Week, World

EXAMPLE = """\b
Example:
  inconcert simulate --accounts 20000 --transfers 250000 --seed 1 --groups 6 --out world
  inconcert load transfers world/transfers.parquet
  inconcert simulate --world week --accounts 3000 --seed 1 --every 10 --out week
"""


USUAL = {"plain": (12, 60), "adversary": (15, 180), "week": (12, 7)}
"""Transfers an account, and days, where none are named."""

WEEK = 7
"""Days of a world that may be meant to be a week night by night: it is said how to get one."""

ACCOUNTS = ("members", "holders", "core")
"""What of the truth lists accounts."""

PART = click.FloatRange(0.0, 1.0, min_open=True, max_open=True)


@click.command(epilog=EXAMPLE)
@click.option(
    "--world",
    "maker",
    type=click.Choice(["plain", "adversary", "week"]),
    default="plain",
    show_default=True,
    help="Whose world: in an adversary's one the groups know that they are watched; "
    "a week is exported night by night.",
)
@click.option(
    "--accounts",
    default=20_000,
    show_default=True,
    help="Accounts, 500 (adversary: 2000, week: 1000) or more.",
)
@click.option("--transfers", type=int, help="Transfers in all.  [default: 12 or 15 an account]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--days",
    type=int,
    help="Days, the last 2026-06-30; a week has 60 more before.  [default: 60, 180 or 7]",
)
@click.option("--groups", type=int, help="Hidden groups, up to 11 or 8.  [default: by size]")
@click.option("--kinds", metavar="A,B", help="Kinds of group, in rotation; a wrong one lists all.")
@click.option(
    "--inside", type=PART, help="Adversary: part of members' transfers inside, 0.25 is a quarter."
)
@click.option(
    "--held", type=PART, help="Adversary: what each group holds of the supply, 0.047 is 4.7 %."
)
@click.option(
    "--every",
    type=click.IntRange(1, 1440),
    metavar="MINUTES",
    help="Week: cut each day's facts into files by when they were made.",
)
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
    maker: str,
    accounts: int,
    transfers: int | None,
    seed: int,
    days: int | None,
    groups: int | None,
    kinds: str | None,
    inside: float | None,
    held: float | None,
    every: int | None,
    empty: bool,
    out: Path,
    form: str,
    verbose: bool,
) -> None:
    """Simulate a platform: transfers, holdings and more as files to load, and the truth.

    Every hidden group holds over 5 % together and below 3 % in each member. Innocent crowds
    that look alike (a rich payroll, a club, households, exchanges) are in every world. The
    same numbers give the same world; truth.json says who belongs together, innocents.json
    which crowds only look so.

    A week (--world week) has one group that forms on day 3, is over 3 % then, over 4 % on day 4
    and over 5 % on day 5, and splits on day 6: a folder of history and one a day, each with
    a file `done` written last, as a nightly job finds them.
    """
    from inconcert.simulate import adversary, check_directory, make_world, write_world

    if empty and (groups or kinds):
        raise click.UsageError("--empty means no groups: leave out --groups and --kinds.")
    if maker != "adversary" and not (inside is None and held is None):
        raise click.UsageError("--inside and --held belong to --world adversary.")
    if maker == "week" and (empty or kinds or groups is not None):
        raise click.UsageError(
            "A week has one group of its own: leave out --groups, --kinds and --empty."
        )
    if maker != "week" and every is not None:
        raise click.UsageError("--every belongs to --world week.")
    manners.verbose = manners.verbose or verbose
    names = [kind.strip() for kind in kinds.split(",")] if kinds else []
    count = 0 if empty else groups
    usual, usual_days = USUAL[maker]
    total = usual * accounts if transfers is None else transfers
    span = usual_days if days is None else days
    if maker == "week":
        click.echo(_week(manners, (accounts, total, seed, span), out, every, form))
        return
    check_directory(out)
    with manners.progress("Simulating", total) as advance:
        if maker == "plain":
            world = make_world(accounts, total, seed, span, count, names, advance)
        else:
            world = adversary.make_world(
                accounts, total, seed, span, count, names, advance, inside=inside, held=held
            )
        rows = write_world(world, out, advance)
    click.echo(_json(world, out, rows) if form == "json" else _table(world, out, rows))


def _week(
    manners: Manners, numbers: tuple[int, int, int, int], out: Path, every: int | None, form: str
) -> str:
    """Makes and writes a week of so many accounts, transfers, seed, days; returns the answer."""
    from inconcert.simulate import check_week_directory, make_week, write_week

    check_week_directory(out)
    with manners.progress("Simulating", numbers[1]) as advance:
        week = make_week(*numbers, advance)
        rows = write_week(week, out, every, advance)
    return _week_json(week, out, rows) if form == "json" else _week_table(week, out, rows)


def _week_json(week: Week, out: Path, rows: dict[str, int]) -> str:
    answer = {"out": str(out), "seed": week.world.platform.seed, "rows": rows}
    return json.dumps({**answer, "groups": _counted(week.truth)}, indent=1)


def _week_table(week: Week, out: Path, rows: dict[str, int]) -> str:
    truth = week.truth[0]
    lines = [
        f"{out}: 60 days of history and {week.days.count} days to 2026-06-30, "
        f"seed {week.world.platform.seed}",
        f"  {len(rows)} files, {sum(rows.values()):,} rows",
        "",
        f"  group {truth['group']}, {truth['kind']}: {len(truth['members'])} members",
        f"  {'day':<4}{'date':<12}{'together':>9}  parts",
    ]
    for day in truth["days"]:
        parts = ", ".join(f"{len(p['members'])} with {p['share']:.2%}" for p in day["parts"])
        lines.append(
            f"  {day['day']:<4}{day['date']:<12}{day['share']:>9.2%}  {parts or 'none yet'}"
        )
    told = f"Who they are: {out / 'truth.json'}; who only looks so: innocents.json there."
    return "\n".join([*lines, "", told])


def _json(world: World, out: Path, rows: dict[str, int]) -> str:
    answer = {"out": str(out), "seed": world.platform.seed, "rows": rows}
    return json.dumps({**answer, "groups": _counted(world.truth)}, indent=1)


def _counted(truth: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The groups with the number of their members in place of these."""
    return [
        {key: len(part) if key in ACCOUNTS else part for key, part in entry.items()}
        for entry in truth
    ]


def _table(world: World, out: Path, rows: dict[str, int]) -> str:
    lines = [
        f"{out}: {world.platform.calendar.days} days to 2026-06-30, seed {world.platform.seed}"
    ]
    lines += [f"  {file:<20} {count:>12,} rows" for file, count in rows.items()]
    if world.platform.calendar.days == WEEK:
        lines += [
            "Facts of all days together. Night by night, with a group that forms, passes 4 and 5 %",
            "and splits: --world week.",
        ]
    if not world.truth:
        return "\n".join([*lines, "No hidden group: innocent crowds only (truth.json is empty)."])
    lines += ["", f"  {'group':<6} {'kind':<18} {'members':>8} {'together':>9}"]
    lines += [
        f"  {one['group']:<6} {one['kind']:<18} {len(one['members']):>8} {one['share']:>9.2%}"
        for one in world.truth
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"Who they are: {out / 'truth.json'}; who only looks so: innocents.json there.",
        ]
    )
