"""Four published data sets through the command line: `make real`, or
`python -m inconcert.bench.real FOLDER`. Data are read in place and never copied.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import networkx as nx
import polars as pl

from graph import scratch
from graph.amount import plain
from graph.snapshot import Snapshot, snapshot
from graph.store import open_store
from inconcert.bench.stages import inconcert, run_stage

Row = tuple[str, str, str]
"""Data set, what was asked, what came out."""


def main(folder: Path) -> None:
    """Run every data set that the folder holds and print a table."""
    rows: list[Row] = []
    for name, run in SETS.items():
        if not (folder / name).is_dir():
            click.echo(f"{name}: not in {folder}, left out", err=True)
            continue
        click.echo(f"… {name}", err=True)
        with scratch.folder() as home:
            rows += [(name, asked, found) for asked, found in run(folder / name, home / "s")]
    from rich.table import Table

    from reports.findings_text import show

    table = Table("data", "asked", "found", box=None)
    for row in rows:
        table.add_row(*row)
    show(table)


def _command(store: Path, *arguments: str) -> Any:
    command = inconcert(*arguments, "--store", str(store), "--format", "json")
    return run_stage(" ".join(arguments[:2]), command).answer


def _init(store: Path, *arguments: str) -> None:
    run_stage("init", inconcert("store", "init", str(store), *arguments), parse=False)


def _taken(store: Path) -> Snapshot:
    return snapshot(open_store(str(store)))


def _loaded(answer: dict[str, Any]) -> str:
    return (
        f"{answer['loaded']:,} loaded, {answer['known']:,} known, {answer['conflicts']} conflicts, "
        f"{answer['quarantined']} quarantined"
    )


def _found(result: dict[str, Any]) -> str:
    """The groups of a result in a line each."""
    if not result["groups"]:
        return str(result["message"])
    return "; ".join(
        f"{group['line']:.3g}: {len(group['members'])} accounts, {group['share']:.4%}, "
        f"{group['grade']} ({'+'.join(group['detectors'])}, {group['strength_bits']:.0f} bits)"
        for group in result["groups"]
    )


def _cyberkongz(data: Path, store: Path) -> list[tuple[str, str]]:
    _init(store, "--holdings", "replayed")
    load = _command(
        store,
        "load",
        "transfers",
        str(data / "transfers.csv"),
        "--distinct",
        "--map",
        "src=from,dst=to,at=timestamp",
    )
    taken = _taken(store)
    held = taken.accounts["holdings"]
    largest = float(Fraction(held.max()) / Fraction(taken.supply))  # type: ignore[arg-type]
    result = _command(store, "detect", "--line", "3%", "--line", "4%", "--line", "5%")
    whales = _command(store, "detect", "whale", "--line", "3%")
    return [
        ("load --distinct", f"{_loaded(load)}, {load['self_transfers']} self-transfers"),
        (
            "holdings replayed",
            f"supply {plain(taken.supply)}, {(held > 0).sum():,} holders, largest "
            f"{largest:.4%}, below zero: {', '.join(taken.negative) or 'none'}",
        ),
        ("detect whale at 3 %", _found(whales)),
        ("detect at 3, 4, 5 %", _found(result)),
    ]


def _plasm(data: Path, store: Path) -> list[tuple[str, str]]:
    _init(store)
    holdings = _command(
        store,
        "load",
        "holdings",
        str(data / "accounts.csv"),
        "--map",
        "account=address,amount=balance_plm_wei",
        "--shift",
        "18",
    )
    referrals = _command(
        store,
        "load",
        "referrals",
        str(data / "referrals.csv"),
        "--map",
        "referrer=inviter,referred=invited",
    )
    taken = _taken(store)
    exact = sum(
        int(wei)
        for wei in pl.read_csv(data / "accounts.csv", infer_schema=False)["balance_plm_wei"]
    )
    whales = _command(store, "detect", "whale")
    result = _command(store, "detect", "--line", "5%")
    return [
        ("load holdings --shift 18", _loaded(holdings)),
        ("load referrals", _loaded(referrals)),
        ("wei exact", f"{Fraction(taken.supply) * 10**18 == exact} ({plain(taken.supply)})"),
        ("detect whale at 5 %", _found(whales)),
        ("referral components over 5 %", _referral_components(taken)),
        ("detect at 5 %", _found(result)),
    ]


def _referral_components(taken: Snapshot) -> str:
    """What referrals alone would join; a referral is no proof, so this is no finding."""
    pairs = taken.facts("referrals").select("referrer", "referred").collect()
    graph = nx.Graph(pairs.iter_rows())
    found = []
    for part in nx.connected_components(graph):
        held = taken.accounts["holdings"].gather(sorted(part))
        share = float(Fraction(held.sum()) / Fraction(taken.supply))
        most = float(Fraction(held.max()) / Fraction(taken.supply))  # type: ignore[arg-type]
        if share >= 0.05:
            found.append((share, len(part), most))
    itself = int((pairs["referrer"] == pairs["referred"]).sum())
    ends = {(a, b) for a, b in pairs.iter_rows() if a != b}
    mutual = sum((b, a) in ends for a, b in ends) // 2
    said = "; ".join(
        f"{accounts} accounts, {share:.2%}, largest member {most:.2%}"
        for share, accounts, most in sorted(found, reverse=True)
    )
    return f"{said}; kept: {itself} self-referral, {mutual} mutual"


def _amlsim(data: Path, store: Path) -> list[tuple[str, str]]:
    _init(store)
    transfers = _command(
        store,
        "load",
        "transfers",
        str(data / "transactions.csv"),
        "--map",
        "src=sourceNodeId,dst=targetNodeId,amount=value,at=time",
        "--time-unit",
        "step",
    )
    holdings = _command(
        store,
        "load",
        "holdings",
        str(data / "nodes.csv"),
        "--map",
        "account=nodeid,amount=init_balance",
    )
    result = _command(store, "detect", "--line", "1%", "--line", "5%")
    labels = pl.read_csv(data / "nodes.csv", infer_schema=False)
    fraud = set(labels.filter(pl.col("isFraud") == "1")["nodeid"])
    compared = "; ".join(
        f"{group['id']}: {sum(m['account'] in fraud for m in group['members'])} of "
        f"{len(group['members'])} labelled"
        for group in result["groups"]
    )
    return [
        ("load transfers, steps", f"{_loaded(transfers)}, {transfers['self_transfers']} self"),
        ("load holdings", _loaded(holdings)),
        ("detect at 1 and 5 %", _found(result)),
        (
            "against the fraud labels",
            (compared or "no group to compare")
            + f"; {len(fraud)} accounts are labelled, holding {_share_of(store, fraud):.2%}",
        ),
    ]


def _share_of(store: Path, accounts: set[str]) -> float:
    taken = _taken(store)
    held = taken.accounts.filter(pl.col("account").is_in(list(accounts)))["holdings"].sum()
    return float(Fraction(held) / Fraction(taken.supply))


def _safe(data: Path, store: Path) -> list[tuple[str, str]]:
    _init(store)
    holdings = _command(
        store,
        "load",
        "holdings",
        str(data / "safe_user_allocations_reworked_original.csv"),
        "--map",
        "account=safe_address,amount=tokens",
    )
    links = _command(
        store,
        "load",
        "links",
        str(data / "valid_reports.csv"),
        "--map",
        "a=safe_address,b=rewards_safe_address,verdict==same_owner",
    )
    taken = _taken(store)
    return [
        ("load holdings", _loaded(holdings)),
        ("load accepted reports as links", _loaded(links)),
        ("supply", f"{plain(taken.supply)}"),
        ("detect at 5 %", _found(_command(store, "detect"))),
        ("detect at 2.5 %", _found(_command(store, "detect", "--line", "2.5%"))),
    ]


SETS: dict[str, Callable[[Path, Path], list[tuple[str, str]]]] = {
    "cyberkongz": _cyberkongz,
    "plasm": _plasm,
    "amlsim": _amlsim,
    "safe": _safe,
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
