"""Appeals: what a holder brings is put beside what was found, and people say what comes of it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from appeal_worlds import (
    ANN,
    BOB,
    EVE,
    LINE,
    case_of,
    confirm,
    do,
    load,
    members_of,
    person,
    policy,
    review,
    say,
)
from hypothesis import given
from hypothesis import strategies as st
from long_form import examples

from detectors.engine.detect import detect
from detectors.engine.record import save
from graph.amount import plain
from graph.errors import UserError
from graph.log import Draft
from graph.snapshot import snapshot
from inconcert.asking import make_request
from loaders.files import inputs
from loaders.kinds import sources
from loaders.load import Options
from loaders.load import load as load_file
from review import desk as at
from review.appeal_file import parse
from review.intake import fill
from review.log import project
from review.people import RefusedError
from review.verify import verify


@pytest.fixture
def store(made_world, place):
    return made_world(False).at(place)


@pytest.fixture
def case(store):
    return case_of(store)["id"]


@pytest.fixture
def who(store, case):
    """The accounts of the case, the largest first."""
    return [one["account"] for one in members_of(store, case)]


def text(account, *lines, receipts=()):
    papers = [
        f'[[receipts]]\nreceipt = "{receipt}"\namount = "{amount}"\nat = 2026-06-01T10:00:00Z'
        for receipt, amount in receipts
    ]
    return "\n".join([f'account = "{account}"', *lines, *papers])


def view(store, kind, key):
    found = store.log.view(kind, key)
    assert found is not None
    return found


def load_rows(store, folder, kind, *rows):
    file = folder / f"{kind}.csv"
    file.write_text("\n".join(rows) + "\n")
    with inputs([str(file)], None) as readers:
        assert load_file(store, sources()[kind], readers, Options(source="later")).counts.loaded


# What it changes


def test_receipts_are_genuine_purchases_and_leave_the_group_as_it_is(store, case, who):
    answer = load(store, ANN, case, text(who[3], receipts=[("R-1", "40000.25")]))
    before, after = answer["figures"]
    assert after["held"]["with_receipt"] > before["held"]["with_receipt"]
    more = after["bought"]["with_receipt"] - before["bought"]["with_receipt"]
    assert round(more, 6) == 40000.25
    assert (before["share"], before["holdings"]) == (after["share"], after["holdings"])
    assert after["genuine_part"] > before["genuine_part"]
    assert answer["genuine"][1]["genuine"] > answer["genuine"][0]["genuine"]
    assert list(answer["steps"]) == ["found", "without"]
    assert answer["rule"] == ["group-freeze", "group-freeze"]
    assert answer["holds"]


def test_before_is_what_the_run_found(store, case, who):
    answer = load(store, ANN, case, text(who[0], 'words = "I am one person."'))
    run = store.run(view(store, "case", case)["run"])
    group = next(g for g in run.result["groups"] if g["id"] == view(store, "case", case)["group"])
    found = answer["steps"]["found"]
    assert (found["share"], found["holdings"]) == (group["share"], group["holdings"])
    assert (found["strength_bits"], found["grade"]) == (group["strength_bits"], group["grade"])
    assert answer["as_of"] == run.result["run"]["as_of"]
    assert answer["known_at"] == run.result["run"]["known_at"]
    left = answer["steps"]["without"]
    mine = next(m for m in group["members"] if m["account"] == who[0])
    assert left["accounts"] == len(who) - 1
    assert left["share"] == pytest.approx(mine["share_without"], abs=1e-15)


def test_a_corrected_holding_changes_shares_exactly(store, case, who):
    held = Decimal(members_of(store, case)[0]["holdings"])
    answer = load(store, ANN, case, text(who[0], 'holdings = "0.000000000000000001"'))
    found, corrected = answer["steps"]["found"], answer["steps"]["corrected"]
    less = Decimal(found["holdings"]) - Decimal(corrected["holdings"])
    assert less == held - Decimal("0.000000000000000001")
    assert corrected["share"] < found["share"]
    assert answer["figures"][1]["holdings"] == "0.000000000000000001"
    base = [Decimal(one) for one in answer["base"]]
    assert base[0] - base[1] == less  # the base is what is counted


def test_below_the_line_after_a_correction_no_rule_of_it_holds(store, case, who):
    answer = load(store, ANN, case, text(who[0], "holdings = 0", 'explanation = "below"'))
    share = answer["steps"]["corrected"]["share"]
    assert answer["rule"][0] == "group-freeze"
    expected = "group-freeze" if share >= 0.05 else "group-letter"
    assert answer["rule"][1] == expected


def test_an_explanation_takes_the_evidence_between_accounts_away(store, case, who):
    partners = ", ".join(f'"{one}"' for one in who[1:])
    answer = load(
        store, ANN, case, text(who[0], 'explanation = "household"', f"with = [{partners}]")
    )
    found, explained = answer["steps"]["found"], answer["steps"]["explained"]
    assert explained["evidence_bits"] < found["evidence_bits"]
    assert explained["share"] == found["share"]
    assert answer["outside"] == []


def test_accounts_outside_the_case_may_be_named(store, case, who):
    stranger = next(one for one in snapshot(store).accounts["account"].to_list() if one not in who)
    answer = load(store, ANN, case, text(who[0], 'explanation = "gift"', f'with = ["{stranger}"]'))
    assert answer["outside"] == [stranger]


def test_it_is_as_known_then(store, case, who, tmp_path):
    load_rows(store, tmp_path, "holdings", "account,amount,at", f"{who[0]},9999999,2026-06-30")
    held = members_of(store, case)[0]["holdings"]
    answer = load(store, ANN, case, text(who[0], receipts=[("R-1", 5)]))
    assert [one["holdings"] for one in answer["figures"]] == [held, held]


def test_a_single_account_has_figures_and_no_group(store):
    found = [one for one in store.log.views("case").values() if one["on"] == "account"]
    key = found[0]["id"]
    account = members_of(store, key)[0]["account"]
    answer = load(store, ANN, key, text(account, "holdings = 1", receipts=[("R-9", 3)]))
    assert (answer["steps"], answer["genuine"]) == ({}, None)
    assert answer["rule"][0] == found[0]["rule"]
    assert answer["rule"][1] is None
    assert not answer["holds"]


# What is recorded


def test_an_appeal_is_one_event_with_figures_and_words_apart(store, case, who):
    head = store.log.head().number
    load(store, ANN, case, text(who[0], 'words = "My aunt gave it."', receipts=[("R-1", 5)]))
    (event,) = store.log.events(after=head)
    assert (event.action, event.user, event.subject) == ("appealed", "ann", f"case/{case}")
    assert event.facts["receipts"] == ["R-1"]
    assert event.facts["amounts"] == ["5"]
    assert len(event.facts["figures"]) == 2
    assert "aunt" not in event.body
    assert store.log.words(event.subject)[event.number].text == "My aunt gave it."
    assert view(store, "receipt", "R-1") == {"case": case, "account": who[0]}
    assert view(store, "case", case)["appeals_open"] == 1
    assert verify(store).problems == []


def test_a_case_that_waits_for_the_holder_goes_back_to_review(store, case, who):
    review(store, case)
    do(store, ANN, at.move, case, "awaiting_holder", policy(store))
    assert load(store, ANN, case, text(who[0], 'words = "No."'))["state"] == "in_review"
    now_ = view(store, "case", case)
    assert now_["owner"] == "ann"
    assert "waiting_until" not in now_


def test_a_closed_case_is_opened_again(store, case, who):
    confirm(store, case)
    assert load(store, EVE, case, text(who[0], 'words = "No."'))["state"] == "reopened"
    assert view(store, "case", case)["reopened_for"] == "an appeal came"
    assert verify(store).problems == []


def test_a_duplicate_takes_no_appeal(store, case, who):
    other = next(key for key in store.log.views("case") if key != case)
    said = {"change": "flowed into another", "into": other, "run": "r"}
    draft = Draft(f"case/{case}", "merged", said)
    store.log.write(lambda desk: desk.record(ANN.anybody(), draft), project)
    refused(store, f"Case {case} is a duplicate of {other}.", case, text(who[0], "holdings = 1"))


# What comes of it


def test_upheld_it_unfreezes_the_account_alone_and_takes_two(store, case, who):
    confirm(store, case)
    frozen = view(store, "frozen", case)["accounts"]
    assert who[0] in frozen
    assert len(frozen) > 2
    load(store, EVE, case, text(who[0], receipts=[("R-1", 5)]))
    first = say(store, ANN, case, "upheld")
    assert (first["step"], first["outcome"], first["freed"]) == ("proposed", None, False)
    assert view(store, "frozen", case)["accounts"] == frozen
    with pytest.raises(RefusedError, match="ann may not second what they proposed themselves"):
        say(store, ANN, case, "upheld")
    done = say(store, BOB, case, "upheld")
    assert (done["step"], done["outcome"], done["freed"]) == ("final", "upheld", True)
    assert view(store, "frozen", case)["accounts"] == [one for one in frozen if one != who[0]]
    lifted = [o for o in store.log.views("order").values() if o["action"] == "unfreeze"]
    assert [one["account"] for one in lifted] == [who[0]]
    assert view(store, "case", case)["freeze"] == "ordered"  # the others' goes on
    assert view(store, "case", case)["appeals_open"] == 0
    assert verify(store).problems == []


def test_the_clock_of_the_others_runs_on(store, case, who):
    confirm(store, case)
    for key, order in store.log.views("order").items():
        if order["case"] == case:
            do(store, ANN, at.acknowledge, key, True, None)
    load(store, EVE, case, text(who[0], receipts=[("R-1", 5)]))
    due = view(store, "case", case)["due"]  # it is open again, and has its time
    say(store, ANN, case, "upheld")
    say(store, BOB, case, "upheld")
    assert view(store, "case", case)["due"] == due
    assert view(store, "case", case)["freeze"] == "in_force"


def test_a_second_person_may_object(store, case, who):
    confirm(store, case)
    load(store, EVE, case, text(who[0], receipts=[("R-1", 5)]))
    say(store, ANN, case, "upheld")
    assert say(store, BOB, case, "rejected")["step"] == "objected"
    assert view(store, "case", case)["appeals_open"] == 1
    assert say(store, BOB, case, "rejected")["outcome"] == "rejected"
    assert view(store, "case", case)["appeals_open"] == 0


def test_one_person_upholds_what_nobody_confirmed_and_no_order_names_the_account(store, case, who):
    load(store, ANN, case, text(who[0], receipts=[("R-1", 5)]))
    assert say(store, ANN, case, "upheld")["step"] == "final"
    confirm(store, case)
    assert who[0] not in view(store, "frozen", case)["accounts"]
    assert who[1] in view(store, "frozen", case)["accounts"]


def test_to_declare_accounts_unrelated_takes_two(store, case, who):
    load(store, ANN, case, text(who[0], 'explanation = "unrelated"', f'with = ["{who[1]}"]'))
    assert say(store, ANN, case, "upheld")["step"] == "proposed"


def test_a_later_appeal_needs_two_as_well(store, case, who):
    confirm(store, case)
    load(store, EVE, case, text(who[0], receipts=[("R-1", 5)]))
    load(store, EVE, case, text(who[1], receipts=[("R-2", 5)]))
    assert say(store, ANN, case, "upheld", account=who[1])["step"] == "proposed"


def test_what_was_upheld_counts_in_the_figures_of_the_next(store, case, who):
    first = load(store, ANN, case, text(who[0], 'holdings = "1"', receipts=[("R-1", 5)]))
    say(store, ANN, case, "upheld")
    answer = load(store, ANN, case, text(who[0], receipts=[("R-2", 7)]))
    before, after = answer["figures"]
    assert (before["holdings"], after["holdings"]) == ("1", "1")
    bought = [one["bought"]["with_receipt"] for one in (*first["figures"], before, after)]
    assert [round(one - bought[0], 6) for one in bought] == [0, 5, 5, 12]


def test_rejected_receipts_may_be_brought_again_by_their_account_alone(store, case, who):
    load(store, ANN, case, text(who[0], receipts=[("R-1", 5)]))
    say(store, ANN, case, "rejected", words="It cannot be read.")
    refused(store, "Receipt 'R-1' is already used.", case, text(who[1], receipts=[("R-1", 5)]))
    load(store, ANN, case, text(who[0], receipts=[("R-1", 5)]))
    assert view(store, "receipt", "R-1") == {"case": case, "account": who[0]}


def test_an_outcome_needs_words_an_open_appeal_and_no_member(store, case, who):
    refuse = pytest.raises(UserError, match="No appeal is open in case")
    with refuse:
        say(store, ANN, case, "upheld")
    load(store, ANN, case, text(who[0], 'words = "No."'))
    load(store, ANN, case, text(who[1], 'words = "No."'))
    head = store.log.head()
    for who_, outcome, more, sentence in [
        (BOB, "upheld", {"words": " "}, "Say why the appeal is upheld."),
        (BOB, "granted", {}, "'granted' is no outcome."),
        (BOB, "upheld", {}, "2 appeals are open in case"),
        (BOB, "upheld", {"account": who[2]}, "No appeal of"),
        (BOB, "upheld", {"account": who[0], "seen": 1}, "has changed since you looked at it"),
    ]:
        with pytest.raises(UserError, match=sentence):
            say(store, who_, case, outcome, look=False, **more)
    assert store.log.head() == head
    with pytest.raises(RefusedError, match="is a member of the group and may not answer"):
        say(store, person("mia", who[2]), case, "upheld", account=who[0])


def test_a_member_of_the_group_loads_no_appeal(store, case, who):
    with pytest.raises(RefusedError, match="is a member of the group and may not load an appeal"):
        load(store, person("mia", who[2]), case, text(who[2], 'words = "No."'))


# What is refused


def refused(store, sentence, key, words):
    head = store.log.head()
    with pytest.raises(UserError) as error:
        load(store, ANN, key, words)
    assert error.value.sentence == sentence
    assert store.log.head() == head


def test_a_receipt_is_used_once(store, case, who):
    other = case_of(store, "indication")["id"]
    stranger = next(one["account"] for one in members_of(store, other) if one["account"] not in who)
    load(store, ANN, case, text(who[0], receipts=[("R-1", 5)]))
    used = "Receipt 'R-1' is already used."
    refused(store, used, case, text(who[1], receipts=[("R-1", 5)]))
    refused(store, used, other, text(stranger, receipts=[(" R-1 ", 6)]))
    say(store, ANN, case, "upheld")
    refused(store, used, case, text(who[0], receipts=[("R-1", 5)]))


def test_a_receipt_of_a_purchase_in_the_store_is_used(store, case, who, tmp_path):
    load_rows(
        store,
        tmp_path,
        "purchases",
        "account,amount,receipt,at",
        f"{who[1]},5,K-1,2026-07-05",
        f"{who[0]},6,K-2,2026-06-05",
    )
    used = "is already used: it is for another account."
    refused(store, f"Receipt 'K-1' {used}", case, text(who[0], receipts=[("K-1", 5)]))
    used = "is already used: the purchase is in the store and counts."
    refused(store, f"Receipt 'K-2' {used}", case, text(who[0], receipts=[("K-2", 6)]))


def test_who_is_not_in_the_case_cannot_appeal_there(store, case, who):
    known = snapshot(store).accounts["account"].to_list()
    stranger = next(one for one in known if one not in who)
    words = 'words = "No."'
    refused(store, f"{stranger} is no member of case {case}.", case, text(stranger, words))
    head = store.log.head()
    with pytest.raises(UserError, match="There is no account 'nobody'"):
        load(store, ANN, case, text("nobody", words))
    with pytest.raises(UserError, match="There is no case 'g0'"):
        load(store, ANN, "g0", text(who[0], words))
    assert store.log.head() == head


def test_an_appeal_is_answered_before_the_next(store, case, who):
    load(store, ANN, case, text(who[0], 'words = "No."'))
    sentence = f"Appeal 1 of {who[0]} in case {case} is not answered yet."
    refused(store, sentence, case, text(who[0], "holdings = 1"))


def test_a_receipt_of_later_says_nothing_of_then(store, case, who):
    words = text(who[0], receipts=[("R-1", 5)]).replace("2026-06-01", "2027-01-01")
    refused(
        store,
        "Receipt 'R-1' is of 2027-01-01T10:00:00Z, after 2026-06-30T23:59:59Z, as of which the "
        "case was found: it says nothing of what was held then.",
        case,
        words,
    )


def test_no_holding_is_over_the_base_that_was_set(store, case, who):
    supply = snapshot(store).supply
    store.set_supply(supply, datetime(2026, 1, 1, tzinfo=UTC))
    over = text(who[0], f'holdings = "{supply}"')
    run = save(store, detect(store, make_request((), [LINE], permutations=9)))
    fill(store, ANN, run)
    held = supply - Decimal(members_of(store, case)[0]["holdings"]) + supply
    refused(
        store,
        f"With this holding the accounts would hold {plain(held)}, more than the base of "
        f"{plain(supply)}.",
        case,
        over,
    )
    answer = load(store, ANN, case, text(who[0], "holdings = 1"))
    assert answer["base"] == [plain(supply), plain(supply)]


RECEIPT = '[[receipts]]\nreceipt = "R-1"\namount = 5\nat = 2026-06-01\n'


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "a.toml: 'account' is missing."),
        ("account = ", "a.toml is not valid TOML"),
        ("{", "a.toml is not valid JSON"),
        ("[1]", "a.toml is a list, not an appeal."),
        ('account = "a"', "it says nothing: no receipts, no holdings"),
        ('account = "a"\nwords = " "', "it says nothing"),
        ('account = "a"\nacount = "b"', "there is no setting 'acount'. Did you mean 'account'?"),
        ('account = ""\nholdings = 1', "a name has 1 to 256 bytes"),
        ('account = "a"\nholdings = -1', "an amount is 0 or more, not '-1'"),
        ('account = "a"\nholdings = nan', "an amount is 0 or more, not 'NaN'"),
        ('account = "a"\nholdings = "much"', "'much' is not an amount"),
        ('account = "a"\nholdings = true', "'True' is not an amount"),
        ('account = "a"\nholdings = 1e20', "more than 20 digits before the point"),
        ('account = "a"\nholdings = "1e-19"', "or 18 after it"),
        ('account = "a"\nholdings = 1e999999999999999999999', "a number or a nesting is too large"),
        ('account = "a"\nexplanation = "luck"', "'luck' is no explanation; there are household"),
        ('account = "a"\nexplanation = "gift"', "whom 'gift' is about is missing"),
        ('account = "a"\nexplanation = "gift"\nwith = ["a"]', "about other accounts than"),
        ('account = "a"\nwith = ["b"]', "'with' names accounts, but there is no explanation"),
        ('account = "a"\nexplanation = "below"', "what the account really held is missing"),
        ('account = "a"\nexplanation = "other"', "something else is said in words"),
        (f'account = "a"\n{RECEIPT}{RECEIPT}', "receipt 'R-1' is used twice."),
        (f'account = "a"\n{RECEIPT}account = "b"', "receipt 'R-1' is for another account."),
        (f'account = "a"\n{RECEIPT}'.replace("= 5", "= 0"), "receipt 1: amount: a receipt is of"),
        (f'account = "a"\n{RECEIPT}'.replace("2026-06-01", '"June"'), "receipt 1: at: 'June' is"),
        (f'account = "a"\n{RECEIPT}'.replace("at =", "when ="), "there is no setting 'when'"),
        ('account = "a"\nreceipts = "R-1"', "receipts: 'R-1' is not a list."),
        ('account = "a"\nreceipts = [1]', "receipt 1: "),
        ('{"account": "a", "holdings": NaN}', "'nan' is not an amount"),
        ("[" * 100_000, "a.toml"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_sentence(words, sentence):
    with pytest.raises(UserError) as error:
        parse(words, "a.toml")
    assert sentence in error.value.sentence
    assert "\n" not in error.value.sentence


@examples(200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["account", "receipts", "receipt", "amount", "at", "holdings", "with", "words"]
                ),
                part,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_a_file_says_is_read_or_refused(raw):
    more = raw if isinstance(raw, dict) else {"receipts": raw}
    with suppress(UserError):
        assert parse(json.dumps({"account": "a", "words": "w", **more}), "a.json").account


def test_json_and_toml_say_the_same():
    in_toml = parse(f'account = "a"\nholdings = 1.10\n{RECEIPT}', "a.toml")
    in_json = parse(
        '{"account": "a", "holdings": 1.10, "receipts": '
        '[{"receipt": "R-1", "amount": 5, "at": "2026-06-01"}]}',
        "a.json",
    )
    assert in_toml == in_json
    assert in_toml.holdings == Decimal("1.10")


# The command


def test_the_command_loads_and_answers(call, there, store, case, who, tmp_path):
    file = tmp_path / "answer.toml"
    file.write_text(text(who[0], receipts=[("R-1", 5)]))
    code, out, err = call("review", "appeal", case, file)
    assert (code, err) == (0, "")
    assert f"Appeal of {who[0]} in case {case}" in out
    assert "After that rule group-freeze still holds." in out
    code, out, err = call("review", "appeal", case[:6], "--outcome", "upheld", "--words", "Fine.")
    assert (code, err) == (0, "")
    assert out == f"The appeal of {who[0]} in case {case} is upheld. " + (
        "No order of the case names it any more.\n"
    )
    code, out, err = call("review", "appeal", case, file)
    assert (code, out) == (1, "")
    assert err == "inconcert: Receipt 'R-1' is already used.\n"


def test_the_command_needs_a_file_or_an_outcome(call, there, case):
    assert call("review", "appeal", case)[0] == 2
    assert call("review", "appeal", case, "a.toml", "--outcome", "upheld")[0] == 2
    code, _, err = call("review", "appeal", case, "absent.toml")
    assert (code, err) == (1, "inconcert: absent.toml cannot be read: No such file or directory.\n")
