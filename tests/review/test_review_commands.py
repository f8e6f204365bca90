"""What commands of the queue refuse, record and do with several cases at once."""

from __future__ import annotations

import json
import stat

import pytest
from queue_world import SETTINGS, TEN, TWELVE, case_of, person

from review import desk as at
from review.log import act
from review.verify import verify


@pytest.fixture(autouse=True)
def _settings(named, tmp_path):
    (tmp_path / "inconcert.toml").write_text(SETTINGS)


def logged(store):
    """What the log says of itself."""
    return [(event.action, event.user, event.facts) for event in store.log.events("log")]


# Looking


def test_who_looks_for_an_account_needs_a_role_and_is_recorded(call_as, full):
    code, out, err = call_as("stranger", "list", "--account", "whale")
    assert (code, out) == (1, "")
    assert "stranger may not look at the cases of an account" in err
    assert len(json.loads(call_as("aud", "list", "--account", "whale", "--format", "json")[1])) == 1
    assert call_as("ann", "list", "--account", "nobody")[0] == 0
    what = "the cases of an account"
    assert logged(full) == [
        ("refused", "stranger", {"what": f"look at {what}", "about": "log"}),
        ("looked", "aud", {"what": what, "found": True}),
        ("looked", "ann", {"what": what, "found": False}),
    ]
    assert not verify(full).problems


def test_who_reads_the_orders_needs_a_role_and_is_recorded(call_as, full):
    for words in ((), ("--all",), ("--format", "table")):
        code, out, err = call_as("stranger", "orders", *words)
        assert (code, out) == (1, "")
        assert "stranger may not look at orders" in err
    assert len(call_as("aud", "orders")[1].splitlines()) == 12
    key = case_of(full, "whale")
    call_as("opa", "orders", "--all", "--case", key[:6], "--action", "freeze")
    assert [one for one in logged(full) if one[0] == "looked"] == [
        ("looked", "aud", {"what": "orders", "orders": 12, "all": False, "action": None,
                           "case": None}),
        ("looked", "opa", {"what": "orders", "orders": 1, "all": True, "action": "freeze",
                           "case": key}),
    ]  # fmt: skip


def test_a_holders_page_is_for_its_user_alone_whatever_was_there(call_as, full, tmp_path):
    page = tmp_path / "page.txt"
    page.write_text("of old" * 10_000)
    page.chmod(0o666)
    words = "holder-page", case_of(full, "whale"), "--account", "whale", "--out", page
    assert call_as("ann", *words)[0] == 0
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "of old" not in page.read_text()
    assert call_as("ann", *words[:-1], "/dev/null")[0] == 0


# Several cases


def test_several_cases_are_claimed_all_or_none(call_as, full):
    keys = [case_of(full, account) for account in ("whale", "large", "t00")]
    assert call_as("bob", "claim", keys[2])[0] == 0
    head = full.log.head()
    code, out, err = call_as("ann", "claim", *keys)
    assert (code, out) == (1, "")
    assert f"Case {keys[2]} is bob's." in err
    assert full.log.head() == head
    code, out, _ = call_as("ann", "claim", *keys[:2], keys[0][:6])
    assert (code, len(out.splitlines())) == (0, 2)
    assert [full.log.view("case", key)["owner"] for key in keys] == ["ann", "ann", "bob"]


def test_several_cases_are_moved_and_given_all_or_none(call_as, full):
    keys = [case_of(full, account) for account in ("whale", "large", "t00")]
    call_as("bob", "claim", keys[2])
    head = full.log.head()
    assert call_as("ann", "move", *keys, "triaged")[0] == 1  # bob's: only a senior moves it
    assert full.log.head().number == head.number + 1  # that it was refused
    assert call_as("ann", "assign", *keys, "--to", "ann")[0] == 1
    assert {full.log.view("case", key)["state"] for key in keys[:2]} == {"new"}
    assert call_as("sue", "move", *keys, "triaged")[0] == 0
    assert {full.log.view("case", key)["state"] for key in keys} == {"triaged"}


# Decisions


def test_whom_a_decision_leaves_out_is_named_as_the_platform_does(call_as, masked):
    key = next(key for key, case in masked.log.views("case").items() if case["size"] == len(TWELVE))
    call_as("ann", "claim", key)
    call_as("ann", "move", key, "in_review")
    words = "decide", key, "confirmed", "--words", "w", "--exclude", "t05"
    assert call_as("ann", *words)[::2] == (0, "")
    [left_out] = masked.log.view("case", key)["pending"]["exclude"]
    assert left_out.startswith("m_")


def test_who_acts_on_an_old_view_is_told_what_happened_since(call_as, full):
    key = case_of(full, "u00")
    call_as("bob", "show", key)
    seen = full.log.head().number
    call_as("ann", "claim", key)
    call_as("aud", "comment", key, "--words", "Look at May.")
    code, _, err = call_as("bob", "move", key, "triaged")
    assert code == 1
    events = f"event {seen + 1}: moved by ann, event {seen + 2}: commented by aud."
    assert f"Since then: {events} `inconcert review show {key}`" in err
    sue = person("sue", "senior")
    for _ in range(12):
        act(full, sue, lambda desk: at.comment(desk, sue, key, "again"))
    assert "Since then: 4 more, then event " in call_as("bob", "move", key, "triaged")[2]
    assert len(TEN) == 10


def test_the_databases_user_is_recorded_too(call_as, full, monkeypatch):
    from review.people import login

    call_as("ann", "comment", case_of(full, "whale"), "--words", "w")
    monkeypatch.setattr(type(full), "database_user", property(lambda _: "reader", _set), False)
    call_as("ann", "comment", case_of(full, "whale"), "--words", "w")
    call_as("ann", "claim", case_of(full, "whale"), "--as", "bob")
    logins = [event.login for event in full.log.events()][-3:]
    assert logins == [login(), f"{login()} / reader", f"{login()} / reader"]


def _set(*_):
    pass
