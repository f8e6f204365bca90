"""Appeals: a holder answers with receipts; figures before and after; people say what comes of it.

An appeal is an event of its case (`appealed`), and so is its outcome (`answered`). One appeal
of an account is open at a time; a receipt is used once, by one account. Appeals that were
upheld count in the figures of later ones.

To uphold an appeal takes a second person where two people had confirmed the case, and where
accounts are to be declared unrelated: what two decided, one does not undo. To reject one
leaves things as they are, and takes one person. Upheld, it unfreezes the account and no order
names it any more; about the case itself people decide as always.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graph.amount import plain
from graph.clock import iso, parse_time
from graph.errors import UserError
from graph.log import Desk, Doc, Draft
from graph.store import RunSummary, Store
from review import moves
from review.cases import APPEAL, CASE, MEMBERS, RECEIPT, appeal_key, subject
from review.desk import StaleError, find, fresh, members
from review.freezes import FROZEN
from review.log import act
from review.orders import unfreeze
from review.people import Person, RefusedError
from review.policy_history import in_force

if TYPE_CHECKING:  # who answers an appeal does not wait for what works one out
    from detectors.engine.request import Request
    from review.appeal_file import Appeal
    from review.recompute import Claim, Then

OUTCOMES = ("upheld", "rejected")

CAME = "an appeal came"
"""Why a closed case is opened again."""

_FIGURES = ("holdings", "share", "genuine", "genuine_share", "genuine_part", "rules")
_STEP = ("share", "holdings", "strength_bits", "grade", "reported", "rule")

Get = Callable[[str, str], Doc | None]
"""Looks a view up, inside a transaction or before it."""


def enter(
    store: Store,
    person: Person,
    key: str,
    appeal: Appeal,
    request_of: Callable[[RunSummary], Request],
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Take an appeal into a case: what it changes (see `review.recompute.compare`).

    `request_of`: the request that a run answered. The case goes back to review where it waited
    for the holder, and is opened again where it was closed. UserError, and nothing recorded,
    where the account is not in the case or a receipt was used.
    """
    from review.recompute import Then, compare

    case = store.log.view(CASE, key)
    if case is None:
        raise UserError(f"There is no case '{key}'.", "`inconcert review list` lists them.")
    run = run_of(store, case)
    moment = parse_time(run.result["run"]["as_of"])
    then = Then.of(store, run, in_force(store.log.views("policy"), moment))
    claim = _claim(then, appeal)
    members_ = (store.log.view(MEMBERS, key) or {"members": []})["members"]
    frozen_ = (store.log.view(FROZEN, key) or {"accounts": []})["accounts"]
    theirs = sorted({*(one["account"] for one in members_), *frozen_})
    _refuse(store.log.view, case, theirs, claim)
    _refuse_known(store, then, claim)
    earlier = _upheld(store.log.view, case, run)
    document = compare(then, case, theirs, earlier, claim, request_of, tell)

    def work(desk: Desk) -> Doc:
        now_ = find(desk, key)
        if (now_["run"], now_["group"]) != (case["run"], case["group"]):
            raise StaleError(
                f"A run has changed case {key} while the appeal was worked out.", "Load it again."
            )
        _refuse(desk.get, now_, theirs, claim)
        person.refuse_own("load an appeal", key, theirs)
        actor = person.acting("load an appeal", key, "investigator", "senior")
        words = (appeal.words or "").strip() or None
        body = _body(desk.get, now_, claim, appeal, document)
        desk.record(
            actor, Draft(subject(key), "appealed", body, words), *_back_to_review(key, now_)
        )
        return find(desk, key)

    return {**document, "state": act(store, person, work)["state"]}


