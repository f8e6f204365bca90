"""Texts and CSV of findings."""

from __future__ import annotations

import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest

from graph.store import RunRecord
from reports.findings_csv import write_csv
from reports.findings_text import all_findings, finding, findings, show, to_text
from reports.wording import amount_text, headline, line_name, percent, printable, rounded, short


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("share", "beside", "text"),
    [
        (0.0686, None, "6.86 %"),
        (0.0, None, "0.00 %"),
        (0.00001234, None, "0.001 %"),
        (0.05, 0.05, "5.00 %"),
        (0.049999, 0.05, "4.9999 %"),
        (0.050004, 0.05, "5.0004 %"),
    ],
)
def test_a_share_never_looks_like_nothing_or_like_the_line_it_misses(
    share: float, beside: float | None, text: str
) -> None:
    assert percent(share, beside) == text


def test_numbers_and_names_as_read() -> None:
    assert line_name(0.05) == "5 %"
    assert line_name(0.055) == "5.5 %"
    assert amount_text("13794566.020000000000000001") == "13,794,566.020000000000000001"
    assert [rounded(one) for one in (0, 1234567.8, 12.345, 0.00123)] == [
        "0",
        "1,234,568",
        "12.3",
        "0.00123",
    ]
    assert short("0x00000000219ab540356cbb839cbe05303d7705fa") == "0x00000…7705fa"
    assert len(short("x" * 100)) == 14
    assert short("u0001") == "u0001"
    assert printable("a\x1b[31mb\nc") == "a�[31mb�c"


def test_the_headline_says_that_nobody_alone_is_seen(trio: dict[str, Any]) -> None:
    assert headline(trio) == (
        "3 accounts hold 6.00 % together; the largest alone holds 3.00 %, so no per-account "
        "check at 5 % sees them."
    )


def test_the_headline_names_a_member_over_the_line(make_group: Any, make_member: Any) -> None:
    one = make_group([make_member("big", 0.055, 0.01), make_member("wee", 0.01, 0.055)])
    assert headline(one).endswith(
        "big alone holds 5.50 % and is over the 5 % line by itself, the others add 1.00 %."
    )
    two = make_group([make_member("a", 0.06, 0.07), make_member("b", 0.07, 0.06)])
    assert headline(two).endswith(
        "2 of them are over the 5 % line by themselves, the others add 0.00 %."
    )
    alone = make_group([make_member("big", 0.055, 0.0)])
    assert headline(alone) == "big alone holds 5.50 %: the per-account check at 5 % sees it."


def test_the_sum_of_bits_can_be_checked_by_hand(trio: dict[str, Any]) -> None:
    text = to_text(finding(trio))
    bits = [
        Decimal(number.replace(",", ""))
        for number in re.findall(r"^ +[+=-]? ?([\d,]+\.\d{3})  ", text, re.MULTILINE)
    ]
    flow, identifier, evidence, cost, strength = bits
    assert flow + identifier == evidence == Decimal("150.250")
    assert evidence - cost == strength == Decimal("103.117")


def test_the_sum_of_bits_of_a_real_finding_is_right(run: RunRecord) -> None:
    (group,) = run.result["groups"]
    text = to_text(finding(group))
    bits = [
        (sign, Decimal(number.replace(",", "")))
        for sign, number in re.findall(r"^ +([+=-]?) ?([\d,]+\.\d{3})  ", text, re.MULTILINE)
    ]
    reasons = [number for sign, number in bits if sign in ("", "+")]
    evidence, strength = (number for sign, number in bits if sign == "=")
    (cost,) = (number for sign, number in bits if sign == "-")
    assert len(reasons) == len(group["reasons"]) > 1
    assert sum(reasons) == evidence
    assert evidence - cost == strength


def test_a_group_shows_reasons_doubts_and_members(trio: dict[str, Any]) -> None:
    trio["doubts"] = [
        {"explanation": "club", "text": "They may be a club.", "settles": "Who runs it."}
    ]
    text = to_text(finding(trio))
    assert "club: They may be a club." in text
    assert "What would settle it: Who runs it." in text
    assert re.search(r"ann +3\.00 % +3\.00 % ▼ +12\.2 +ann sends to bob\n", text)
    assert re.search(r"cyd +1\.00 % +5\.00 % +12\.2 +–\n", text)
    assert "▼ without this account the group is below 5 %" in text


def test_members_of_whom_it_is_not_sure_enough_are_marked(trio: dict[str, Any]) -> None:
    cyd = trio["members"][2]
    cyd |= {"bits": 3.999, "named": False}
    del trio["members"][1]["bits"]  # as runs of earlier versions
    text = to_text(finding(trio))
    assert re.search(r"cyd +1\.00 % +5\.00 % +4\.0 \? +–\n", text)
    assert re.search(r"bob +2\.00 % +4\.00 % ▼ +– +", text)
    unsure = "? too few bits to name it in an order: 1 of 3 members, who hold 1.00 % together"
    assert unsure in flat(text)


