"""`detect`, `groups`, `runs`, `show`, `why`: what their user types and reads."""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from itertools import pairwise

import click
import pytest

from detectors.engine.ask import Inquiry, what_if, why
from detectors.family import detectors
from graph.store import open_store
from inconcert.asking import LINE, make_request, request_of

RING = {f"r{number}" for number in range(10)}


def test_detect_prints_what_a_person_reads(call, platform):
    code, out, err = call("detect", "--no-save")
    assert (code, err) == (0, "")
    assert "1 finding at or over 5 % among 311 accounts" in out
    assert "corroborated" in out
    assert "were seen with one device" in out
    assert "\x1b" not in out


def test_detect_as_json_is_the_result_and_nothing_else(call, platform):
    code, out, err = call("detect", "--no-save", "--format", "json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    assert result["run"]["id"] is None
    (group,) = result["groups"]
    assert {member["account"] for member in group["members"]} == RING
    assert group["share"] == 0.06


def test_detect_as_csv_is_a_row_a_member(call, platform):
    code, out, _ = call("detect", "--no-save", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 0
    assert list(rows[0]) == [
        "group",
        "line",
        "group_share",
        "grade",
        "account",
        "share",
        "share_without",
    ]
    assert {row["account"] for row in rows} == RING
    assert {(row["line"], row["group_share"], row["grade"]) for row in rows} == {
        ("0.05", "0.06", "corroborated")
    }


def test_detect_keeps_the_run_unless_told_not_to(call, own_platform):
    store = open_store(str(own_platform))
    first = store.run("r")
    assert call("detect", "--no-save")[0] == 0
    assert len(store.runs()) == 1
    code, out, _ = call("detect", "--line", "3%", "--line", "0.06", "--format", "json")
    assert code == 0
    latest, earlier = store.runs()
    assert earlier.id == first.id
    assert store.run(latest.id).result == json.loads(out)
    assert latest.result["lines"] == [0.06, 0.03]
    assert latest.id.startswith("r20260601-")  # the clock that INCONCERT_NOW sets


def test_no_finding_is_said_clearly_and_is_no_failure(call, platform):
    code, out, err = call("detect", "--line", "7%", "--no-save")
    assert (code, err) == (0, "")
    assert out.startswith("No group was found at or over the line (7 % of all) among 311 accounts")
    said = " ".join(out.split())
    assert "10 accounts with 6.00 % come together, and none that hold more" in said
    assert said.endswith("There are no referrals among these facts.")
    code, out, _ = call("detect", "whale", "--no-save")
    assert code == 0
    assert out.startswith("No account alone was found at or over the line")
    assert out.endswith("The largest holds 0.60 %.\n")


def test_progress_is_told_when_asked_for_and_on_stderr_only(call, platform):
    code, out, err = call("detect", "-v", "--no-save", "--format", "json")
    assert code == 0
    assert json.loads(out)["schema"] == 1
    for stage in ("reading", "evidence: flow", "proposing", "judging", "doubting"):
        assert stage in err


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("5%", "1/20"),
        ("0.05", "1/20"),
        (" 3.5 % ", "7/200"),
        ("0.000000000000000001%", "1/100000000000000000000"),
        ("99.9%", "999/1000"),
        ("33.333333333333333333333333333333%", "33333333333333333333333333333333/1" + "0" * 32),
    ],
)
def test_a_line_is_exact(text, line):
    assert LINE.convert(text, None, None) == Fraction(line)


@pytest.mark.parametrize(
    "text", ["5", "0", "0%", "1", "100%", "120%", "-5%", "", "%", "five", "nan", "inf"]
)
def test_what_is_no_line_is_refused(text):
    with pytest.raises(click.BadParameter):
        LINE.convert(text, None, None)


