"""The constraints and indexes of a store, and whether a database has room for one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from cypher import LABELS, TYPES, names, statement
from graph.errors import UserError
from graph.neo4j.server import Server

INDEX_SECONDS = 4 * 3600
SHOWN = 8

_NAMED = re.compile(r"^CREATE (CONSTRAINT|INDEX) (\w+) .*\nFOR .*?:(\w+)", re.MULTILINE)


def refuse_foreign(server: Server) -> None:
    """UserError where the database holds something already; beside a prefix, only what has
    the labels or relationship types that the store would use."""
    [found] = server.read("store/foreign_labels")
    taken = found["labels"] or (["(none)"] if found["nodes"] else [])
    what = "nodes with the labels"
    if server.prefix:
        ours = {server.prefix + name for name in (*LABELS, *TYPES)}
        taken = [name for name in (*found["labels"], *found["types"]) if name in ours]
        what = "labels or relationship types of the same name,"
    if taken:
        raise UserError(
            f"{_where(server)} holds something else: {what} {_shown(taken)}.", _apart(server)
        )


def refuse_others(server: Server) -> None:
    """UserError where nodes that are not of this store are in the database: beside a prefix
    they may be, but an import replaces them all."""
    [found] = server.read("store/foreign_labels")
    ours = {server.prefix + label for label in LABELS}
    others = [label for label in found["labels"] if label not in ours]
    if others or (found["nodes"] and not found["labels"]):
        raise UserError(
            f"{_where(server)} holds other nodes too: {_shown(others or ['(none)'])}; an import "
            "would replace them.",
            "Load without --bulk, or into another server.",
        )


def _shown(labels: list[str]) -> str:
    return ", ".join(sorted(labels)[:SHOWN]) + (", …" if len(labels) > SHOWN else "")


def make_schema(server: Server) -> tuple[str, ...]:
    """Makes what is missing of the constraints and indexes; says what, if anything.

    UserError where another's are in the way.
    """
    types = [server.prefix + name for name in TYPES]
    server.write(("store/schema_words", {"types": types}))
    constraints = indexes = 0
    there = {(row["unique"], row["name"]) for row in server.read("store/schema_state")}
    for file in names("schema"):
        if _named(file, server.prefix)[:2] in there:
            continue  # to be told so by the server takes a transaction for each
        done = server.outside(file, repeatable=True).counters
        constraints += done.constraints_added
        indexes += done.indexes_added
    server.outside("store/schema_wait", seconds=INDEX_SECONDS)
    for problem in schema_problems(server):  # one of the same name, or that does the same
        raise UserError(
            f"{_where(server)} has constraints or indexes of something else. {problem}",
            _apart(server),
        )
    if not constraints + indexes:
        return ()
    others = len(names("schema")) - constraints - indexes
    return (
        f"Made the schema in the database '{server.database}': {constraints} constraints and "
        f"{indexes} indexes ({others} were there).",
    )


def schema_problems(server: Server) -> Iterator[str]:
    """What is missing, serves something else, or does not serve."""
    there = {row["name"]: row for row in server.read("store/schema_state")}
    for file in names("schema"):
        _, name, label = _named(file, server.prefix)
        if name not in there:
            yield (
                f"The constraint or index {name} is missing; "
                f"`inconcert store init {shlex.quote(server.address.url)}` makes it."
            )
        elif there[name]["of"] != [label]:
            yield f"The index {name} is of {', '.join(there[name]['of'])}, not of {label}."
        elif there[name]["state"] != "ONLINE":
            yield f"The index {name} does not serve: it is {there[name]['state']}."


def _named(file: str, prefix: str) -> tuple[bool, str, str]:
    """What a statement of the schema makes: whether it is unique, its name, and of which
    label or type."""
    found = _NAMED.search(statement(file, prefix).text)
    assert found, f"{file} names no constraint and no index"
    return found[1] == "CONSTRAINT", found[2], found[3]


def _where(server: Server) -> str:
    return f"The database '{server.database}' at {server.address.server}"


def _apart(server: Server) -> str:
    url = shlex.quote(f"{server.address.server}?prefix=Inconcert")
    return f"Name another server, or keep apart by a prefix of its own: {url}"
