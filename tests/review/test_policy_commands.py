"""`inconcert policy`: what a platform does to put rules in force, by the commands it types."""

from __future__ import annotations

import io
import json
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from neo4j_servers import wipe

from graph.store import is_server, open_store
from review.policy import built_in, parse

NOW = "2026-06-01T12:00:00Z"


@pytest.fixture(autouse=True)
def _nothing_there(named):
    if is_server(named):
        wipe(named)


@pytest.fixture
def log(call, named):
    assert call("store", "init", named)[0] == 0
    return open_store(named).log


@pytest.fixture
def file(call, tmp_path):
    """Writes the template with some replacements into a file."""

    def file(*replacements, name="policy.toml"):
        text = call("policy", "template")[1]
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return file


def answer(call, *words):
    code, out, err = call("policy", *words, "--format", "json")
    assert (code, err) == (0, "")
    return json.loads(out)


# From the template to a policy in force


def test_the_template_can_be_published_as_it_is(call, log, file):
    code, out, err = call("policy", "publish", file(), "--filed", "notice board")
    assert (code, err) == (0, "")
    assert "takes effect at 2026-06-16 00:00+00:00 (UTC); published as event 1." in out
    assert log.head().number == 1
    (event,) = log.events("policy")
    assert (event.user, event.role, event.facts["filed"]) == ("ann", "senior", "notice board")
    assert event.facts["announced"] == NOW


def test_the_policy_in_force_is_shown_with_how_it_came(call, log, file):
    call("policy", "publish", file(("5%", "4.5%")))
    now, later = answer(call, "show"), answer(call, "show", "--at", "2026-06-16")
    assert (now["number"], now["origin"], now["announced"]) == (0, "built-in", None)
    assert now["followed_by"] == [{"number": 1, "effective_from": "2026-06-16T00:00:00Z"}]
    assert now["sha256"] == built_in().sha256
    assert (later["number"], later["origin"], later["announced"]) == (1, "published", NOW)
    assert later["sha256"] == parse(Path("policy.toml").read_text()).sha256
    assert later["differences"] == [
        "Rule 'account-freeze': line changes from 5 % to 4.5 %.",
        "Rule 'group-freeze': line changes from 5 % to 4.5 %.",
    ]
    text = call("policy", "show", "--at", "2026-06-16")[1]
    assert "Policy 1: Rules of the platform" in text
    assert "announced at 2026-06-01 12:00+00:00" in text
    assert "4.5 %" in text
    assert "Policy 1 (Rules of the platform) follows from" in call("policy", "show")[1]


def test_a_policy_is_compared_with_the_one_in_force_or_with_a_file(call, log, file):
    new = file(("red_from = 60", "red_from = 70"))
    old = file(name="old.toml")
    assert "says what the built-in policy says" in call("policy", "diff", old)[1]
    said = "score.red_from changes from 60 to 70."
    assert answer(call, "diff", new)["differences"] == [said]
    assert answer(call, "diff", new, old)["differences"] == [said]
    assert answer(call, "diff", old, new)["differences"] == [
        "score.red_from changes from 70 to 60."
    ]
    assert said in call("policy", "diff", new, old)[1]


def test_two_files_are_compared_without_a_store(call, file):
    code, out, _ = call("policy", "diff", file(), file(name="old.toml"))
    assert (code, "says what" in out) == (0, True)


def test_check_says_what_the_policy_is_known_by(call, file):
    name = file()
    assert answer(call, "check", name) == {
        "name": "Rules of the platform",
        "sha256": parse(Path(name).read_text()).sha256,
        "rules": 6,
        "effective_from": "2026-06-16T00:00:00Z",
    }
    assert "is sound: 6 rules" in call("policy", "check", name)[1]


def test_a_policy_comes_from_standard_input(call, log, file, monkeypatch):
    text = Path(file()).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
    assert call("policy", "publish", "-")[0] == 0
    assert log.head().number == 1


def test_old_rules_are_adopted_and_then_followed(call, log, file):
    old = file(("2026-06-16", "2025-01-01"), ("5%", "6%"))
    code, out, err = call(
        "policy", "adopt", old, "--announced", "2024-12-01", "--filed", "circular 7"
    )
    assert (code, err) == (0, "")
    assert "was in force from 2025-01-01 00:00+00:00 (UTC); adopted as event 1." in out
    shown = answer(call, "show")
    assert (shown["origin"], shown["filed"]) == ("adopted", "circular 7")
    assert shown["announced"] == "2024-12-01T00:00:00Z"
    assert "adopted, as in force before the store was made, by ann" in call("policy", "show")[1]
    assert call("policy", "publish", file(("5%", "4.5%")))[0] == 0
    assert answer(call, "show", "--at", "2026-07-01")["number"] == 2


def test_what_was_announced_before_says_where_it_is_filed(call, log, file):
    name = file(("2026-06-16", "2026-06-05"))
    code, _, err = call("policy", "publish", name, "--announced", "2026-05-20")
    assert (code, log.head().number) == (2, 0)
    assert "--filed" in err
    code, _, _ = call("policy", "publish", name, "--announced", "2026-05-20", "--filed", "no. 12")
    assert (code, log.head().number) == (0, 1)


