"""The policy: what its text may say, what follows from a share, what may be published."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.errors import UserError
from graph.log import Actor
from graph.schema import ROLES
from review.policy import (
    ACTIONS,
    INDICATORS,
    Role,
    built_in,
    crossed,
    default_toml,
    lines,
    parse,
    restore,
    template,
)
from review.policy_changes import changed_rules, differences, refuse_late
from review.policy_check import contradictions
from review.policy_history import adopt, entries, entry_in_force, in_force, project_policy, publish

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
IN_TIME = date(2026, 6, 20)
ANN = Actor("ann", "ann", "operator")
TEXT = template(IN_TIME)

PROMOTION = """
[[rules]]
id = "promotion"
on = "account"
line = "3%"
action = "freeze"
level = "red"
from = 2026-07-01
until = 2026-07-15
"""


def with_rule(rule: str, text: str = TEXT) -> str:
    return text.replace("[levels.red]", f"{rule}\n[levels.red]")


def ids(rules):
    return [rule.id for rule in rules]


# What the built-in policy says


def test_the_built_in_policy_is_notice_at_3_letter_at_4_freeze_at_5_percent():
    policy = built_in()
    for on in ("account", "group"):
        assert crossed(policy, on, Fraction(299, 10_000), None, NOW) == []
        assert ids(crossed(policy, on, Fraction(5, 100), None, NOW)) == [
            f"{on}-freeze",
            f"{on}-letter",
            f"{on}-notice",
        ]
    freezes = [rule for rule in policy.rules if rule.action == "freeze"]
    assert [rule.review_hours for rule in freezes] == [48, 48]
    assert policy.rule("account-freeze").immediate
    assert not policy.rule("group-freeze").immediate
    assert not policy.rule("group-freeze").provisional
    assert policy.rule("account-notice").once
    assert policy.built_in
    assert policy.by_severity() == ["red", "yellow", "blue"]
    assert policy.clock.warn_at == (0.5, 0.8)
    assert policy.announce_days == 15
    assert lines(policy, NOW) == [Fraction(5, 100), Fraction(4, 100), Fraction(3, 100)]


def test_the_score_has_twelve_indicators_whose_weights_are_100():
    assert len(INDICATORS) == 12
    assert sum(built_in().score.weights.values()) == 100
    assert set(built_in().score.weights) == set(INDICATORS)


def test_the_roles_are_those_of_facts():
    assert Role.__args__ == ROLES


def test_the_template_is_sound_and_is_the_built_in_policy_but_for_name_and_date():
    policy = parse(TEXT)
    assert differences(built_in(), policy) == []
    assert not policy.built_in
    assert policy.effective_from == datetime(2026, 6, 20, tzinfo=UTC)


def test_the_policy_is_quick_to_import():
    heavy = ("polars", "numpy", "pyarrow", "networkx", "narwhals")
    script = (
        "import sys, review.policy_history\n"
        f"sys.exit(str([name for name in {heavy!r} if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == ""


# Lines are exact


def test_exactly_5_percent_is_over_a_line_of_5_percent():
    least = Fraction(1, 10**38)
    line = Fraction(5, 100)
    assert "account-freeze" in ids(crossed(built_in(), "account", line, None, NOW))
    assert "account-freeze" not in ids(crossed(built_in(), "account", line - least, None, NOW))


@pytest.mark.parametrize("line", ['"5%"', '"5 %"', "0.05", '"0.05"', "5e-2", '"1/20"', '"5.00%"'])
def test_a_line_is_one_number_however_it_is_written(line):
    assert parse(TEXT.replace('"5%"', line)).sha256 == parse(TEXT).sha256


@given(st.fractions(0, 1), st.fractions(0, 1), st.sampled_from([None, *ROLES]))
def test_a_larger_share_crosses_no_fewer_lines(one, other, role):
    small, large = sorted((one, other))
    for on in ("account", "group"):
        below, above = (ids(crossed(built_in(), on, share, role, NOW)) for share in (small, large))
        assert set(below) <= set(above)


@given(st.fractions(0, 1))
def test_the_strongest_action_comes_first(share):
    found = crossed(
        parse(with_rule(PROMOTION)), "account", share, None, datetime(2026, 7, 2, tzinfo=UTC)
    )
    strength = [(ACTIONS.index(rule.action), rule.line) for rule in found]
    assert all(one >= other for one, other in pairwise(strength))


# Time and holders


def test_a_temporary_line_holds_from_its_start_until_before_its_end():
    policy = parse(with_rule(PROMOTION))
    share = Fraction(3, 100)
    begin, end = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    holds = {
        at: "promotion" in ids(crossed(policy, "account", share, None, at))
        for at in (begin - moment, begin, end - moment, end)
    }
    assert list(holds.values()) == [False, True, True, False]


def test_times_without_a_zone_are_of_the_policys_own_zone():
    policy = parse(with_rule(PROMOTION).replace('"UTC"', '"Asia/Shanghai"'))
    assert policy.effective_from == datetime(2026, 6, 19, 16, tzinfo=UTC)
    assert policy.rule("promotion").begins == datetime(2026, 6, 30, 16, tzinfo=UTC)
    other = TEXT.replace("= 2026-06-20", "= 2026-06-20T08:00:00+08:00")
    assert parse(other).sha256 == parse(TEXT).sha256


def test_a_line_by_class_of_holder_holds_for_that_class_alone():
    text = TEXT.replace('line = "5%"', 'line = "5%"\nroles = ["person", "merchant"]', 1)
    higher = PROMOTION.split("from =")[0].replace("3%", "10%") + 'roles = ["custodian"]'
    policy = parse(with_rule(higher, text))
    share = Fraction(6, 100)
    frozen = {
        role: "freeze" in [rule.action for rule in crossed(policy, "account", share, role, NOW)]
        for role in (None, "person", "custodian", "issuer")
    }
    assert frozen == {None: True, "person": True, "custodian": False, "issuer": False}
    assert Fraction(10, 100) in lines(policy, NOW)


# One hash for one policy


def test_the_order_and_the_spelling_of_the_text_do_not_matter():
    head, *rules = TEXT.split("[levels.red]")[0].split("[[rules]]")
    rest = "[levels.red]" + TEXT.split("[levels.red]")[1]
    turned = head + rest + "".join("\n[[rules]]" + rule for rule in reversed(rules))
    plain = "\n".join(line.split("#")[0].strip() for line in turned.splitlines())
    assert parse(plain).sha256 == parse(TEXT).sha256


@given(st.permutations(INDICATORS), st.permutations(["red", "yellow", "blue"]), st.booleans())
def test_the_hash_does_not_depend_on_the_order_of_tables(indicators, levels, zeros):
    canonical = json.loads(json.dumps(parse(TEXT).canonical))
    canonical["levels"] = {name: canonical["levels"][name] for name in levels}
    weights = canonical["score"]["weights"]
    canonical["score"]["weights"] = {
        name: f"{weights[name]}/1" if zeros else weights[name] for name in indicators
    }
    assert restore(canonical, "it").sha256 == parse(TEXT).sha256


def test_what_is_left_out_is_what_stands_in_the_default():
    short = TEXT.split("[levels.red]")[0]
    assert parse(short).sha256 == parse(TEXT).sha256


def test_every_change_of_what_is_said_changes_the_hash():
    texts = [
        TEXT,
        TEXT.replace("5%", "5.1%"),
        TEXT.replace("review_hours = 48", "review_hours = 47"),
        TEXT.replace("pro_rata", "first_in_first_out", 1),
        TEXT.replace("age = 6", "age = 7").replace("speed = 8", "speed = 7"),
        TEXT.replace("2026-06-20", "2026-06-21"),
        with_rule(PROMOTION),
    ]
    assert len({parse(text).sha256 for text in texts}) == len(texts)


def test_a_policy_comes_back_from_its_canonical_form():
    policy = parse(with_rule(PROMOTION))
    again = restore(json.loads(json.dumps(policy.canonical)), "it")
    assert (again, again.sha256) == (policy, policy.sha256)


def test_weights_are_exact():
    halves = TEXT.replace("age = 6", "age = 6.1").replace("speed = 8", "speed = 7.9")
    assert parse(halves).score.weights["age"] == Fraction(61, 10)
    with pytest.raises(UserError, match=r"sum to 100\.1, not to 100"):
        parse(TEXT.replace("age = 6", "age = 6.1"))


# Bad texts

BAD = {
    "not TOML": ("[[rules]]\n", "[rules\n", "not valid TOML"),
    "a huge number": ('"5%"', "1e999999999999999999999", "too large"),
    "a bare 5": ('"5%"', "5", "rule 'account-freeze': line: 5 could mean anything; write \"5%\""),
    "a line of 100 %": ('"5%"', '"100%"', "below 100 %"),
    "a line of 0": ('"5%"', "0.0", "above 0"),
    "no line": ('"5%"', '"much"', "is not a line"),
    "nan": ('"5%"', "nan", "is not a line"),
    "divided by 0": ('"5%"', '"1/0"', "is not a line"),
    "a misspelt setting": ("line =", "lnie =", "no setting 'lnie'. Did you mean 'line'"),
    "an unknown action": ('"freeze"', '"fine"', "'notice', 'letter' or 'freeze', not 'fine'"),
    "an unknown level": (
        'level = "red"',
        'level = "pink"',
        "'account-freeze' names the level 'pink'",
    ),
    "no id": ('id = "account-letter"', "", "rule 2: 'id' is missing"),
    "equal ids": ('"account-letter"', '"account-freeze"', "2 rules with the id 'account-freeze'"),
    "an unknown zone": ('"UTC"', '"Mars/Base"', "no time zone 'Mars/Base'"),
    "a path as zone": ('"UTC"', '"../etc/passwd"', "no time zone"),
    "no time": ("= 2026-06-20", '= "soon"', "'soon' is not a time"),
    "a time too early": ("= 2026-06-20", "= 0001-01-01T00:00:00+08:00", "is not a time"),
    "weights": ("age = 6", "age = 5", "The weights of the score sum to 99, not to 100"),
    "a negative weight": ("age = 6", "age = -6", "from 0 to 100"),
    "an unknown indicator": ("age = 6", "ago = 6", "no indicator 'ago'"),
    "a letter that comes too late": (
        '"4%"',
        '"6%"',
        "'account-letter' (letter at 6 %) comes too late",
    ),
    "a freeze without a review": (
        "review_hours = 48",
        "",
        "'account-freeze' freezes without review_hours",
    ),
    "no time to review": ("review_hours = 48", "review_hours = 0", "greater than 0"),
    "a freeze given once": (
        'level = "red"',
        'level = "red"\nonce = true',
        "only a notice is given once",
    ),
    "a letter at once": (
        'level = "yellow"',
        'level = "yellow"\nimmediate = true',
        "'account-letter' is a letter; immediate is of a freeze only",
    ),
    "a provisional account": (
        'level = "red"',
        'level = "red"\nprovisional = true',
        "of groups only",
    ),
    "until before from": (
        'level = "red"',
        'level = "red"\nfrom = 2026-08-02\nuntil = 2026-08-01',
        "'account-freeze' ends before it begins",
    ),
    "over before it starts": (
        'level = "red"',
        'level = "red"\nuntil = 2026-06-19',
        "ends before the policy",
    ),
    "an unknown role": ('level = "red"', 'level = "red"\nroles = ["king"]', "not 'king'"),
    "levels of one severity": ("severity = 2", "severity = 3", "equally severe"),
    "a warning after the end": ("[0.5, 0.8]", "[0.5, 1.8]", "less than 1"),
    "an unknown expiry": ('"unfreeze_and_escalate"', '"nothing"', "not 'nothing'"),
    "half a day": ("announce_days = 15", "announce_days = 1.5", "announce_days"),
    "yes for true": ("once = true", 'once = "yes"', "boolean"),
    "one rule only": ("[[rules]]", "[rules]", ""),
    "an endless name": ('name = "Rules', f'name = "{"R" * 600}', "500 characters"),
}


@pytest.mark.parametrize(("old", "new", "says"), BAD.values(), ids=BAD)
def test_a_wrong_text_is_told_in_one_sentence(old, new, says):
    assert old in TEXT
    with pytest.raises(UserError) as caught:
        parse(TEXT.replace(old, new))
    assert says in caught.value.sentence
    assert "\n" not in caught.value.sentence
    assert len(caught.value.sentence) < 300


@given(st.text(max_size=200))
def test_no_text_is_a_fault_of_ours(text):
    with pytest.raises(UserError):
        parse(text)


@given(
    st.sampled_from(
        [line for line in TEXT.splitlines() if "=" in line and not line.startswith("#")]
    ),
    st.sampled_from(
        ["[]", "{}", "-1", "inf", "true", '""', "1979-05-27", "07:32:00", "[1, [2]]", '"\\u0000"']
    ),
)
def test_no_value_is_a_fault_of_ours(line, value):
    with suppress(UserError):
        parse(TEXT.replace(line, f"{line.split('=')[0]} = {value}", 1))


def test_a_group_is_not_frozen_at_once_but_provisionally():
    *head, last = TEXT.split('level = "red"')
    with pytest.raises(UserError, match="'group-freeze' freezes a group at once"):
        parse('level = "red"'.join(head) + 'level = "red"\nimmediate = true' + last)
    policy = parse('level = "red"'.join(head) + 'level = "red"\nprovisional = true' + last)
    assert policy.rule("group-freeze").provisional


def test_a_temporary_line_may_be_stricter_than_what_holds_always():
    assert contradictions(parse(with_rule(PROMOTION))) == []
    always = "\n".join(line for line in PROMOTION.splitlines() if "2026" not in line)
    with pytest.raises(UserError, match=r"'account-letter' .* comes too late"):
        parse(with_rule(always))


def test_rules_for_different_holders_do_not_contradict_each_other():
    text = TEXT.replace('line = "4%"', 'line = "6%"\nroles = ["custodian"]', 1)
    text = text.replace('line = "5%"', 'line = "5%"\nroles = ["person"]', 1)
    assert contradictions(parse(text)) == []


def test_two_rules_that_say_the_same_are_refused():
    twice = TEXT.split("[[rules]]")[3].replace("account-freeze", "again")
    with pytest.raises(UserError, match="'account-freeze' and 'again' both say freeze at 5 %"):
        parse(with_rule("[[rules]]" + twice))


# Announcements


def test_a_rule_is_announced_15_days_before():
    policy = parse(TEXT)
    refuse_late(policy, datetime(2026, 6, 5, 23, 59, tzinfo=UTC), None)
    with pytest.raises(UserError, match="14 days after its announcement on 2026-06-06") as caught:
        refuse_late(policy, datetime(2026, 6, 6, tzinfo=UTC), None)
    assert "'account-freeze'" in caught.value.sentence
    assert "2026-06-21" in caught.value.hint


def test_days_are_counted_in_the_policys_zone():
    policy = parse(TEXT.replace('"UTC"', '"Asia/Shanghai"'))
    refuse_late(policy, datetime(2026, 6, 5, 15, 59, tzinfo=UTC), None)
    with pytest.raises(UserError):
        refuse_late(policy, datetime(2026, 6, 5, 16, tzinfo=UTC), None)


def test_a_rule_that_begins_later_may_be_announced_later_than_its_policy():
    old, new = parse(TEXT), parse(with_rule(PROMOTION, TEXT.replace("06-20", "06-21")))
    refuse_late(new, datetime(2026, 6, 16, tzinfo=UTC), old)
    with pytest.raises(UserError, match="'promotion'"):
        refuse_late(new, datetime(2026, 6, 17, tzinfo=UTC), old)


def test_what_does_not_change_is_not_announced_again():
    old = parse(TEXT)
    new = parse(
        TEXT.replace("06-20", "06-21")
        .replace("age = 6", "age = 7")
        .replace("speed = 8", "speed = 7")
    )
    assert changed_rules(new, old) == []
    refuse_late(new, datetime(2026, 6, 20, tzinfo=UTC), old)


def test_a_rule_changes_with_its_level_and_with_what_follows_a_freeze():
    old = parse(TEXT)
    shorter = parse(TEXT.replace("review_hours = 120", "review_hours = 100"))
    assert ids(changed_rules(shorter, old)) == ["account-letter", "group-letter"]
    harder = parse(TEXT.replace("unfreeze_and_escalate", "escalate", 1))
    assert ids(changed_rules(harder, old)) == ["account-freeze", "group-freeze"]


def test_a_shorter_announcement_is_itself_announced_by_the_longer_one():
    new = parse(TEXT.replace("announce_days = 15", "announce_days = 1").replace("5%", "4.5%"))
    with pytest.raises(UserError, match="at least 15 days"):
        refuse_late(new, datetime(2026, 6, 15, tzinfo=UTC), None)


def test_differences_are_told_rule_by_rule():
    old = parse(TEXT)
    new = parse(
        with_rule(PROMOTION, TEXT.replace('"4%"', '"4.5%"', 1)).replace(
            "red_from = 60", "red_from = 70"
        )
    )
    assert differences(old, new) == [
        "Rule 'account-letter': line changes from 4 % to 4.5 %.",
        "Rule 'promotion' is new: accounts at 3 %: freeze, level red, review within 48 hours, at "
        "once, from 2026-07-01 00:00+00:00, until 2026-07-15 00:00+00:00.",
        "score.red_from changes from 60 to 70.",
    ]
    assert "Rule 'promotion' is gone" in " ".join(differences(new, old))
    assert differences(old, old) == []


# The history


@pytest.fixture
def log(store, monkeypatch):
    monkeypatch.setenv("INCONCERT_NOW", "2026-06-01T12:00:00Z")
    return store.log


def published(log, text=TEXT, **how):
    return log.write(lambda desk: publish(desk, ANN, text, **how), project_policy)


def adopted(log, text, announced="2020-01-01", filed="board 7", **how):
    announced = datetime.fromisoformat(announced).replace(tzinfo=UTC)
    return log.write(lambda desk: adopt(desk, ANN, text, announced, filed, **how), project_policy)


def at(day):
    return datetime.fromisoformat(day).replace(tzinfo=UTC)


def test_a_published_policy_holds_from_its_day_on(log):
    entry = published(log, TEXT.replace("5%", "4.5%"), filed="notice board")
    assert (entry.number, entry.origin, entry.announced) == (1, "published", NOW)
    assert (entry.user, entry.filed) == ("ann", "notice board")
    assert len(entry.differences) == 2
    views = log.views("policy")
    assert in_force(views, at("2026-06-19")).built_in
    assert entry_in_force(views, at("2026-06-19")).origin == "built-in"
    assert in_force(views, at("2026-06-20")).sha256 == entry.policy.sha256
    (event,) = log.events("policy")
    assert event.facts["sha256"] == entry.policy.sha256
    assert event.facts["effective_from"] == "2026-06-20T00:00:00Z"


def test_each_policy_takes_effect_after_the_one_before_it(log):
    published(log)
    for day in ("2026-06-20", "2026-06-18"):
        with pytest.raises(UserError, match="Policy 1 takes effect at 2026-06-20"):
            published(log, template(date.fromisoformat(day)).replace("5%", "4.5%"))
    second = published(log, template(date(2026, 6, 25)).replace("5%", "4.5%"))
    assert second.number == 2
    assert [entry.number for entry in entries(log.views("policy"))] == [1, 2]
    assert in_force(log.views("policy"), at("2026-06-24")) == entries(log.views("policy"))[0].policy


REFUSED = {
    "too late": (template(date(2026, 6, 15)), {}, "14 days after its announcement"),
    "reaching back": (template(date(2026, 5, 1)), {}, "'account-freeze' would reach back"),
    "reaching back, though announced": (
        template(date(2026, 5, 1)),
        {"announced": datetime(2026, 1, 1, tzinfo=UTC), "filed": "board"},
        "'account-freeze' would reach back",
    ),
    "a rule from before the policy": (
        TEXT.replace('"red"', '"red"\nfrom = 2026-06-02', 1),
        {},
        "'account-freeze' would reach back: it says from 2026-06-02",
    ),
    "announced in future": (TEXT, {"announced": datetime(2026, 6, 2, tzinfo=UTC)}, "still to come"),
    "the built-in name": (TEXT.replace("Rules of the platform", "built-in"), {}, "program's own"),
    "wrong": (TEXT.replace("age = 6", "age = 5"), {}, "sum to 99"),
    "an endless reference": (TEXT, {"filed": "x" * 600}, "500 characters"),
}


@pytest.mark.parametrize(("text", "how", "says"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_leaves_no_trace(log, text, how, says):
    with pytest.raises(UserError) as caught:
        published(log, text, **how)
    assert says in caught.value.sentence
    assert log.views("policy") == {}
    assert log.head().number == 0


def test_rules_from_before_the_store_are_adopted_and_marked(log):
    entry = adopted(log, template(date(2020, 2, 1)))
    assert (entry.origin, entry.filed, entry.announced) == ("adopted", "board 7", at("2020-01-01"))
    assert not in_force(log.views("policy"), at("2021-01-01")).built_in
    later = published(log, TEXT)
    assert (later.number, later.differences) == (2, ())


def test_after_an_adoption_only_what_changes_is_announced(log):
    adopted(log, template(date(2020, 2, 1)))
    changed = (
        template(date(2026, 6, 3)).replace("age = 6", "age = 7").replace("speed = 8", "speed = 7")
    )
    assert published(log, changed).number == 2


@pytest.mark.parametrize(
    ("day", "how", "says"),
    [
        ("2026-06-02", {}, "before the store was made"),
        ("2026-05-02", {"made": datetime(2026, 5, 1, tzinfo=UTC)}, "before the store was made"),
        ("2019-12-31", {}, "would reach back"),
        ("2020-02-01", {"filed": " "}, "says where its announcement was filed"),
    ],
)
def test_what_cannot_be_adopted(log, day, how, says):
    with pytest.raises(UserError, match=says):
        adopted(log, template(date.fromisoformat(day)), **how)
    assert log.head().number == 0


def test_a_policy_that_a_newer_version_wrote_is_told_in_a_sentence(log):
    published(log)
    views = log.views("policy")
    views["1"]["policy"]["rules"][0]["curfew"] = "22:00"
    with pytest.raises(UserError, match=r"Policy 1 of the log: rule .* no setting 'curfew'"):
        in_force(views, at("2027-01-01"))


def test_a_view_that_was_changed_is_not_believed(log):
    published(log)
    views = log.views("policy")
    views["1"]["policy"]["rules"][0]["line"] = "1/2"
    with pytest.raises(UserError, match="not the one whose digest it bears"):
        in_force(views, at("2027-01-01"))


def test_the_default_text_is_whole():
    assert parse(default_toml()).sha256 == built_in().sha256
