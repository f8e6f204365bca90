"""Saved runs in Neo4j: their JSON for the program, nodes and relationships for people.

A run is saved in one transaction, so a save that dies leaves nothing. What is drawn of it
(groups, members, the evidence that joins them) repeats its JSON and is never read back.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import neo4j
from neo4j.exceptions import ConstraintError

from graph.clock import parse_time
from graph.errors import UserError
from graph.neo4j.server import Server, TransactionTooLargeError
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
OF_MEMBER = ("account", "share", "share_without", "holdings")

LARGEST_INTEGER = 2**63 - 1


def save(server: Server, run: RunRecord) -> None:
    """Keep a run and make it the current one. UserError when its id is there already, or
    when the server has too little memory for it.

    A member that is no account of this store is in the JSON alone.
    """
    try:
        server.write(
            ("store/run_create", _run(run)),
            ("store/run_groups", {"run": run.id, "groups": _groups(run)}),
            ("store/run_parents", {"parents": _parents(run)}),
            ("store/run_members", {"members": _members(run)}),
            ("store/run_ties", {"run": run.id, "ties": _ties(run)}),
            ("store/run_current", {"run": run.id}),
        )
    except ConstraintError:
        raise UserError(f"Run {run.id} is saved already.") from None
    except TransactionTooLargeError:
        raise UserError(
            f"The server has too little memory to save run {run.id} in one transaction.",
            "Raise server.memory.heap.max_size or dbms.memory.transaction.total.max.",
        ) from None


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
    returns the ids of those it took from, newest first. Each run in a transaction of its own."""
    refuse_to_prune_all(keep)
    now = current(server)
    old = [one for one in summaries(server)[keep:] if not one.pruned and one != now]
    for one in old:
        summary = json.dumps(pruned_of(one).result)
        server.write(
            ("store/run_prune_ties", {"run": one.id}),
            ("store/run_prune_members", {"run": one.id}),
            ("store/run_prune", {"run": one.id, "summary": summary}),
        )
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
        "id": run.id,
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
            "bits": bits,
            "families": families[0] if families else [],
        }
        for group, detail in run.details.items()
        for one, other, bits, *families in sorted(detail.get("ties", []))
    ]


def _texts(said: list[Row] | None) -> list[str] | None:
    return None if said is None else [one["text"] for one in said]


def _key(run: RunRecord, group_id: str) -> str:
    return f"{run.id}/{group_id}"