def test_groups_are_those_of_the_last_run_or_of_the_run_named(call, own_platform):
    first = open_store(str(own_platform)).run("r")
    assert call("detect", "--line", "7%")[0] == 0
    code, out, _ = call("groups")
    assert (code, out.startswith("No group was found")) == (0, True)
    code, out, _ = call("groups", "--run", first.id[:12], "--format", "json")
    assert (code, json.loads(out)) == (0, first.result["groups"])
    code, out, _ = call("groups", "--run", first.id)
    assert first.result["groups"][0]["id"] in out


def test_runs_are_listed_newest_first(call, own_platform, monkeypatch):
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-02")
    assert call("detect", "flow", "--line", "4%")[0] == 0
    code, out, _ = call("runs", "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert [(row["detectors"], row["lines"]) for row in rows] == [
        (["flow"], [0.04]),
        (sorted(detectors()), [0.05]),
    ]
    assert rows[0]["created_at"] == "2026-06-02T00:00:00Z"
    code, out, _ = call("runs")
    assert code == 0
    assert [row["run"] in line for row, line in zip(rows, out.splitlines()[1:], strict=True)] == [
        True,
        True,
    ]


@pytest.fixture
def group(platform):
    """The ring as the saved run has it."""
    run = open_store(str(platform)).run("r")
    return run.result["groups"][0]


def test_show_prints_one_group_in_full(call, group):
    code, out, _ = call("show", group["id"][:5])
    assert code == 0
    assert out.startswith(f"Group {group['id']}")
    assert all(member in out for member in RING)
    code, out, _ = call("show", group["id"], "--format", "json")
    assert (code, json.loads(out)) == (0, group)


def test_show_judges_a_group_without_a_member_anew_and_exactly(call, group):
    code, out, _ = call("show", group["id"], "--without", "r3", "--format", "json")
    changed = json.loads(out)["what_if"]
    assert code == 0
    member = next(one for one in group["members"] if one["account"] == "r3")
    assert changed["share"] == member["share_without"] == 0.054
    assert (changed["accounts"], changed["holdings"], changed["over_line"]) == (9, "5400", True)
    assert changed["strength_bits"] < group["strength_bits"]
    assert changed["evidence_bits"] - changed["cost_bits"] == pytest.approx(
        changed["strength_bits"], abs=0.0011
    )
    code, out, _ = call("show", group["id"], "--without", "r3", "--without", "r4")
    assert code == 0
    assert "8 accounts hold 4.8000% (below the line of 0.05)" in out
    assert "no longer reported" in out


def test_show_with_a_stranger_is_weaker(call, group):
    code, out, _ = call("show", group["id"], "--with", "c100", "--format", "json")
    changed = json.loads(out)["what_if"]
    assert code == 0
    assert changed["accounts"] == 11
    assert changed["strength_bits"] < group["strength_bits"]
    assert changed["share"] == float(Fraction("6313.3") / 100_000)


def test_what_if_nothing_changed_is_the_group_itself(platform, group):
    store = open_store(str(platform))
    inquiry = Inquiry.open(store, request_of(store.run("r")))
    same = what_if(inquiry, sorted(RING), Fraction(5, 100))
    for key in ("share", "holdings", "evidence_bits", "cost_bits", "strength_bits", "grade"):
        assert same[key] == group[key]
    assert same["reported"] is True


def test_why_names_what_ties_two_accounts(call, platform):
    code, out, _ = call("why", "r0", "r1")
    assert code == 0
    assert "flow, " in out
    assert "r0 sends" in out
    assert "r0 and r1 were both seen with one device" in out
    assert "in a component of 5 accounts that hold 3.00%" in out
    answer = json.loads(call("why", "r1", "r0", "--format", "json")[1])
    assert answer["accounts"] == ["r0", "r1"]
    assert {"flow", "identifier"} <= {tie["family"] for tie in answer["direct"]}
    assert all(tie["text"] for tie in answer["direct"])
    assert answer["fused_bits"] <= answer["direct_bits"]
    assert answer["direct_bits"] == pytest.approx(sum(tie["bits"] for tie in answer["direct"]))


