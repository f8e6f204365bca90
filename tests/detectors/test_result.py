"""The result as the contract says: its keys, its sums, its order."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from engine_helpers import FIVE_PERCENT, RING, Town, ask, members, settle

from detectors.engine.detect import detect
from detectors.engine.record import details, save
from detectors.engine.request import Request
from detectors.engine.result import group_id, result_sha256
from detectors.family import per_account_checks
from detectors.settings import DetectionSettings
from graph.clock import parse_time

AMOUNT = re.compile(r"(0|[1-9]\d*)(\.\d*[1-9])?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
SHA256 = re.compile(r"[0-9a-f]{64}")

RUN = {
    "id": (str, type(None)),
    "as_of": TIME,
    "known_at": int,
    "settings_sha256": SHA256,
    "seed": int,
    "permutations": int,
    "detectors": [str],
    "settings": dict,
    "exact_lines": [str],
    "seconds": dict.fromkeys(["read", "evidence", "propose", "judge", "doubt", "total"], float),
}
REASON = {
    "family": str,
    "source": re.compile("transfers|referrals|identifiers|purchases|links|holdings"),
    "bits": float,
    "text": str,
    "facts": [str],
}
MEMBER = {
    "account": str,
    "share": float,
    "share_without": float,
    "holdings": AMOUNT,
    "bits": float,
    "named": bool,
    "reasons": [str],
}
GROUP = {
    "id": re.compile("[0-9a-f]{12}"),
    "line": float,
    "parent": (str, type(None)),
    "share": float,
    "holdings": AMOUNT,
    "strength_bits": float,
    "evidence_bits": float,
    "cost_bits": float,
    "p_value": float,
    "grade": re.compile("conclusive|corroborated|indication"),
    "detectors": [str],
    "because": str,
    "against": str,
    "reasons": [REASON],
    "doubts": [{"explanation": str, "text": str, "settles": str, "explains": [str]}],
    "members": [MEMBER],
}
SCHEMA = {
    "schema": int,
    "run": RUN,
    "result_sha256": SHA256,
    "supply": AMOUNT,
    "base_rule": re.compile("stated|rolled|replayed"),
    "excluded": [str],
    "accounts": int,
    "pairs": int,
    "lines": [float],
    "message": (str, type(None)),
    "groups": [GROUP],
}


def conforms(value: Any, shape: Any, where: str = "result") -> None:
    """Fails where a value is not of a shape: exactly these keys, of these types."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        assert list(value) == list(shape), where
        for key, inner in shape.items():
            conforms(value[key], inner, f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for place, one in enumerate(value):
            conforms(one, shape[0], f"{where}[{place}]")
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str), where
        assert shape.fullmatch(value), f"{where}: {value}"
    else:
        assert isinstance(value, shape), f"{where}: {value!r}"
        assert isinstance(value, bool) == (shape is bool), where


@pytest.fixture(scope="module")
def result(world_store):
    """Several lines and the plain check in one, as it goes through JSON."""
    from detectors.family import detectors

    request = Request(
        list(detectors().values()),
        per_account_checks()["whale"],
        [FIVE_PERCENT, Fraction(3, 100), Fraction(1, 100)],
        permutations=19,
    )
    return json.loads(json.dumps(detect(world_store, request).result))


def test_the_json_is_the_contracts(result):
    assert result["schema"] == 1
    assert len(result["groups"]) > 5
    assert {len(group["members"]) == 1 for group in result["groups"]} == {True, False}
    conforms(result, SCHEMA)


def test_an_empty_result_is_the_contracts_and_says_why(tmp_path):
    town = Town()
    town.pay("a", "b")
    nobody = ask(settle(town, tmp_path))
    conforms(json.loads(json.dumps(nobody)), SCHEMA)
    assert nobody["groups"] == []
    assert "load holdings first" in nobody["message"]
    assert nobody["supply"] == "0"


def test_groups_by_share_then_id_and_members_by_share_then_name(result):
    groups = result["groups"]
    assert groups == sorted(groups, key=lambda group: (-group["share"], group["id"]))
    for group in groups:
        assert group["members"] == sorted(
            group["members"], key=lambda member: (-member["share"], member["account"])
        )
    assert len({group["id"] for group in groups}) == len(groups)


def test_the_bits_add_up(result):
    for group in result["groups"]:
        bits = sum(Decimal(str(reason["bits"])) for reason in group["reasons"])
        evidence, cost, strength = (
            Decimal(str(group[name])) for name in ("evidence_bits", "cost_bits", "strength_bits")
        )
        assert bits == evidence
        assert evidence - cost == strength
        assert group["detectors"] == sorted(reason["family"] for reason in group["reasons"])


def test_the_shares_are_exact(result):
    supply = Fraction(result["supply"])
    for group in result["groups"]:
        held = [Fraction(member["holdings"]) for member in group["members"]]
        assert sum(held) == Fraction(group["holdings"])
        assert group["share"] == float(sum(held) / supply)
        assert group["share"] >= group["line"]
        for member, own in zip(group["members"], held, strict=True):
            assert member["share"] == float(own / supply)
            assert member["share_without"] == float((sum(held) - own) / supply)


