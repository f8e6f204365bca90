"""A small graph in which every kind of fact has traps: facts of a load that was withdrawn,
of one that is still open, and revisions that others supersede; beside every fact that counts
lies a later revision in the open load. Beside the current run lie an older one and a newer
one that is not current, with a group of the same id."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Run = Callable[..., Any]

MEMBERS = ["m1", "m2", "m3", "m4"]
CROWD = [f"c{number}" for number in range(10)]
ACCOUNTS = [*MEMBERS, *CROWD, "x", "y", "z", "w", "v", "shop"]

FACTS, CORRECTED, WITHDRAWN, OPEN = 2, 8, 9, 11
"""Loads: of most facts, of corrections (both seen), one withdrawn, one not committed."""


def time(text: str) -> datetime:
    """`05-01T10` of the year 2026."""
    return datetime.fromisoformat(f"2026-{text}:00:00" if "T" in text else f"2026-{text}").replace(
        tzinfo=UTC
    )


TRANSFERS = [
    # uid, revision, batch, payer, payee, amount, at
    ("t1", 1, FACTS, "m1", "m2", 100.0, "05-01T10"),
    ("t2", 1, FACTS, "m2", "m3", 90.0, "05-01T12"),
    ("t3", 1, FACTS, "m3", "m1", 80.0, "05-01T15"),
    ("t13", 1, FACTS, "m3", "m4", 70.0, "05-01T16"),
    ("t14", 1, FACTS, "m4", "m1", 65.0, "05-01T18"),
    ("t12", 1, FACTS, "m2", "m1", 60.0, "05-01T20"),
    ("t4", 1, FACTS, "m1", "m2", 5.0, "05-02T09"),
    ("t4", 2, CORRECTED, "m1", "m2", 7.0, "05-02T09"),
    ("t4", 3, WITHDRAWN, "m1", "m2", 999.0, "05-02T09"),
    ("t5", 1, FACTS, "m1", "x", 0.1, "05-03"),
    ("t6", 1, FACTS, "m2", "x", 0.2, "05-04"),
    ("t7", 1, FACTS, "m3", "y", 20.0, "04-01"),
    ("t8", 1, FACTS, "z", "m1", 500.0, "03-01"),
    ("t9", 1, FACTS, "z", "m2", 400.0, "03-02"),
    ("t15", 1, FACTS, "m4", "m4", 3.0, "05-02"),
    ("t16", 1, FACTS, "m1", "shop", 9.0, "05-05"),
    ("t17", 1, FACTS, "m2", "shop", 8.0, "05-06"),
    *((f"t2{n}", 1, FACTS, account, "shop", 1.0, "05-07") for n, account in enumerate(CROWD)),
    ("t30", 1, FACTS, "m3", "v", 2.0, "05-08"),
    ("t30", 2, CORRECTED, "c1", "v", 2.0, "05-08"),
    ("t40", 1, FACTS, "m1", "v", 2.0, "05-08"),
    ("t40", 2, CORRECTED, "c2", "v", 2.0, "05-08"),
    ("t41", 1, FACTS, "w", "m1", 2.0, "05-08"),
    ("t41", 2, CORRECTED, "w", "c0", 2.0, "05-08"),
    ("t42", 1, FACTS, "x", "c5", 2.0, "05-08"),
    ("t42", 2, CORRECTED, "c6", "c5", 2.0, "05-08"),
    ("t31", 1, WITHDRAWN, "m1", "w", 11111.0, "05-08"),
    ("t32", 1, WITHDRAWN, "m2", "w", 11111.0, "05-08"),
    ("t33", 1, WITHDRAWN, "w", "m1", 11111.0, "05-08"),
    ("t34", 1, OPEN, "m1", "v", 22222.0, "05-08"),
    ("t35", 1, OPEN, "m2", "v", 22222.0, "05-08"),
    ("t36", 1, OPEN, "z", "y", 22222.0, "05-08"),
    ("t37", 1, WITHDRAWN, "m2", "m4", 33333.0, "05-01T11"),
    ("t38", 1, OPEN, "m4", "m2", 33333.0, "05-01T11"),
]

SIGHTINGS = [
    # uid, revision, batch, account, identifier_kind, digest, at
    ("s1", 1, FACTS, "m1", "device", "d1", "05-01"),
    ("s2", 1, FACTS, "m1", "device", "d1", "05-02"),
    ("s3", 1, FACTS, "m2", "device", "d1", "05-03"),
    ("s4", 1, FACTS, "x", "device", "d1", "05-04"),
    ("s5", 1, FACTS, "m3", "device", "d1", "05-04"),
    ("s5", 2, CORRECTED, "m3", "device", "d2", "05-04"),
    ("s6", 1, WITHDRAWN, "m4", "device", "d1", "05-04"),
    ("s7", 1, OPEN, "m3", "device", "d1", "05-04"),
    ("s8", 1, OPEN, "y", "device", "d1", "05-04"),
    *((f"s1{a}", 1, FACTS, a, "ip", "office", "05-05") for a in [*MEMBERS, *CROWD]),
]

REFERRALS = [
    # uid, revision, batch, referrer, referred, at
    ("r1", 1, FACTS, "m1", "m2", "02-02"),
    ("r2", 1, FACTS, "m2", "m3", "02-03"),
    ("r3", 1, FACTS, "z", "m1", "02-01"),
    ("r4", 1, FACTS, "m3", "c0", "02-04"),
    ("r5", 1, FACTS, "z", "m3", "02-05"),
    ("r5", 2, CORRECTED, "z", "y", "02-05"),
    ("r6", 1, WITHDRAWN, "z", "c0", "02-06"),
    ("r7", 1, OPEN, "z", "c0", "02-07"),
]

PURCHASES = [
    # uid, revision, batch, account, amount, exact, receipt, at
    ("p1", 1, FACTS, "m1", 10.0, None, "A17", "04-01"),
    ("p2", 1, FACTS, "m2", 10.1, "10.100000000000000001", "A17", "04-02"),
    ("p3", 1, FACTS, "m3", 5.0, None, "B1", "04-03"),
    ("p3", 2, CORRECTED, "m3", 6.0, None, "B1", "04-03"),
    ("p4", 1, WITHDRAWN, "m4", 7.0, None, "A17", "04-04"),
    ("p5", 1, OPEN, "m4", 8.0, None, "A17", "04-05"),
]

HOLDINGS = [
    # uid, revision, batch, account, amount, exact, at
    ("h1", 1, FACTS, "m1", 600.0, None, "05-01"),
    ("h2", 1, FACTS, "m1", 650.0, None, "05-10"),
    ("h3", 1, FACTS, "m2", 600.5, "600.500000000000000001", "05-01"),
    ("h4", 1, FACTS, "m3", 550.0, None, "05-02"),
    ("h4", 2, CORRECTED, "m3", 500.0, None, "05-02"),
    ("h4", 3, WITHDRAWN, "m3", 1.0, None, "05-02"),
    ("h5", 1, FACTS, "m4", 700.0, None, "04-01"),
    ("h6", 1, WITHDRAWN, "m1", 9999.0, None, "05-03"),
    ("h7", 1, OPEN, "m2", 9999.0, None, "05-03"),
]

ATTRIBUTES = [
    # uid, revision, batch, account, opened_at, role
    ("a1", 1, FACTS, "m1", "01-01", "person"),
    ("a2", 1, FACTS, "m2", "01-01", None),
    ("a3", 1, FACTS, "m3", "01-05", None),
    ("a3", 2, CORRECTED, "m3", "01-02", None),
    ("a4", 1, WITHDRAWN, "m4", "01-03", None),
    ("a5", 1, OPEN, "m4", "01-04", None),
    ("a6", 1, FACTS, "shop", None, "person"),
    ("a6", 2, CORRECTED, "shop", None, "merchant"),
    ("a6", 3, WITHDRAWN, "shop", None, "exchange"),
]

LINKS = [
    # uid, revision, batch, a, b, verdict, by, why
    ("l1", 1, FACTS, "m1", "m2", "unrelated", "the board", "cousins"),
    ("l1", 2, CORRECTED, "m1", "m2", "same_owner", "the board", "one passport"),
    ("l2", 1, FACTS, "x", "m3", "unrelated", "the board", "two houses"),
    ("l3", 1, WITHDRAWN, "m3", "m4", "same_owner", None, None),
    ("l4", 1, OPEN, "m3", "m4", "same_owner", None, None),
]

BATCHES = [
    # batch, position, state, action, kind, target, visible, loaded
    (FACTS, 1, "committed", "load", "transfers", None, True, 30),
    (CORRECTED, 2, "committed", "load", "transfers", None, True, 8),
    (WITHDRAWN, 3, "committed", "load", "transfers", None, False, 12),
    (10, 4, "committed", "withdraw", None, WITHDRAWN, False, None),
    (OPEN, None, "open", "load", "sightings", None, False, None),
    (12, 5, "committed", "supply", None, None, False, None),
    (13, None, "dead", "load", "holdings", None, False, None),
]

RUNS = [("r1", 1), ("r2", 2), ("r3", 3)]
CURRENT = "r2"

GROUPS = [
    # run, id, line, share, members, inside
    ("r2", "g1", 0.05, 0.0531, {"m1": 0.02, "m2": 0.02, "m3": 0.013, "m4": 0.0001}, None),
    ("r2", "g2", 0.03, 0.04, {"m1": 0.02, "m2": 0.02}, "g1"),
    ("r2", "g3", 0.05, 0.0501, {"c3": 0.03, "x": 0.0201}, None),
    ("r1", "old", 0.05, 0.051, {"m1": 0.02, "m2": 0.02, "c0": 0.011}, None),
    ("r1", "gone", 0.05, 0.052, {"c1": 0.03, "c2": 0.022}, None),
    ("r3", "g1", 0.05, 0.9, {"z": 0.9, "m1": 0.0}, None),
]

TIES = [
    # run, group, a, b, bits, families
    ("r2", "g1", "m1", "m2", 20.5, ["flow", "identifier"]),
    ("r2", "g1", "m3", "m2", 15.0, ["flow"]),
    ("r2", "g1", "m3", "m4", 12.0, ["flow"]),
    ("r1", "g1", "m1", "m4", 99.0, ["flow"]),
    ("r3", "g1", "m1", "m4", 98.0, ["flow"]),
    ("r2", "g2", "m1", "m2", 21.0, ["flow"]),
]


def rows(names: str, values: list[Any]) -> list[dict[str, Any]]:
    """Tuples as maps; what is named `*_at` or `at` becomes a time."""
    keys = names.split()
    return [
        {
            key: time(value) if value and (key == "at" or key.endswith("_at")) else value
            for key, value in zip(keys, row, strict=True)
        }
        for row in values
    ]


def haunted(facts: list[Any]) -> list[Any]:
    """Facts (uid, revision, batch, …) and, for each that counts, a revision of the open load."""
    seen = [fact for fact in facts if fact[2] in (FACTS, CORRECTED)]
    return [*facts, *((uid, 5 + revision, OPEN, *rest) for uid, revision, _, *rest in seen)]


def build(run: Run) -> None:
    """Write the world. `run(query, **parameters)`: on an empty database with the schema."""
    run(
        "UNWIND range(0, size($ids) - 1) AS i CREATE (:Account {id: $ids[i], ix: i, batch: 2})",
        ids=ACCOUNTS,
    )
    _facts(run)
    _batches(run)
    _runs(run)
    _cases(run)


def _cases(run: Run) -> None:
    """An open case about a group of two runs, and a closed one."""
    run(
        "CREATE (open:View:Case {kind: 'case', key: 'c1', state: 'new', level: 'red', "
        "grade: 'corroborated', change: 'grew', share: 0.06, size: 3}), "
        "(:View:Case {kind: 'case', key: 'c2', state: 'closed', share: 0.09}) "
        "WITH open MATCH (group:Group {id: $group}) CREATE (open)-[:ABOUT]->(group)",
        group=GROUPS[0][1],
    )
    run(
        "UNWIND [2, 1] AS number MATCH (case:View {kind: 'case', key: 'c1'}) "
        "CREATE (:Event {number: number, subject: 'case/c1', version: number, "
        "at: '2026-07-01', user: 'ann', role: 'senior', action: 'moved'})-[:OF]->(case)"
    )


def _between(kind: str) -> str:
    return (
        "UNWIND range(0, size($rows) - 1) AS i WITH i, $rows[i] AS row "
        "MATCH (one:Account {id: row.one}) MATCH (two:Account {id: row.two}) "
        f"CREATE (one)-[fact:{kind}]->(two) "
        "SET fact = row {.*, one: null, two: null}, fact.seq = $first + i"
    )


def _beside(kind: str, label: str) -> str:
    return (
        "UNWIND range(0, size($rows) - 1) AS i WITH i, $rows[i] AS row "
        f"MATCH (one:Account {{id: row.one}}) CREATE (one)-[:{kind}]->(fact:{label}) "
        "SET fact = row {.*, one: null}, fact.seq = $first + i"
    )


BETWEEN = {
    "TRANSFERRED": (TRANSFERS, "amount at"),
    "REFERRED": (REFERRALS, "at"),
    "LINKED": (LINKS, "verdict by why"),
}
"""Facts that are a relationship of two accounts."""

BESIDE = {
    ("BOUGHT", "Purchase"): (PURCHASES, "amount exact receipt at"),
    ("HELD", "Holding"): (HOLDINGS, "amount exact at"),
    ("DESCRIBED", "Attribute"): (ATTRIBUTES, "opened_at role"),
}
"""Facts that are a node beside an account."""


def _facts(run: Run) -> None:
    for place, (kind, (facts, names)) in enumerate(BETWEEN.items()):
        written = rows(f"uid revision batch one two {names}", haunted(facts))
        run(_between(kind), first=100 * place, rows=written)
    for place, (of, (facts, names)) in enumerate(BESIDE.items()):
        written = rows(f"uid revision batch one {names}", haunted(facts))
        run(_beside(*of), first=300 + 100 * place, rows=written)
    run(
        "UNWIND range(0, size($rows) - 1) AS i WITH i, $rows[i] AS row "
        "MATCH (one:Account {id: row.one}) "
        "MERGE (seen:Identifier {identifier_kind: row.identifier_kind, digest: row.digest}) "
        "CREATE (one)-[fact:SEEN_WITH]->(seen) "
        "SET fact = row {.uid, .revision, .batch, .at}, fact.seq = 600 + i",
        rows=rows("uid revision batch one identifier_kind digest at", haunted(SIGHTINGS)),
    )


def _batches(run: Run) -> None:
    names = "batch position state action kind target visible loaded"
    run("UNWIND $rows AS row CREATE (batch:Batch) SET batch = row", rows=rows(names, BATCHES))
    run(
        "MATCH (batch:Batch {batch: $batch}) SET batch.complete_at = $moments",
        batch=FACTS,
        moments=["2026-05-01T00:00:00Z"],
    )
    run(
        "CREATE (:Supply {batch: 12, amount: '10000', valid_from: $at}), (:Store {single: 1})",
        at=time("01-01"),
    )


def _runs(run: Run) -> None:
    run("UNWIND $rows AS row CREATE (run:Run) SET run = row", rows=rows("id number", RUNS))
    run(
        "MATCH (store:Store) MATCH (run:Run {id: $run}) CREATE (store)-[:CURRENT]->(run)",
        run=CURRENT,
    )
    names = "run id line share members inside"
    run(
        "UNWIND $rows AS row MATCH (run:Run {id: row.run}) "
        "CREATE (run)-[:FOUND]->(found:Group {key: row.run + '/' + row.id, run: row.run, "
        "id: row.id, line: row.line, share: row.share, size: size(keys(row.members)), "
        "reasons: ['many transfers', 'one device'], doubts: [], grade: 'corroborated', "
        "strength_bits: 100.0, evidence_bits: 160.0, cost_bits: 60.0, p_value: 0.01}) "
        "WITH row, found UNWIND keys(row.members) AS member "
        "MATCH (account:Account {id: member}) "
        "CREATE (found)-[:INCLUDES {share: row.members[member], holdings: '1', "
        "share_without: row.share - row.members[member]}]->(account)",
        rows=rows(names, GROUPS),
    )
    run(
        "UNWIND $rows AS row MATCH (found:Group {key: row.run + '/' + row.id}) "
        "MATCH (larger:Group {key: row.run + '/' + row.inside}) "
        "CREATE (found)-[:INSIDE]->(larger)",
        rows=rows(names, GROUPS),
    )
    run(
        "UNWIND $rows AS row MATCH (one:Account {id: row.one}) MATCH (two:Account {id: row.two}) "
        "CREATE (one)-[tie:ACTS_WITH]->(two) SET tie = row {.run, .group, .bits, .families}",
        rows=rows("run group one two bits families", TIES),
    )