def answer(
    desk: Desk,
    person: Person,
    key: str,
    outcome: str,
    words: str,
    *,
    fingerprint: str,
    account: str | None = None,
    seen: int | None = None,
) -> Doc:
    """Uphold or reject an open appeal; the view of it after that.

    `account`: whose, as stored, where several are open. Where a second person is needed, the
    first one's word is a proposal, and the second says the same or objects ("rejected").
    """
    case = fresh(desk, person, key, seen)
    if outcome not in OUTCOMES:
        raise UserError(f"'{outcome}' is no outcome.", f"One of {', '.join(OUTCOMES)}.")
    if not words.strip():
        raise UserError(f"Say why the appeal is {outcome}.", "--words WORDS.")
    number, appeal = _open_one(desk.get, case, account)
    actor = person.acting("answer an appeal", key, "investigator", "senior")
    person.refuse_own("answer an appeal", key, [*members(desk, key), appeal["account"]])
    proposed = appeal.get("proposed")
    same = proposed and person.is_one_of(proposed["by"], proposed.get("named"))
    if outcome == "upheld" and same:
        what = "second what they proposed themselves"
        raise RefusedError(f"{person.user} may not {what}.", what=what, about=key)
    step = "final"
    if proposed and outcome == "rejected":
        step = "objected"
    elif outcome == "upheld" and not proposed and needs_second(case, appeal):
        step = "proposed"
    body = {"appeal": number, "account": appeal["account"], "outcome": outcome, "step": step}
    body["named"] = person.named
    desk.record(actor, Draft(subject(key), "answered", body, words.strip()))
    freed: list[Draft] = []
    if step == "final" and outcome == "upheld":
        freed = unfreeze(desk, fingerprint, find(desk, key), [appeal["account"]])
        desk.record(actor, *freed)
    found = desk.get(APPEAL, appeal_key(key, number))
    assert found is not None
    return {**found, "step": step, "freed": any(draft.body["orders"] for draft in freed)}


def needs_second(case: Doc, appeal: Doc) -> bool:
    """Whether a second person must agree to uphold an appeal."""
    two = bool(appeal.get("confirmed_by")) or len(_confirmed_by(case)) == 2
    return two or moves.needs_second("refuted", appeal.get("explanation"))


def appeals_of(get: Get, case: Doc) -> list[tuple[int, Doc]]:
    """The appeals of a case with their numbers, in the order in which they came."""
    numbers = range(1, case.get("appeals", 0) + 1)
    found = [(number, get(APPEAL, appeal_key(case["id"], number))) for number in numbers]
    return [(number, doc) for number, doc in found if doc is not None]


def run_of(store: Store, case: Doc) -> RunSummary:
    """The run whose finding a case is about: the last one that found it."""
    events = [one for one in store.log.events(subject(case["id"])) if one.action in _FINDS]
    return store.run(events[-1].facts["run"])


_FINDS = ("found", "seen")


def _claim(then: Then, appeal: Appeal) -> Claim:
    """What an appeal says, accounts as stored. UserError for an unknown account, and for a
    receipt of later than the run."""
    from review.recompute import Claim

    account = then.name(appeal.account)
    late = next((one for one in appeal.receipts if one.at > then.taken.as_of), None)
    if late:
        raise UserError(
            f"Receipt '{late.receipt}' is of {iso(late.at)}, after {iso(then.taken.as_of)}, as of "
            "which the case was found: it says nothing of what was held then."
        )
    return Claim(
        account,
        tuple((one.receipt, one.amount, one.at) for one in appeal.receipts),
        appeal.holdings,
        tuple(sorted({then.name(other) for other in appeal.others} - {account})),
    )


def _refuse(get: Get, case: Doc, theirs: list[str], claim: Claim) -> None:
    """UserError where a case cannot take an appeal."""
    key = case["id"]
    if claim.account not in theirs:
        raise UserError(f"{claim.account} is no member of case {key}.")
    decision = case.get("decision", {})
    if decision.get("verdict") == "duplicate":
        raise UserError(
            f"Case {key} is a duplicate of {decision['of']}.", "The appeal belongs there."
        )
    for number, appeal in appeals_of(get, case):
        if appeal["account"] == claim.account and appeal["outcome"] is None:
            raise UserError(
                f"Appeal {number} of {claim.account} in case {key} is not answered yet.",
                f"`inconcert review appeal {key} --outcome …` answers it.",
            )
    for receipt, _, _ in claim.receipts:
        used = get(RECEIPT, receipt)
        again = used and used.get("rejected") and used["account"] == claim.account
        if used and not again:
            raise UserError(f"Receipt '{receipt}' is already used.")