def test_long_groups_are_cut_and_the_rest_is_added_up(make_group: Any, make_member: Any) -> None:
    many = make_group([make_member(f"m{i:02}", 0.002, 0.058) for i in range(30)])
    assert "… and 10 more, who hold 2.00 % together" in to_text(finding(many))
    assert "m19" in to_text(finding(many))
    assert "m20" not in to_text(finding(many))
    assert "m29" in to_text(finding(many, None))
    assert "more, who hold" not in to_text(finding(many, None))


@pytest.mark.parametrize("width", [80, 95, 96, 120, 200])
def test_the_table_fits_and_loses_nothing(
    trio: dict[str, Any], make_result: Any, width: int
) -> None:
    trio["doubts"] = [{"explanation": "household", "text": "", "settles": ""}]
    text = to_text(findings(make_result(trio)), width)
    assert max(map(len, text.splitlines())) <= width
    for said in (trio["id"], "6.00 %", "3.00 %", "corroborated", "103", "identifier", "household"):
        assert said in text
    assert "…" not in text
    assert "1 finding at or over 5 % among 20,000 accounts" in flat(text)


def test_grades_are_explained_where_they_appear(trio: dict[str, Any], make_result: Any) -> None:
    text = flat(to_text(findings(make_result(trio))))
    assert "corroborated two kinds of fact agree" in text
    assert "indication one kind" not in text


def test_nothing_found_gives_the_results_message(make_result: Any) -> None:
    result = make_result(message="No group was found at or over the line (0.05 of all).")
    assert to_text(findings(result)) == "No group was found at or over the line (0.05 of all).\n"
    assert to_text(all_findings(result)) == to_text(findings(result))


def test_who_is_in_two_groups_is_said_and_lines_without_any(
    make_group: Any, make_member: Any, make_result: Any
) -> None:
    def group(name: str, *accounts: str) -> dict[str, Any]:
        return {**make_group([make_member(one, 0.03, 0.03) for one in accounts]), "id": name}

    both = make_result(group("abc", "ann", "bob", "cyd"), group("def", "cyd", "dan", "eve"))
    said = flat(to_text(findings({**both, "lines": [0.05, 0.3]})))
    assert "cyd is in both abc and def, and counts in each." in said
    assert "by itself. None at or over 30 %." in said
    many = to_text(findings(make_result(*(group(f"g{n}", "ann", f"x{n}") for n in range(4)))))
    assert many.count("ann is in both ") == 5
    assert "Members are shared by 1 more pair of groups." in many
    inside = make_result(group("abc", "ann", "bob", "cyd"), group("def", "ann", "bob"))
    said = flat(to_text(findings(inside)))
    assert "both" not in said
    assert "None at" not in said


def test_a_single_account_is_shown_without_bits(
    make_group: Any, make_member: Any, make_result: Any
) -> None:
    reason = {
        "family": "whale",
        "source": "holdings",
        "bits": 0.0,
        "text": "big alone holds 5.5%",
        "facts": [],
    }
    whale = make_group(
        [make_member("big", 0.055, 0.0)],
        reasons=[reason],
        detectors=["whale"],
        grade="conclusive",
        p_value=None,
    )
    text = to_text(finding(whale))
    assert "big alone holds 5.5%" in text
    assert "evidence" not in text
    table = flat(to_text(findings(make_result(whale))))
    assert table.startswith("1 single account at or over 5 % among 20,000 accounts.")
    assert "each bit" not in table


def test_account_ids_are_shown_as_they_are_and_cannot_act(
    make_group: Any, make_member: Any
) -> None:
    odd = make_group(
        [make_member("[red]x[/red] :smile:", 0.04, 0.02), make_member("\x1b[2J", 0.02, 0.04)]
    )
    text = to_text(finding(odd))
    assert "[red]x[/red] :smile:" in text
    assert "\x1b" not in text


def test_a_pipe_gets_no_colour(trio: dict[str, Any], make_result: Any) -> None:
    stream = io.StringIO()
    show(all_findings(make_result(trio)), stream)
    assert "\x1b" not in stream.getvalue()
    assert "Group abc123def456" in stream.getvalue()


def test_csv_is_one_row_a_member(trio: dict[str, Any], make_result: Any) -> None:
    trio["members"][0]["account"] = 'ann, "the first"'
    stream = io.StringIO()
    write_csv(make_result(trio), stream)
    assert stream.getvalue() == (
        "group,line,group_share,grade,account,share,share_without\n"
        'abc123def456,0.05,0.060000000000000005,corroborated,"ann, ""the first""",0.03,0.03\n'
        "abc123def456,0.05,0.060000000000000005,corroborated,bob,0.02,0.04\n"
        "abc123def456,0.05,0.060000000000000005,corroborated,cyd,0.01,0.05\n"
    )


def test_csv_of_nothing_is_a_header(make_result: Any) -> None:
    stream = io.StringIO()
    write_csv(make_result(), stream)
    assert stream.getvalue() == "group,line,group_share,grade,account,share,share_without\n"


def test_texts_do_not_change_the_result(trio: dict[str, Any], make_result: Any) -> None:
    result = make_result(trio)
    before = json.dumps(result)
    to_text(all_findings(result))
    assert json.dumps(result) == before
