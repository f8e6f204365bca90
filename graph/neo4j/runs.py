"""Saved runs in Neo4j: their JSON for the program, nodes and relationships for people.

What is drawn of a run (groups, members, the evidence that joins them) repeats its JSON and
is never read back. It is drafted first and becomes visible in one step at the end; the draft
of a save that died is cleared by a later one, once its time is over.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import neo4j
from neo4j.exceptions import ConstraintError

from graph.clock import parse_time
from graph.errors import UserError
from graph.neo4j.server import Server, Step
from graph.store import (
    RunRecord,
    RunSummary,
    pick_run,
    pruned_of,
    refuse_to_prune_all,
    summary_of,
)

Row = dict[str, Any]

OF_GROUP = (
    "id",
    "line",
    "share",
    "holdings",
    "strength_bits",
    "evidence_bits",
    "cost_bits",
    "p_value",
    "grade",
    "detectors",
)
OF_MEMBER = ("account", "share", "share_without", "holdings", "bits", "named")

LARGEST_INTEGER = 2**63 - 1

ROWS = 10_000
"""Members and ties at most in a transaction; a run of fewer is saved in a single one."""

DRAFT_SECONDS = 120
"""Without a sign of life for so long, the draft of a run is a dead one's."""


def save(server: Server, run: RunRecord) -> None:
    """Keep a run and make it the current one. UserError when its id is there already.

    A member that is no account of this store is in the JSON alone.
    """
    _clear_dead(server)
    members, ties = _members(run), _ties(run)
    alive = {"run": run.id, "seconds": DRAFT_SECONDS}
    steps: list[Step] = [
        ("store/run_begin", alive),
        ("store/run_groups", {"run": run.id, "groups": _groups(run)}),
        ("store/run_parents", {"parents": _parents(run)}),
        *(("store/run_members", {**alive, "members": part}) for part in _parts(members)),
        *(("store/run_ties", {**alive, "ties": part}) for part in _parts(ties)),
        ("store/run_finish", _run(run)),
    ]
    small = len(members) + len(ties) <= ROWS
    try:
        for at_once in [steps] if small else [[step] for step in steps]:
            rows = server.write(*at_once)
            if at_once[0] is steps[0] and not rows[0]:
                raise UserError(f"Run {run.id} is saved already.")
    except ConstraintError:
        raise _saved_by_another(server, run) from None
    if not rows[-1]:
        raise UserError(f"Saving run {run.id} took so long that its draft was given up.")


def _saved_by_another(server: Server, run: RunRecord) -> UserError:
    if server.read("store/run_read", id=run.id):
        return UserError(f"Run {run.id} is saved already.")
    return UserError(
        f"Run {run.id} is being saved by another process.",
        f"If that one died, try again in {DRAFT_SECONDS} seconds.",
    )


def _parts(rows: list[Row]) -> list[list[Row]]:
    return [rows[low : low + ROWS] for low in range(0, len(rows), ROWS)]


def _clear_dead(server: Server) -> None:
    """Clear what saves that died have left. Clearing that dies goes on with the next save."""
    [dead] = server.write(("store/run_dead", {}))
    for row in dead:
        server.outside("store/run_clear_ties", run=row["run"])
        server.outside("store/run_dead_members", draft=row["draft"])
        server.write(("store/run_dead_end", {"draft": row["draft"]}))


def summaries(server: Server, prefix: str = "") -> list[RunSummary]:
    """Saved runs whose id begins with `prefix`, newest first, without their details."""
    return [_summary(row) for row in server.read("store/runs", prefix=prefix)]


def current(server: Server) -> RunSummary | None:
    """The run that the store points to; None before the first."""
    return next((_summary(row) for row in server.read("store/run_now")), None)


def read(server: Server, id_or_prefix: str) -> RunRecord:
    """The run with this id, or the only one whose id begins so. UserError otherwise."""
    chosen = pick_run(summaries(server, id_or_prefix), id_or_prefix).id
    (row,) = server.read("store/run_read", id=chosen)
    return RunRecord(
        chosen,
        _moment(row["created_at"]),
        json.loads(row["result"] or row["summary"]),
        json.loads(row["details"] or "{}"),
    )


def prune(server: Server, keep: int) -> list[str]:
    """Take all but the summary from every run but the `keep` newest and the current one;
    returns the ids of those it took from, newest first. What it is stopped at, the next
    pruning goes on with."""
    refuse_to_prune_all(keep)
    now = current(server)
    old = [one for one in summaries(server)[keep:] if not one.pruned and one != now]
    for one in old:
        server.outside("store/run_clear_ties", run=one.id)
        server.outside("store/run_clear_members", run=one.id)
        summary = json.dumps(pruned_of(one).result)
        server.write(("store/run_prune", {"run": one.id, "summary": summary}))
    return [one.id for one in old]


def _summary(row: neo4j.Record) -> RunSummary:
    return RunSummary(row["id"], _moment(row["created_at"]), json.loads(row["summary"]))


def _moment(found: Any) -> datetime:
    moment: datetime = found.to_native()
    return moment.astimezone(UTC)


def _run(run: RunRecord) -> Row:
    result = run.result
    about = result.get("run", {})
    as_of, seed = about.get("as_of"), about.get("seed")
    return {
        "run": run.id,
        "created_at": run.created_at.astimezone(UTC),
        "as_of": parse_time(as_of) if as_of else None,
        "known_at": about.get("known_at"),
        "seed": str(seed) if seed and seed > LARGEST_INTEGER else seed,
        "supply": result.get("supply"),
        "lines": result.get("lines", []),
        "groups": len(result.get("groups", [])),
        "accounts": result.get("accounts"),
        "result_sha256": result.get("result_sha256"),
        "settings_sha256": about.get("settings_sha256"),
        "pruned": run.pruned,
        "summary": json.dumps(summary_of(run).result),
        "result": None if run.pruned else json.dumps(result),
        "details": None if run.pruned else json.dumps(run.details),
    }


def _groups(run: RunRecord) -> list[Row]:
    return [
        {
            **{name: group.get(name) for name in OF_GROUP},
            "key": _key(run, group["id"]),
            "reasons": _texts(group.get("reasons")),
            "doubts": _texts(group.get("doubts")),
            "size": group.get("size", len(group.get("members", []))),
        }
        for group in run.result.get("groups", [])
    ]


def _parents(run: RunRecord) -> list[Row]:
    return [
        {"key": _key(run, group["id"]), "parent": _key(run, group["parent"])}
        for group in run.result.get("groups", [])
        if group.get("parent")
    ]


def _members(run: RunRecord) -> list[Row]:
    return [
        {"key": _key(run, group["id"]), **{name: member.get(name) for name in OF_MEMBER}}
        for group in run.result.get("groups", [])
        for member in sorted(group.get("members", []), key=lambda member: str(member["account"]))
    ]


def _ties(run: RunRecord) -> list[Row]:
    """Of runs saved before ties named their families: none named."""
    return [
        {
            "group": group,
            "one": one,
            "other": other,
            "bits": round(bits, 3),
            "families": families[0] if families else [],
        }
        for group, detail in run.details.items()
        for one, other, bits, *families in sorted(detail.get("ties", []))
    ]


def _texts(said: list[Row] | None) -> list[str] | None:
    return None if said is None else [one["text"] for one in said]


def _key(run: RunRecord, group_id: str) -> str:
    return f"{run.id}/{group_id}"
