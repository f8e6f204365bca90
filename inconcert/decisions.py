"""What people decided about findings: in the review queue, or elsewhere, from files.

One row a decision: `group` (the id of a group), `verdict` (confirmed or refuted), `at` (when),
`by` (whom), and if need be `run`: without it the newest whole run that has the group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import polars as pl

from detectors.engine.tune import Case, unweighted
from graph.clock import parse_time
from graph.errors import UserError
from graph.store import RunSummary, Store
from loaders.chunks import Chunk, Reader
from loaders.files import inputs
from review.cases import CASE

REQUIRED = ("group", "verdict", "at", "by")
VERDICTS = ("confirmed", "refuted")

DECISIONS = {
    "run": pl.String(),
    "group": pl.String(),
    "verdict": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "by": pl.String(),
    "place": pl.String(),
}
"""Columns of a frame of decisions. `run` may be null; `place` says where a row stands, for
messages."""


@dataclass
class Decided:
    """Decisions with the findings they are about."""

    cases: list[Case] = field(default_factory=list)
    pruned: int = 0
    """Decisions about runs of which only the summary is left: nothing to learn from."""
    alone: int = 0
    """Decisions about single accounts: no family speaks for these."""


def read_decisions(names: Sequence[str], input_format: str | None = None) -> pl.DataFrame:
    """Decisions from CSV, JSON Lines or Parquet files (`-`: standard input), as DECISIONS.

    UserError for a missing column, a row that cannot be read, another verdict, no time, an
    empty cell, and two verdicts about one group at one time.
    """
    with inputs(names, input_format) as readers:
        frames = [_checked(_rows(reader)) for reader in readers]
    decisions = pl.concat(frames)
    _refuse_contradictions(decisions)
    return decisions


def from_queue(store: Store) -> pl.DataFrame:
    """The decisions of the review queue about groups, as DECISIONS: of each closed case what was
    decided, confirmed or refuted, about the finding that it was about then."""
    rows = [
        (
            case["run"],
            case["group"],
            case["decision"]["verdict"],
            parse_time(case["decision"]["at"]),
            case["decision"]["by"],
            f"case {key}",
        )
        for key, case in store.log.views(CASE).items()
        if case["on"] == "group" and case.get("decision", {}).get("verdict") in VERDICTS
    ]
    return pl.DataFrame(rows, DECISIONS, orient="row")


def _rows(reader: Reader) -> pl.DataFrame:
    """A file's rows as text: REQUIRED, `run`, `place`."""
    present = reader.columns()
    if missing := [name for name in REQUIRED if name not in present]:
        raise UserError(
            f"'{reader.name}' has no column '{missing[0]}'.",
            f"Decisions need {', '.join(REQUIRED)}; run is optional.",
        )
    wanted = [name for name in (*REQUIRED, "run") if name in present]
    parts = [_named(chunk, wanted) for chunk in reader.chunks(wanted)]
    empty = pl.DataFrame(schema=dict.fromkeys((*REQUIRED, "run", "place"), pl.String()))
    return pl.concat([empty, *parts])


def _named(chunk: Chunk, wanted: Sequence[str]) -> pl.DataFrame:
    if len(chunk.refused):
        bad = chunk.refused.row(0, named=True)
        raise UserError(f"'{chunk.file}', row {bad['row']}: {bad['reason']}.")
    texts = chunk.frame.select(pl.col(name).cast(pl.String).str.strip_chars() for name in wanted)
    run = pl.col("run").replace("", None) if "run" in wanted else pl.lit(None, pl.String)
    place = pl.format("'{}', row {}", pl.lit(chunk.file), chunk.rows)
    return texts.with_columns(run=run, place=place).select(*REQUIRED, "run", "place")


def _checked(rows: pl.DataFrame) -> pl.DataFrame:
    times = []
    for row in rows.iter_rows(named=True):  # people decide one by one: there are not many
        for name in REQUIRED:
            if not row[name]:
                raise UserError(f"{row['place']}: {name} is empty.")
        if row["verdict"] not in VERDICTS:
            raise UserError(
                f"{row['place']}: the verdict '{row['verdict']}' is neither confirmed nor refuted.",
                "Leave out what is not decided.",
            )
        try:
            times.append(parse_time(row["at"]))
        except UserError as error:
            raise UserError(f"{row['place']}: {error.sentence}", error.hint) from None
    return rows.with_columns(at=pl.Series("at", times, DECISIONS["at"])).select(
        pl.col(name).cast(of) for name, of in DECISIONS.items()
    )


def _refuse_contradictions(decisions: pl.DataFrame) -> None:
    said = decisions.group_by("group", "at", maintain_order=True).agg(
        pl.col("verdict").n_unique(), pl.col("place")
    )
    for row in said.filter(pl.col("verdict") > 1).iter_rows(named=True):
        raise UserError(
            f"{row['place'][-1]} says of group '{row['group']}' the contrary of "
            f"{row['place'][0]}, at the same time."
        )


def find_cases(store: Store, decisions: pl.DataFrame) -> Decided:
    """The findings that decisions are about, with their evidence.

    `decisions`: as DECISIONS. UserError for a run or a group that the store does not have.
    """
    runs = store.runs()
    found = Decided()
    wanted: dict[str, list[dict[str, Any]]] = {}
    for row in decisions.iter_rows(named=True):
        run = _run_of(runs, row)
        if run.pruned:
            found.pruned += 1
        else:
            wanted.setdefault(run.id, []).append(row)
    for run_id in sorted(wanted):  # one run at a time: each is large
        result = store.run(run_id).result
        groups = {group["id"]: group for group in result["groups"]}
        for row in wanted[run_id]:
            group = groups[row["group"]]
            if len(group["members"]) > 1:
                found.cases.append(_case(result, group, row))
            else:
                found.alone += 1
    return found


def _run_of(runs: Sequence[RunSummary], row: Mapping[str, Any]) -> RunSummary:
    """The run that a decision means: the newest that has the group, a whole one first."""
    named = [run for run in runs if row["run"] in (None, run.id)]
    if not named:
        raise UserError(
            f"{row['place']}: the store has no run '{row['run']}'.", "`inconcert runs` lists them."
        )
    having = [
        run for run in named if any(group["id"] == row["group"] for group in run.result["groups"])
    ]
    if not having:
        where = f"run {row['run']}" if row["run"] else "any run of the store"
        raise UserError(
            f"{row['place']}: there is no group '{row['group']}' in {where}.",
            "`inconcert groups --run RUN` lists the groups of a run.",
        )
    return next((run for run in having if not run.pruned), having[0])


def _case(result: Mapping[str, Any], group: Mapping[str, Any], row: Mapping[str, Any]) -> Case:
    supply = Fraction(result["supply"])
    return Case(
        run=result["run"]["id"],
        group=group["id"],
        confirmed=row["verdict"] == "confirmed",
        at=row["at"],
        by=row["by"],
        members=frozenset(member["account"] for member in group["members"]),
        share=Fraction(group["holdings"]) / supply if supply else Fraction(0),
        bits=unweighted(group, result["run"]["settings"].get("weights", {})),
    )