def test_why_tells_when_two_are_joined_by_others_only(call, platform):
    answer = json.loads(call("why", "r0", "r5", "--format", "json")[1])
    assert answer["direct"] == []
    assert answer["merge"]["accounts"] == 10
    assert "Nothing ties r0 and r5 directly." in call("why", "r0", "r5")[1]


def test_why_tells_of_declarations(call, platform):
    _, out, _ = call("why", "c001", "c002")
    assert out.startswith("c001 and c002 were declared unrelated")
    _, out, _ = call("why", "c003", "c004")
    assert "declared to be one owner's by the board: one passport" in out


def test_why_tells_when_no_chain_leads_between_them(call, platform):
    _, out, _ = call("why", "r0", "shop")
    assert "They never come into one component" in out
    answer = json.loads(call("why", "r0", "shop", "--format", "json")[1])
    assert answer["merge"] is None


def test_why_begins_with_the_conclusion(call, platform, group):
    _, out, _ = call("why", "r0", "r5")
    assert out.startswith(f"Both are members of group {group['id']}.")
    answer = json.loads(call("why", "r0", "shop", "--format", "json")[1])
    assert answer["apart"] == [{"account": "shop", "as": "merchant"}]
    assert answer["conclusion"].startswith("They are not joined: what shop (merchant) does")
    answer = json.loads(call("why", "r0", "c100", "--format", "json")[1])
    assert answer["groups"] == [[], [group["id"]]]
    assert answer["conclusion"].startswith("They are not joined: ")


def test_why_tells_a_member_of_one_group_from_one_of_another(platform):
    inquiry = Inquiry.open(open_store(str(platform)), make_request((), ()))
    groups = [
        {"id": name, "members": [{"account": account} for account in accounts]}
        for name, accounts in (("first", ["r0", "r1"]), ("second", ["c100", "c101"]))
    ]
    answer = why(inquiry, "r0", "c100", groups)
    assert answer["groups"] == [["second"], ["first"]]
    assert "c100 is in group second and r0 in group first" in answer["conclusion"]


def test_show_begins_with_what_speaks_for_and_against(call, group):
    _, out, _ = call("show", group["id"])
    before, _, rest = out.partition("Why\n")
    assert "For it" in before
    assert "Against it" in before
    assert rest
    assert group["because"].startswith("They act as one: ")


def test_what_if_says_the_doubts_as_well(call, group):
    few = [word for member in ("r5", "r6", "r7", "r8", "r9") for word in ("--without", member)]
    _, out, _ = call("show", group["id"], *few)
    assert "Doubt (new), household: 5 of the 5 accounts share devices" in out
    changed = json.loads(call("show", group["id"], *few, "--format", "json")[1])["what_if"]
    assert "household" in [doubt["explanation"] for doubt in changed["doubts"]]
    assert changed["against"]
    assert changed["grade"] == "indication"


def test_why_by_the_facts_of_a_run(call, own_platform):
    (run,) = open_store(str(own_platform)).runs()
    before = call("why", "r0", "r1", "--run", run.id)[1]
    batch = next(b.batch for b in open_store(str(own_platform)).batches() if b.kind == "sightings")
    assert call("store", "withdraw", batch)[0] == 0
    assert "device" not in call("why", "r0", "r1")[1]
    assert call("why", "r0", "r1", "--run", run.id)[1] == before


def test_detectors_alone_and_lines_in_any_order_are_one_answer(call, platform):
    answers = [
        json.loads(call("detect", *words, "--no-save", "--format", "json")[1])["result_sha256"]
        for words in (
            ["links", "flow", "--line", "5%", "--line", "3%"],
            ["flow", "links", "--line", "0.03", "--line", "0.05", "--line", "3%"],
        )
    ]
    assert all(one == other for one, other in pairwise(answers))
