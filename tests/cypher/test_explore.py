"""What each saved query answers, on a real server, in a graph full of traps."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import neo4j
import pytest
from explore_world import build, time
from neo4j_servers import TestServer, asked, wipe

from cypher import TYPES, names, prefixed, statement
from graph.neo4j.server import Server

Ask = Callable[..., list[dict[str, Any]]]
PREFIXES = ["", "Team"]
SAVED = names("explore")
FACTS = "TRANSFERRED|REFERRED|SEEN_WITH|LINKED|BOUGHT|HELD|DESCRIBED"


@pytest.fixture(scope="module")
def servers(neo4j_server: TestServer) -> Iterator[dict[str, Server]]:
    """The world twice in one database, the second time with a label prefix."""
    wipe(neo4j_server.url)
    found = {
        prefix: Server.connect(f"{neo4j_server.url}{f'?prefix={prefix}' if prefix else ''}")
        for prefix in PREFIXES
    }
    for prefix, server in found.items():
        for name in names("schema"):
            server.outside(name)
        build(
            lambda text, server=server, prefix=prefix, **parameters: asked(
                server.address.url, prefixed(text, prefix), **parameters
            )
        )
    yield found
    for server in found.values():
        server.close()
    wipe(neo4j_server.url, schema=True)


@pytest.fixture(
    params=["", pytest.param("Team", marks=pytest.mark.long)], ids=["plain", "prefixed"]
)
def ask(servers: dict[str, Server], request: pytest.FixtureRequest) -> Ask:
    """The rows of a saved query, with nodes by their id and times as Python has them."""
    server = servers[request.param]

    def ask(name: str, **parameters: Any) -> list[dict[str, Any]]:
        rows = server.read(f"explore/{name}", **parameters)
        return [{key: plain(value) for key, value in row.items()} for row in rows]

    return ask


def plain(value: Any) -> Any:
    if isinstance(value, neo4j.graph.Path):
        return [plain(node) for node in value.nodes]
    if isinstance(value, neo4j.graph.Node):
        return value.get("id") or value.get("digest") or value["uid"]
    if isinstance(value, neo4j.graph.Relationship):
        return value.get("uid") or re.sub("^Team", "", value.type)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.to_native() if hasattr(value, "to_native") else value


def pick(rows: list[dict[str, Any]], *columns: str) -> list[Any]:
    """The rows as tuples of some columns (one column: its values)."""
    if len(columns) == 1:
        return [row[columns[0]] for row in rows]
    return [tuple(row[column] for column in columns) for row in rows]


# What was loaded and found


def test_what_is_here_counts_visible_loads_only(ask: Ask) -> None:
    (row,) = ask("what_is_here")
    assert row == {"kind": "transfers", "loads": 2, "facts": 38, "latest_at": None, "last_load": 8}


def test_batches_are_those_committed_newest_first(ask: Ask) -> None:
    rows = ask("batches")
    assert pick(rows, "batch", "action", "counts", "target") == [
        (12, "supply", False, None),
        (10, "withdraw", False, 9),
        (9, "load", False, None),
        (8, "load", True, None),
        (2, "load", True, None),
    ]


def test_supply(ask: Ask) -> None:
    (row,) = ask("supply")
    assert (row["amount"], row["valid_from"], row["batch"]) == ("10000", time("01-01"), 12)


def test_runs_names_the_one_the_store_points_to(ask: Ask) -> None:
    assert pick(ask("runs"), "run", "current") == [("r3", False), ("r2", True), ("r1", False)]


def test_findings_are_those_of_the_current_run(ask: Ask) -> None:
    rows = ask("findings")
    assert pick(rows, "group", "share", "members", "inside") == [
        ("g1", 0.0531, 4, None),
        ("g3", 0.0501, 2, None),
        ("g2", 0.04, 2, "g1"),
    ]


def test_findings_graph_draws_the_current_run(ask: Ask) -> None:
    rows = ask("findings_graph")
    assert {row["run"] for row in rows} == {"r2"}
    members = {(row["group"], row["account"]) for row in rows}
    assert members == {
        *(("g1", member) for member in ("m1", "m2", "m3", "m4")),
        *(("g2", member) for member in ("m1", "m2")),
        *(("g3", member) for member in ("x", "c3")),
    }
    assert {row["group"] for row in rows if row["inside"]} == {"g2"}


def test_compare_runs_says_what_came_and_went(ask: Ask) -> None:
    rows = ask("compare_runs", run="r1")
    assert pick(rows, "group", "past_group", "both", "came", "went", "change") == [
        ("g1", "old", 2, 2, 1, "stayed"),
        ("g3", None, 0, 2, 0, "new"),
        ("g2", None, 0, 2, 0, "new"),
        (None, "gone", 0, 0, 2, "gone"),
    ]
    assert ask("compare_runs", run="none such") == []


def test_compare_runs_says_nothing_of_a_pruned_run(ask: Ask, servers: dict[str, Server]) -> None:
    change = "MATCH (run:Run {id: 'r1'}) SET run.pruned = $pruned"
    for prefix, server in servers.items():
        asked(server.address.url, prefixed(change, prefix), pruned=True)
    try:
        assert ask("compare_runs", run="r1") == []
        assert [row["run"] for row in ask("runs") if not row["detailed"]] == ["r1"]
    finally:
        for prefix, server in servers.items():
            asked(server.address.url, prefixed(change, prefix), pruned=False)


def test_group_history_looks_into_other_runs(ask: Ask) -> None:
    """The group of r3 shares one member only."""
    rows = ask("group_history", group="g1")
    assert pick(rows, "run", "past_group", "both", "came", "went") == [("r1", "old", 2, 2, 1)]


# One finding


def test_how_facts_lie_shows_each_kind_of_fact_once_it_counts(ask: Ask) -> None:
    rows = pick(ask("how_facts_lie"), "fact")
    assert all(row[0] == "m1" for row in rows)
    assert {row[1] for row in rows} >= {"d1", "office", "m2", "z", "p1", "h1", "h2", "a1"}
    assert not {row[1] for row in rows} & {"w", "v", "h6"}


def test_group_graph_draws_the_two_strongest_ties_of_each_member(ask: Ask) -> None:
    rows = ask("group_graph", group="g1")
    assert {(row["found"], row["includes"]) for row in rows} == {("g1", "INCLUDES")}
    assert sorted(pick(rows, "account", "other")) == [
        ("m1", "m2"),
        ("m2", "m1"),
        ("m2", "m3"),
        ("m3", "m2"),
        ("m3", "m4"),
        ("m4", "m3"),
    ]
    assert ask("group_graph", group="old") == [], "a group of a past run"


def test_group_ties_are_those_of_this_group_in_this_run(ask: Ask) -> None:
    rows = ask("group_ties", group="g1")
    assert pick(rows, "account", "other", "bits") == [
        ("m1", "m2", 20.5),
        ("m3", "m2", 15.0),
        ("m3", "m4", 12.0),
    ]
    assert rows[0]["families"] == ["flow", "identifier"]


def test_group_reasons_keep_their_order(ask: Ask) -> None:
    rows = ask("group_reasons", group="g1")
    assert pick(rows, "reason") == ["many transfers", "one device"]
    assert pick(rows, "strength_bits", "evidence_bits", "cost_bits") == [(100.0, 160.0, 60.0)] * 2


def test_group_doubts_say_when_there_are_none(ask: Ask, servers: dict[str, Server]) -> None:
    (row,) = ask("group_doubts", group="g1")
    assert row["doubt"] == "No innocent explanation is open."
    assert row["share_without_largest"] == pytest.approx(0.0331)
    change = "MATCH (found:Group {key: 'r2/g1'}) SET found.doubts = $doubts"
    for prefix, server in servers.items():
        asked(server.address.url, prefixed(change, prefix), doubts=["a club", "a household"])
    try:
        assert pick(ask("group_doubts", group="g1"), "doubt") == ["a club", "a household"]
    finally:
        for prefix, server in servers.items():
            asked(server.address.url, prefixed(change, prefix), doubts=[])


def test_group_members_says_who_carries_the_group(ask: Ask) -> None:
    rows = ask("group_members", group="g1")
    assert pick(rows, "account", "carries") == [
        ("m1", True),
        ("m2", True),
        ("m3", True),
        ("m4", False),
    ]


def test_why_together_takes_the_current_run_and_the_stronger_of_two_ties(ask: Ask) -> None:
    """Other runs tie m1 and m4 directly; another group ties m1 and m2 by more bits."""
    (row,) = ask("why_together", account="m1", other="m4")
    assert row == {"path": ["m1", "m2", "m3", "m4"], "steps": 3, "weakest_bits": 12.0}
    (row,) = ask("why_together", account="m2", other="m1")
    assert row["weakest_bits"] == 21.0
    assert ask("why_together", account="m1", other="c0") == []
    assert ask("why_together", account="m1", other="none such") == []


# What moved

INSIDE = [
    ("m1", "m2", 2, 107.0),
    ("m2", "m3", 1, 90.0),
    ("m3", "m1", 1, 80.0),
    ("m3", "m4", 1, 70.0),
    ("m4", "m1", 1, 65.0),
    ("m2", "m1", 1, 60.0),
]


def test_flows_inside_take_the_correction_and_no_self_transfer(ask: Ask) -> None:
    rows = ask("flows_inside", group="g1")
    assert pick(rows, "payer", "payee", "transfers", "amount") == INSIDE
    assert (rows[0]["first_at"], rows[0]["last_at"]) == (time("05-01T10"), time("05-02T09"))


def test_flows_graph_draws_the_largest_first(ask: Ask) -> None:
    rows = ask("flows_graph", group="g1")
    assert pick(rows, "transfer") == ["t1", "t2", "t3", "t13", "t14", "t12", "t4"]
    assert (rows[0]["payer"], rows[0]["payee"]) == ("m1", "m2")


def test_funding_by_day(ask: Ask) -> None:
    rows = ask("funding_by_day", group="g1")
    first, last = rows[0], rows[-1]
    assert (first["day"], first["payer"], first["payee"], first["amount"]) == (
        time("05-01").date(),
        "m1",
        "m2",
        100.0,
    )
    assert (last["day"], last["transfers"], last["amount"]) == (time("05-02").date(), 1, 7.0)
    assert len(rows) == 7


def test_cycles_are_in_the_order_of_time_and_counted_once(ask: Ask) -> None:
    rows = ask("cycles", group="g1", hours=12)
    assert pick(rows, "members", "transfers", "smallest") == [
        (["m1", "m2", "m3"], ["t1", "t2", "t3"], 80.0),
        (["m1", "m2", "m3", "m4"], ["t1", "t2", "t13", "t14"], 65.0),
        (["m1", "m2"], ["t1", "t12"], 60.0),
    ]
    assert pick(ask("cycles", group="g1", hours=5), "transfers") == [["t1", "t2", "t3"]]
    longer = ask("cycles", group="g1", hours=48)
    assert [row["smallest"] for row in longer if row["transfers"] == ["t12", "t4"]] == [7.0]


def test_outflow_after_a_time(ask: Ask) -> None:
    """t7 left before, t30 was corrected to another payer, t31 was withdrawn, t34 is open."""
    rows = ask("outflow_after", group="g1", since=time("05-01"))
    assert pick(rows, "payee", "transfers", "payers", "amount") == [
        ("shop", 2, 2, 17.0),
        ("x", 2, 2, 0.3),
    ]
    rows = ask("outflow_after", group="g1", since=time("05-04"))
    assert pick(rows, "payee", "amount") == [("shop", 17.0), ("x", 0.2)]
    early = ask("outflow_after", group="g1", since=time("01-01"))
    assert ("y", 20.0) in pick(early, "payee", "amount")


def test_inflow(ask: Ask) -> None:
    (row,) = ask("inflow", group="g1")
    assert (row["payer"], row["transfers"], row["payees"], row["amount"]) == ("z", 2, 2, 900.0)


def test_money_path_goes_with_the_money_over_facts_that_count(ask: Ask) -> None:
    """An open load has z pay y directly."""
    (row,) = ask("money_path", account="z", other="y")
    assert row["transfers"] == 3
    assert (row["path"][0], row["path"][-1]) == ("z", "y")
    assert ask("money_path", account="y", other="z") == []
    assert ask("money_path", account="m3", other="v") == [], "a superseded transfer"


# Around the group


def test_common_counterparties(ask: Ask) -> None:
    rows = ask("common_counterparties", group="g1")
    assert pick(rows, "account", "members", "paid", "received") == [
        ("shop", 2, 0.0, 17.0),
        ("x", 2, 0.0, 0.3),
        ("z", 2, 900.0, 0.0),
    ]


def test_just_outside_is_no_crowd(ask: Ask) -> None:
    """The ten who were seen in the same office are not just outside; y deals with one member."""
    rows = ask("just_outside", group="g1")
    assert pick(
        rows, "account", "members", "by_transfers", "by_identifiers", "deals_with", "in_groups"
    ) == [
        ("x", 2, 2, 2, 2, ["g3"]),
        ("shop", 2, 2, 0, 12, []),
        ("z", 2, 2, 0, 2, []),
    ]


def test_shared_identifiers_count_all_their_holders(ask: Ask) -> None:
    rows = ask("shared_identifiers", group="g1")
    assert [(row["digest"], sorted(row["members"]), row["accounts"]) for row in rows] == [
        ("office", ["m1", "m2", "m3", "m4"], 14),
        ("d1", ["m1", "m2"], 3),
    ]


def test_shared_identifiers_graph_draws_one_line_an_account(ask: Ask) -> None:
    rows = ask("shared_identifiers_graph", group="g1")
    assert sorted(pick(rows, "identifier", "account")) == [
        ("d1", "m1"),
        ("d1", "m2"),
        ("office", "m1"),
        ("office", "m2"),
        ("office", "m3"),
        ("office", "m4"),
    ]


def test_hubs_are_told_with_their_role(ask: Ask) -> None:
    rows = ask("hubs", group="g1", many=10)
    assert pick(rows, "hub", "kind", "name", "members", "accounts") == [
        ("identifier", "ip", "office", 4, 14),
        ("account", "merchant", "shop", 2, 12),
    ]
    assert pick(ask("hubs", group="g1", many=13), "name") == ["office"]


def test_referral_path_goes_round_what_does_not_count(ask: Ask) -> None:
    """Superseded, withdrawn and open referrals would be shorter."""
    rows = ask("referral_path", account="z", other="c0")
    assert pick(rows, "path", "referrals") == [(["z", "m1", "m2", "m3", "c0"], 4)]
    assert pick(ask("referral_path", account="c0", other="z"), "referrals") == [4]


def test_referrals_of_members(ask: Ask) -> None:
    rows = ask("referrals", group="g1")
    assert [(sorted(row["referral"]), row["inside"]) for row in rows] == [
        (["m1", "m2"], True),
        (["m2", "m3"], True),
        (["m1", "z"], False),
        (["c0", "m3"], False),
    ]


def test_declared_links(ask: Ask) -> None:
    rows = ask("declared_links", group="g1")
    assert pick(rows, "account", "other", "verdict", "inside", "why") == [
        ("m1", "m2", "same_owner", True, "one passport"),
        ("m3", "x", "unrelated", False, "two houses"),
    ]


# The members' own facts


def test_holdings_at_a_time_after_a_complete_statement(ask: Ask) -> None:
    rows = ask("holdings_at", group="g1", at=time("05-05"))
    assert pick(rows, "account", "holdings", "exact") == [
        ("m2", 600.5, "600.500000000000000001"),
        ("m1", 600.0, None),
        ("m3", 500.0, None),
        ("m4", 0.0, None),
    ]
    before = ask("holdings_at", group="g1", at=time("04-15"))
    assert pick(before, "account", "holdings")[0] == ("m4", 700.0)
    later = ask("holdings_at", group="g1", at=time("05-10"))
    assert ("m1", 650.0) in pick(later, "account", "holdings"), "the time itself counts"


def test_purchases_name_members_with_the_same_receipt(ask: Ask) -> None:
    rows = ask("purchases", group="g1")
    assert pick(rows, "account", "amount", "exact", "same_receipt") == [
        ("m1", 10.0, None, ["m2"]),
        ("m2", 10.1, "10.100000000000000001", ["m1"]),
        ("m3", 6.0, None, []),
    ]


def test_members_opened(ask: Ask) -> None:
    rows = ask("members_opened", group="g1")
    assert pick(rows, "account", "opened_at", "role") == [
        ("m1", time("01-01"), "person"),
        ("m2", time("01-01"), None),
        ("m3", time("01-02"), None),
    ]


def test_account_story_has_every_fact_that_counts_once(ask: Ask) -> None:
    rows = ask("account_story", account="m1")
    uids = ["t1", "t3", "t4", "t5", "t8", "t12", "t14", "t16"]
    uids += ["r1", "r3", "s1", "s2", "s1m1", "p1", "h1", "h2", "a1", "l1"]
    assert sorted(pick(rows, "uid")) == sorted(uids)
    by_uid = {row["uid"]: row for row in rows}
    assert (by_uid["t4"]["amount"], by_uid["t4"]["batch"]) == (7.0, 8)
    assert by_uid["l1"]["what"] == "declared same_owner"
    assert by_uid["t8"]["what"] == "was paid by"
    times = [row["at"] for row in rows if row["at"]]
    assert times == sorted(times, reverse=True)


# All of them


def test_every_saved_query_is_asked_here() -> None:
    asked = set(re.findall(r'ask\(\s*"(\w+)"', Path(__file__).read_text(encoding="utf-8")))
    assert asked == {name.split("/")[1] for name in SAVED}
    assert len(SAVED) >= 15


@pytest.mark.parametrize("name", SAVED)
def test_headers_name_every_parameter_with_an_example(name: str) -> None:
    query = statement(name)
    used = set(re.findall(r"\$(\w+)", query.text))
    examples = [line.split()[1] for line in query.examples]
    assert used == set(examples)
    assert len(examples) == len(used)
    said = query.parameters if used else "none"
    assert used == set(re.findall(r"(?:^|, )(\w+) \(", said))


@pytest.mark.parametrize("name", SAVED)
def test_examples_are_values_that_the_server_takes(name: str, servers: dict[str, Server]) -> None:
    for line in statement(name).examples:
        found = re.fullmatch(r":param \w+ => (.+)", line)
        assert found is not None
        assert len(asked(servers[""].address.url, f"RETURN {found[1]} AS value")) == 1


def test_cases_that_wait_and_what_happened_to_one(ask: Ask) -> None:
    [row] = ask("cases")
    assert (row["case"], row["level"], row["state"], row["owner"]) == ("c1", "red", "new", None)
    assert len(row["groups"]) == 1
    assert pick(ask("case_events", case="c1"), "number", "user") == [(1, "ann"), (2, "ann")]
    assert ask("case_events", case="c2") == []


@pytest.mark.parametrize("name", SAVED)
def test_queries_are_bounded_and_filter_their_facts(name: str) -> None:
    text = statement(name).text
    body = "\n".join(line for line in text.splitlines() if not line.startswith("//"))
    assert "LIMIT" in body
    assert not re.search(r"\[[^\]]*\*", body), "paths without a bound"
    assert all(int(most) <= 8 for most in re.findall(r"\{\d+,(\d+)\}", body))
    assert set(re.findall(r":([A-Z_]{3,})", body)) <= set(TYPES)
    for variable, kind in re.findall(rf"\[(\w+):({FACTS})", body):
        assert variable == "later" or f"{variable}.batch IN visible" in body, kind
    if re.search(FACTS, body):
        assert "COLLECT { MATCH (load:Batch {visible: true}) RETURN load.batch }" in body