def test_a_date_is_of_the_policys_time_zone(call, log, file):
    name = file(('"UTC"', '"Asia/Shanghai"'), ("2026-06-16", "2026-06-05"))
    call("policy", "publish", name, "--announced", "2026-05-20", "--filed", "no. 12")
    (event,) = log.events("policy")
    assert event.facts["announced"] == "2026-05-19T16:00:00Z"
    assert event.facts["effective_from"] == "2026-06-04T16:00:00Z"


# What is refused

REFUSED = {
    "announced too late": (("2026-06-16", "2026-06-15"), "Rule 'account-freeze' takes effect on"),
    "reaching back": (("2026-06-16", "2026-05-15"), "'account-freeze' would reach back"),
    "weights": (("age = 6", "age = 7"), "policy.toml: The weights of the score sum to 101"),
    "not TOML": (("[clock]", "[clock"), "policy.toml is not valid TOML"),
    "misspelt": (("warn_at", "warm_at"), "no setting 'warm_at'. Did you mean 'warn_at'?"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=REFUSED)
def test_a_refused_policy_changes_nothing(call, log, file, change, says):
    code, out, err = call("policy", "publish", file(change))
    assert (code, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1
    assert (log.head().number, log.views("policy")) == (0, {})


@pytest.mark.parametrize("words", [("check",), ("diff",), ("publish",), ("simulate",)])
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(call, log, tmp_path, words):
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    for name in ("nothing.toml", "folder", "binary.toml"):
        code, out, err = call("policy", *words, name)
        assert (code, out) == (1, "")
        assert err.startswith(f"inconcert: '{name}' ")
        assert err.count("\n") == 1


def test_a_time_that_is_none_is_told_in_a_sentence(call, log, file):
    name = file()
    for words in (
        ("show", "--at", "soon"),
        ("adopt", name, "--announced", "soon", "--filed", "x"),
        ("publish", name, "--announced", "soon", "--filed", "x"),
    ):
        code, _, err = call("policy", *words)
        assert (code, err.count("\n")) == (1, 1)
        assert "'soon' is not a time" in err


def test_without_a_store_nothing_is_published(call, file):
    code, out, err = call("policy", "publish", file())
    assert (code, out, err.count("\n")) == (1, "", 1)


def test_who_is_no_operator_does_not_act_for_another(call, log, file):
    code, out, err = call("policy", "publish", file(), "--as", "bob")
    assert (code, out) == (1, "")
    assert "may not act as bob" in err
    assert log.views("policy") == {}


# Simulation


@pytest.fixture
def town(call, log, tmp_path):
    """Holdings of 4 %, 3 % and exactly 5 % (a custodian), and two runs, a day apart."""
    rows = ["account,amount,at"]
    rows += ["rich,400,2026-05-01", "well-off,300,2026-05-01", "bank,500,2026-05-01"]
    rows += [f"a{number},88,2026-05-01" for number in range(100)]
    (tmp_path / "holdings.csv").write_text("\n".join([*rows, "well-off,200,2026-05-02"]))
    (tmp_path / "accounts.csv").write_text("account,role\nbank,custodian\n")
    for kind in ("holdings", "accounts"):
        assert call("load", kind, f"{kind}.csv")[0] == 0
    assert call("supply", "set", "10000", "--from", "2026-01-01")[0] == 0
    for day in ("2026-05-01", "2026-05-02"):
        assert call("detect", "--as-of", day, "--line", "5%", "--permutations", "0")[0] == 0
    return log


def test_simulation_counts_who_is_over_each_line_in_each_run(call, town, file):
    found = answer(call, "simulate", file())
    rules = {row["rule"]: row for row in found["rules"]}
    assert [run["as_of"][:10] for run in found["runs"]] == ["2026-05-02", "2026-05-01"]
    assert rules["account-notice"]["by_run"] == [2, 3]
    assert rules["account-letter"]["by_run"] == [2, 2]
    assert rules["account-freeze"]["by_run"] == [1, 1]
    assert rules["account-notice"]["distinct"] == 3
    assert rules["group-freeze"]["by_run"] == [0, 0]
    assert rules["group-letter"]["by_run"] == [None, None]
    assert [row["line"] for row in found["rules"]] == [
        float(Fraction(rule["line"]))
        for rule in parse(Path("policy.toml").read_text()).canonical["rules"]
    ]


def test_simulation_heeds_the_class_of_holder(call, town, file):
    name = file(('on = "account"', 'on = "account"\nroles = ["person", "merchant"]'))
    rules = {row["rule"]: row for row in answer(call, "simulate", name)["rules"]}
    assert rules["account-freeze"]["by_run"] == [0, 0]
    assert rules["account-letter"]["by_run"] == [1, 1]


def test_simulation_says_what_no_run_looked_for_and_changes_nothing(call, named, town, file):
    store = open_store(named)
    batches, runs = store.batches(), store.runs()
    code, out, err = call("policy", "simulate", file(), "--runs", "1")
    assert (code, err) == (0, "")
    assert "Over the line in 1 run, as of 2026-05-02" in out
    assert "No run looked for groups at 4 % or 3 %: `inconcert detect --line 4% --line 3%`" in out
    store = open_store(named)
    assert (store.batches(), store.runs(), town.head().number) == (batches, runs, 0)


def test_simulation_needs_a_run(call, log, file):
    code, out, err = call("policy", "simulate", file())
    assert (code, out) == (1, "")
    assert err == ("inconcert: No detection has been run on this store. Run `inconcert detect`.\n")
