"""A holder's page says what is theirs to know, and nothing of anybody else's."""

from __future__ import annotations

import json
import re
import stat

import pytest
from appeal_worlds import (
    ACCOUNTS,
    ANN,
    BOB,
    case_of,
    confirm,
    do,
    load,
    members_of,
    policy,
    review,
    say,
)
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from graph.digest import mask
from graph.errors import UserError
from graph.snapshot import snapshot
from reports.holder_page import as_text, page_text
from review import desk as at
from review import moves
from review.holder import BASES, DOUBTS, OTHERWISE, STATES, VERDICTS, holder_page, told, told_of


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "masked"])
def masking(request):
    """Of the module: a server is filled anew when it changes, once instead of for each test."""
    return request.param


@pytest.fixture
def store(masking, made_world, place):
    return made_world(masking).at(place)


@pytest.fixture
def case(store):
    return case_of(store)["id"]


def both(store, key, account):
    """The page as a document and as text."""
    page = holder_page(store, policy(store), key, account)
    return page, as_text(page_text(page))


def words_of(text):
    return set(re.findall(r"[\w.-]+", text))


def test_no_page_of_any_case_names_anybody_or_anything_else(store):
    everybody = set(snapshot(store).accounts["account"].to_list())
    sightings = set(store.facts("sightings").collect()["digest"].to_list())
    uids = {
        uid
        for kind in ("transfers", "sightings", "purchases", "referrals")
        for uid in store.facts(kind).collect()["uid"].to_list()
    }
    seen = set()
    for key in store.log.views("case"):
        for member in members_of(store, key):
            account = member["account"]
            page, text = both(store, key, account)
            said = json.dumps(page) + text
            assert words_of(said) & (everybody | sightings | uids) == {account}
            others = {one["account"] for one in members_of(store, key)} - {account}
            assert not [one for one in others if one in said]
            held = {one["holdings"] for one in members_of(store, key)} - {member["holdings"]}
            assert not held & words_of(said.replace(",", ""))
            seen.update(page["reasons"])
    assert len(seen) > 5


def test_every_sentence_of_real_findings_is_known(store):
    for key, case in store.log.views("case").items():
        if case["on"] == "group":
            for member in members_of(store, key):
                page, _ = both(store, key, member["account"])
                assert OTHERWISE not in page["reasons"]


def test_the_figures_are_those_of_the_case(store, case):
    members = members_of(store, case)
    found = store.log.view("case", case)
    page, text = both(store, case, members[0]["account"])
    assert page["own"] == {"holdings": members[0]["holdings"], "share": members[0]["share"]}
    assert page["group"]["others"] == len(members) - 1
    assert page["group"]["share"] == found["share"]
    assert page["group"]["others_share"] == pytest.approx(sum(m["share"] for m in members[1:]))
    assert page["rule"]["id"] == "group-freeze"
    assert page["rule"]["line"] == 0.05
    assert "the account is frozen and looked at by people" in " ".join(text.split())
    assert page["as_of"] == found["as_of"]
    assert page["questions"]


def test_of_two_accounts_the_others_holding_is_not_told(store, case, monkeypatch):
    pair = members_of(store, case)[:2]
    real = store.log.view
    share = sum(one["share"] for one in pair)

    def view(kind, key):
        if kind == "members":
            return {"members": pair}
        found = real(kind, key)
        return {**found, "share": share, "size": 2} if kind == "case" else found

    monkeypatch.setattr(type(store.log), "view", lambda self, kind, key: view(kind, key))
    page, text = both(store, case, pair[0]["account"])
    assert page["group"] == {"others": 1, "others_share": None, "share": None}
    assert "1 other account; together you hold 5 % of all or more" in text
    assert f"{100 * share:.2f}" not in text


def test_a_single_account_stands_alone(store):
    key = next(k for k, one in store.log.views("case").items() if one["on"] == "account")
    account = members_of(store, key)[0]["account"]
    page, text = both(store, key, account)
    assert page["group"] is None
    assert page["reasons"][0].startswith("Your account alone holds")
    assert "acting with" not in text
    assert [one["action"] for one in page["orders"]] in (["letter"], ["notice"])