def _refuse_known(store: Store, then: Then, claim: Claim) -> None:
    """UserError where a purchase in the store has one of the receipts: another account's, or
    one that counts already."""
    wanted = [receipt for receipt, _, _ in claim.receipts]
    if not wanted:
        return
    import polars as pl

    known = (
        store.facts("purchases")
        .select("account", receipt=pl.col("receipt").str.strip_chars())
        .filter(pl.col("receipt").is_in(wanted))
        .collect()
    )
    own = then.taken.accounts["ix"][then.taken.number_of(claim.account)]
    for account, receipt in known.sort("receipt").iter_rows():
        if account != own:
            raise UserError(f"Receipt '{receipt}' is already used: it is for another account.")
        raise UserError(
            f"Receipt '{receipt}' is already used: the purchase is in the store and counts.",
            "Leave it out of the appeal.",
        )


def _upheld(get: Get, case: Doc, run: RunSummary) -> list[Claim]:
    """What was upheld before. A holding was corrected as of one run and says nothing of
    another."""
    from review.recompute import Claim

    return [
        Claim.of(appeal if appeal["run"] == run.id else {**appeal, "holdings": None})
        for _, appeal in appeals_of(get, case)
        if appeal["outcome"] == "upheld"
    ]


def _body(get: Get, case: Doc, claim: Claim, appeal: Appeal, document: dict[str, Any]) -> Doc:
    """What the event says: figures and ids, no personal words."""
    before = appeals_of(get, case)
    inherited = before[-1][1].get("confirmed_by", []) if before and "decision" not in case else []
    return {
        "account": claim.account,
        "receipts": [receipt for receipt, _, _ in claim.receipts],
        "amounts": [plain(amount) for _, amount, _ in claim.receipts],
        "times": [iso(at) for _, _, at in claim.receipts],
        "holdings": None if claim.holdings is None else plain(claim.holdings),
        "explanation": appeal.explanation,
        "with": list(claim.apart),
        "run": document["run"],
        "as_of": document["as_of"],
        "known_at": document["known_at"],
        "base": document["base"],
        "figures": [{name: one[name] for name in _FIGURES} for one in document["figures"]],
        "steps": {
            name: {figure: step[figure] for figure in _STEP}
            for name, step in document["steps"].items()
        },
        "rule": document["rule"],
        "confirmed_by": _confirmed_by(case) or inherited,
    }


def _confirmed_by(case: Doc) -> list[str]:
    """The two people who confirmed a case; nobody where it is not confirmed."""
    decision = case.get("decision", {})
    if decision.get("verdict") != "confirmed" or not decision.get("second"):
        return []
    return [decision["by"], decision["second"]]


def _back_to_review(key: str, case: Doc) -> list[Draft]:
    """What an appeal does to the state of a case."""
    to = {moves.AWAITING: moves.IN_REVIEW, moves.SNOOZED: moves.TRIAGED}.get(case["state"])
    if to:
        free = {"owner": None} if to == moves.TRIAGED else {}
        return [Draft(subject(key), "moved", {"to": to, **free})]
    if case["state"] == moves.CLOSED:
        return [Draft(subject(key), "reopened", {"why": CAME})]
    return []


def _open_one(get: Get, case: Doc, account: str | None) -> tuple[int, Doc]:
    """The open appeal that is meant. UserError where there is none, or it could be several."""
    whose = f" of {account}" if account else ""
    found = [
        (number, appeal)
        for number, appeal in appeals_of(get, case)
        if appeal["outcome"] is None and account in (None, appeal["account"])
    ]
    if not found:
        raise UserError(f"No appeal{whose} is open in case {case['id']}.")
    if len(found) > 1:
        raise UserError(
            f"{len(found)} appeals are open in case {case['id']}.", "--account says whose is meant."
        )
    return found[0]
