"""What `inconcert tune` proposes, as text for a terminal or a pipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group as Stack
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.wording import bits_text, counted, percent

Answer = dict[str, Any]


def tuning(answer: Answer) -> RenderableType:
    """The proposal, what it would have changed, and what to do next."""
    return Stack(
        *_decisions(answer["decisions"]),
        *_families(answer),
        *_runs(answer["runs"]),
        *_replays(answer["replay"] or []),
        Text("The line", style="bold"),
        _indented(Text(answer["line"]["says"])),
        Text(""),
        *_next(answer),
    )


def _decisions(decisions: dict[str, int]) -> Iterator[RenderableType]:
    sides = f"{decisions['confirmed']} confirmed, {decisions['refuted']} refuted"
    yield Text(f"Decided findings: {sides}", style="bold")
    left_out = (
        ("replaced", "was followed by a later one about the same accounts"),
        ("of_pruned_runs", "is about a pruned run: its evidence is gone"),
        ("of_single_accounts", "is about a single account: no family speaks for it"),
    )
    for name, why in left_out:
        if decisions[name]:
            yield _indented(Text(f"left out: {counted(decisions[name], 'decision')}; each {why}"))
    yield Text("")


def _families(answer: Answer) -> Iterator[RenderableType]:
    if not answer["families"]:
        yield Text("No decision is about evidence: every weight stays as it is.")
        yield Text("")
        return
    table = _table("family", "in confirmed", "in refuted", "weight", "proposed")
    for row in answer["families"]:
        moved = row["weight"] != row["proposed"]
        table.add_row(
            row["family"],
            f"{row['confirmed']:.2f}",
            f"{row['refuted']:.2f}",
            f"{row['weight']:.2f}",
            Text(f"{row['proposed']:.2f}", style="bold" if moved else ""),
        )
    yield Text("What a bit of each family is worth", style="bold")
    yield _indented(table)
    yield _indented(
        Text("in confirmed, in refuted: the family's part of the evidence, summed over findings")
    )
    yield Text("")


def _runs(runs: list[dict[str, Any]]) -> Iterator[RenderableType]:
    if not runs:
        return
    below = [(run, group) for run in runs for group in run["below"]]
    findings = sum(run["findings"] for run in runs)
    yield Text(
        f"Past runs: {len(below)} of {counted(findings, 'finding')} in {counted(len(runs), 'run')} "
        "would fall below what they need",
        style="bold",
    )
    if below:
        table = _table("run", "group", "share", "grade", "decided", "bits", "would be", "needed")
        for run, group in below:
            table.add_row(
                run["run"],
                group["group"],
                percent(group["share"], group["line"]),
                group["grade"],
                group["verdict"] or "–",
                bits_text(group["strength_bits"]),
                bits_text(group["would_be_bits"]),
                bits_text(group["needed_bits"]),
            )
        yield _indented(table)
    yield Text("")


def _replays(replays: list[dict[str, Any]]) -> Iterator[RenderableType]:
    for one in replays:
        kinds = ("gone", "new", "members_changed", "grade_changed")
        counts = ", ".join(f"{len(one[kind])} {kind.replace('_', ' ')}" for kind in kinds)
        yield Text(
            f"Detected again: run {one['run']}, {counted(one['findings'], 'finding')}: {counts}",
            style="bold",
        )
        for kind in ("gone", "new"):
            for group in one[kind]:
                yield _indented(Text(f"{kind}: {_told(group)}"))
        for kind in ("members_changed", "grade_changed"):
            for pair in one[kind]:
                yield _indented(Text(f"before: {_told(pair['before'])}"))
                yield _indented(Text(f"after:  {_told(pair['after'])}"))
        yield Text("")


def _told(group: dict[str, Any]) -> str:
    share = percent(group["share"], group["line"])
    return (
        f"{group['id']}, {counted(group['members'], 'account')} with {share}, {group['grade']}, "
        f"{bits_text(group['strength_bits'])} bits"
    )


def _next(answer: Answer) -> Iterator[RenderableType]:
    adopted = answer["adopted"]
    moved = [row for row in answer["families"] if row["weight"] != row["proposed"]]
    if adopted:
        yield Text(
            f"Adopted as version {adopted['version']} of the settings of detection, in force for "
            f"facts as of {adopted['effective_from']} and later (inconcert.toml)."
        )
    elif not moved:
        yield Text("Nothing to adopt: the weights in force are those that decisions propose.")
    else:
        yield Text(
            "Nothing is changed. To put the proposed weights in force: the same command with "
            "--adopt --from TIME."
        )


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in columns:
        text = name in ("family", "run", "group", "grade", "decided")
        table.add_column(name, justify="left" if text else "right", overflow="fold")
    return table


def _indented(what: RenderableType) -> Padding:
    return Padding(what, (0, 0, 0, 2))