def test_orders_freeze_clock_and_appeals_are_the_holders_own(store, case):
    first, second = (one["account"] for one in members_of(store, case)[:2])
    confirm(store, case)
    for key, order in store.log.views("order").items():
        if order["account"] == first:
            do(store, ANN, at.acknowledge, key, True, None)
    page, text = both(store, case, first)
    assert page["frozen"]
    assert [(one["action"], one["done"]) for one in page["orders"]] == [("freeze", True)]
    assert page["clock"]["reviewed_by"] is None  # two people have
    assert VERDICTS["confirmed"] in text
    load(store, ANN, case, f'account = "{first}"\nwords = "No."')
    page, text = both(store, case, second)
    assert page["clock"]["reviewed_by"] == store.log.view("case", case)["due"]
    assert "The freeze is reviewed by" in text
    assert both(store, case, second)[0]["appeal"]["of_yours"] == []
    say(store, ANN, case, "upheld")
    say(store, BOB, case, "upheld")
    page, text = both(store, case, first)
    assert [one["outcome"] for one in page["appeal"]["of_yours"]] == ["upheld"]
    assert "it was upheld" in text
    assert not page["frozen"]
    assert page["clock"]["reviewed_by"] is None
    assert both(store, case, second)[0]["clock"]["reviewed_by"] is not None


def test_until_when_an_answer_is_waited_for(store, case):
    account = members_of(store, case)[0]["account"]
    assert "You may answer at any time" in both(store, case, account)[1]
    review(store, case)
    do(store, ANN, at.move, case, "awaiting_holder", policy(store))
    page, text = both(store, case, account)
    assert page["appeal"]["until"] == store.log.view("case", case)["waiting_until"]
    assert f"Answer by {page['appeal']['until']}." in text


def test_who_is_not_in_the_case_is_told_nothing(store, case):
    head = store.log.head()
    members = {one["account"] for one in members_of(store, case)}
    known = snapshot(store).accounts["account"].to_list()
    stranger = next(one for one in known if one not in members)
    with pytest.raises(UserError) as error:
        holder_page(store, policy(store), case, stranger)
    assert error.value.sentence == f"{stranger} is no member of case {case}."
    with pytest.raises(UserError, match="There is no case 'g0'"):
        holder_page(store, policy(store), "g0", stranger)
    assert store.log.head() == head


def test_every_state_verdict_base_and_doubt_has_words():
    from detectors.doubts import explanations
    from graph.store import HOLDINGS_RULES

    assert set(STATES) == set(moves.STATES) - {moves.CLOSED}
    assert set(VERDICTS) == set(moves.VERDICTS)
    assert set(BASES) >= set(HOLDINGS_RULES)
    assert set(DOUBTS) == {one.name for one in explanations()}


# What detection says


OWN, OTHER = "mine", "theirs"


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (
            "mine sends 94% of its outgoing points to theirs, which receives 61% of its incoming "
            "points from it (3 transfers); theirs sends over 99% of its outgoing points to mine, "
            "which receives under 1% of its incoming points from it (1 transfer)",
            [
                "Your account sent points to another account 3 times: 94% of all it sent.",
                "Another account sent points to yours once: under 1% of all that yours received.",
            ],
        ),
        (
            "theirs and mine were both seen with 2 devices and one address",
            ["Your account and another account used the same address and the same device."],
        ),
        (
            "mine and theirs were both seen with one 10.0.0.1",
            ["Your account and another account used the same identifier."],
        ),
        (
            "mine and theirs are declared to be one owner's by Mr. Smith: they share u7",
            ["It is on record that your account and another account belong to one owner."],
        ),
        ("theirs and u9 were both seen with one device", [OTHERWISE]),
        ("mine is a friend of theirs", [OTHERWISE]),
    ],
)
def test_sentences_in_plain_words(said, becomes):
    assert told_of(said, OWN, {OTHER}) == becomes


NAMES = st.text(st.sampled_from("abu01;,. andmine→é()%'"), min_size=1, max_size=12).map(
    lambda name: f"\x7f{name.strip() or 'x'}"
)
"""Ids that look like words of a sentence; each begins with what no sentence has."""