def test_an_order_names_those_whose_ties_say_enough(result):
    """And where these hold less than the line, no order can follow."""
    for group in result["groups"]:
        if group["detectors"] == ["whale"]:
            continue
        for member in group["members"]:
            assert member["named"] == (member["bits"] >= DetectionSettings().named_bits)
        named = sum(Fraction(one["holdings"]) for one in group["members"] if one["named"])
        if group["grade"] == "corroborated":
            assert named / Fraction(result["supply"]) >= Fraction("0.05")


def test_amounts_of_38_digits_stay_exact_to_the_last(tmp_path):
    town = Town()
    big, small = "12345678901234567890.123456789012345678", "0.000000000000000001"
    town.hold(["w0", "w1"], big)
    town.hold(["w2"], small)
    town.link("w0", "w1")
    town.link("w1", "w2")
    result = ask(settle(town, tmp_path))
    (group,) = result["groups"]
    assert members(group) == {"w0", "w1", "w2"}
    assert group["holdings"] == result["supply"] == "24691357802469135780.246913578024691357"
    assert [member["holdings"] for member in group["members"]] == [big, big, small]
    assert group["share"] == 1


def test_a_groups_id_follows_from_members_line_and_time_alone(result):
    as_of = parse_time(result["run"]["as_of"])
    lines = dict(zip(result["lines"], result["run"]["exact_lines"], strict=True))
    for group in result["groups"]:
        names = sorted(members(group), reverse=True)
        assert group["id"] == group_id(names, Fraction(lines[group["line"]]), as_of)
    one = result["groups"][0]
    names = list(members(one))
    others = {
        group_id(names, Fraction(1, 25), as_of),
        group_id(names[1:], FIVE_PERCENT, as_of),
        group_id(names, FIVE_PERCENT, parse_time("2026-01-01")),
    }
    assert len(others | {one["id"]}) == 4


def test_every_member_has_a_reason_that_names_it_and_a_member(result):
    for group in result["groups"]:
        names = members(group)
        for member in group["members"]:
            assert member["reasons"], f"{member['account']} of {group['id']}"
            for reason in member["reasons"]:
                assert member["account"] in reason
                if len(names) > 1:
                    assert any(other in reason for other in names - {member["account"]})


def test_the_facts_cited_are_there_and_name_members(town_store, town_result):
    (group,) = town_result["groups"]
    for reason in group["reasons"]:
        kind = {"transfers": "transfers", "identifiers": "sightings"}[reason["source"]]
        facts = town_store.facts(kind).collect()
        cited = facts.filter(facts["uid"].is_in(reason["facts"]))
        assert 0 < len(cited) == len(reason["facts"]) <= 20
        numbers = town_store.accounts().collect()
        ours = numbers.filter(numbers["account"].is_in(RING))["ix"]
        for column in ("src", "dst") if kind == "transfers" else ("account",):
            assert set(cited[column].to_list()) <= set(ours.to_list())


def test_the_reason_gives_figures_that_a_person_can_check(town_result):
    flow = next(
        reason for reason in town_result["groups"][0]["reasons"] if reason["family"] == "flow"
    )
    # each of ten deals with four others and with nobody else
    assert flow["text"].startswith(
        "100% of all that these 10 accounts move stays among them (dealings with institutions"
    )
    assert "sends 50% of its outgoing points to" in flow["text"]
    assert "receives 50% of its incoming points from it (8 transfers)" in flow["text"]


def test_the_digest_leaves_out_what_differs_between_equal_runs(world_result):
    same = json.loads(json.dumps(world_result))
    same["run"].update(id="r1", known_at=99, seconds={"total": 9.0})
    for group in same["groups"]:
        for reason in group["reasons"]:
            reason["facts"] = ["x"]
    assert result_sha256(same) == world_result["result_sha256"]
    for change in (
        lambda one: one["run"].update(seed=9),
        lambda one: one.update(supply="1"),
        lambda one: one["groups"][0].update(grade="conclusive"),
        lambda one: one["groups"][0]["members"].pop(),
    ):
        other = json.loads(json.dumps(world_result))
        change(other)
        assert result_sha256(other) != world_result["result_sha256"]


def test_a_saved_run_is_the_result_with_an_id_and_curves_that_cross(town_store):
    from detectors.family import detectors

    request = Request(list(detectors().values()), None, [FIVE_PERCENT], permutations=19)
    detection = detect(town_store, request)
    record = save(town_store, detection)
    kept = town_store.run(record.id)
    assert kept.result == detection.result
    assert kept.result["run"]["id"] == record.id
    (group,) = kept.result["groups"]
    detail = json.loads(json.dumps(details(detection)[group["id"]]))
    assert kept.details[group["id"]] == detail
    assert all(
        one[0] > other[0] for one, other in zip(detail["curve"], detail["curve"][1:], strict=False)
    )
    assert detail["own_curve"][-1][1:] == [pytest.approx(group["share"]), len(group["members"])]
    over = [point for point in detail["own_curve"] if point[1] >= 0.05]
    assert over[0][0] == detail["crosses_at_bits"]
    assert {name for tie in detail["ties"] for name in tie[:2]} == members(group)