FORMS = (
    "{a} sends 5% of its outgoing points to {b}, which receives 6% of its incoming points from "
    "it (2 transfers)",
    "{a} was first paid by {b}, as 4 members",
    "{a} last paid {b}, as 4 members",
    "{a} sends 50% of its points to {b}, which 4 members feed",
    "{a} and {b} were both seen with one {b}",
    "{a} and {b} paid, or were paid by, the same 3 counterparties within hours of each other 9 "
    "times",
    "{a} and {b} have dealt with each other since 2026-01-02",
    "{a} handed {b} 55% of what it holds",
    "{a} brought in {b}",
    "{a} brought in {b}, 3 days after it was brought in itself",
    "{a} and {b} were brought in by the same account",
    "{a} and {b} are declared to be one owner's by {b}: {a} is {b}",
    "{a} paid shops, and within 3 days {b} got nearly the same amount back from them, 4 times",
    "2 payments between {a} and {b} came in from a third just before, or went on to one soon "
    "after, at nearly the amount",
    "{b} something new about {a} and {b}",
)


@examples(500)
@given(
    st.lists(NAMES, min_size=2, max_size=5, unique=True),
    st.lists(st.tuples(st.sampled_from(FORMS), st.booleans()), min_size=1, max_size=3),
)
def test_no_name_comes_through_whatever_it_looks_like(names, said):
    own, other = names[0], names[1]
    text = "; ".join(
        form.format(a=own, b=other) if first else form.format(a=other, b=own)
        for form, first in said
    )
    sentences = told_of(text, own, set(names[1:]))
    assert sentences
    assert not [one for one in sentences if "\x7f" in one]


# The command


def test_the_command_prints_writes_and_is_recorded(call, there, store, case, tmp_path):
    account = members_of(store, case)[0]["account"]
    head = store.log.head().number
    code, out, err = call("review", "holder-page", case, "--account", account)
    assert (code, err) == (0, "")
    assert out.startswith(f"Case {case}: account {account}\n")
    (event,) = store.log.events(after=head)
    assert (event.subject, event.action) == ("log", "told")
    assert event.facts == {"case": case, "account": account}
    code, out, _ = call("review", "holder-page", case, "--account", account, "--format", "json")
    assert (code, json.loads(out)["account"]) == (0, account)
    out_file = tmp_path / "page.txt"
    assert call("review", "holder-page", case, "--account", account, "--out", out_file)[:2] == (
        0,
        "",
    )
    assert out_file.read_text().startswith(f"Case {case}")
    assert stat.S_IMODE(out_file.stat().st_mode) == 0o600
    code, _, err = call("review", "holder-page", case, "--account", account, "--out", "no/where")
    assert (code, err) == (1, "inconcert: no/where cannot be written: No such file or directory.\n")
    head = store.log.head()
    code, out, err = call("review", "holder-page", case, "--account", "stranger")
    assert (code, out) == (1, "")
    assert "is no member of case" in err
    assert store.log.head() == head


def test_a_holder_is_known_by_the_id_that_the_platform_writes(call, there, store, case, tmp_path):
    account = members_of(store, case)[0]["account"]
    raw = account
    if store.properties.masked:
        raw = next(name for n in range(ACCOUNTS) if mask(name := f"u{n:07}", store.key) == account)
    file = tmp_path / "answer.toml"
    file.write_text(f'account = "{raw}"\nholdings = 5\n')
    code, out, err = call("review", "appeal", case, file, "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["account"] == account
    code, out, _ = call(
        *("review", "appeal", case, "--outcome", "rejected", "--account", raw, "--words", "No."),
        *("--format", "json"),
    )
    assert (code, json.loads(out)["outcome"]) == (0, "rejected")
    code, out, _ = call("review", "holder-page", case, "--account", raw)
    assert code == 0
    assert "it was rejected" in out


def test_that_a_page_was_told_leaves_the_log_whole(store, case):
    from review.verify import verify

    account = members_of(store, case)[0]["account"]
    do(store, ANN, told, case, account)
    assert verify(store).problems == []
